//! The routing table of the design, row by row: what a caller does with what came back. Pure.

/// Whether executing a call twice does harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Safety {
    /// It only reads: GET, HEAD, OPTIONS; get, exists, list, get-many.
    Read,
    /// Anything else.
    Write,
}

/// Whether the callee executed a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Executed {
    /// It certainly did not.
    No,
    /// Nobody can say.
    Unknown,
    /// It did.
    Yes,
}

/// How one attempt at one host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nobody listened, or the message never left this host.
    NoResponders,
    /// The host has no such component, or is another incarnation.
    NotHere,
    /// The slot is leaving.
    Draining,
    /// The host or the slot has as many calls as it takes.
    Busy,
    /// The call arrived after its deadline.
    DeadlinePassed,
    /// The callee refuses this caller or this call.
    Refused,
    /// The callee's own snapshot has no such link.
    NotLinked,
    /// Nothing came back in time.
    Silence,
    /// The connection broke while the call was under way.
    ConnectionLost,
    /// The callee gave up before the first byte of an answer.
    Reset,
    /// An answer.
    Answer,
    /// The guest's own error, or a trap.
    Failed,
    /// It was executed, and its answer is no longer kept.
    AnswerGone,
    /// The answer began and broke off.
    BrokenOff,
}

impl Outcome {
    /// Every outcome there is, for tables and metrics.
    pub const ALL: [Self; 14] = [
        Self::NoResponders,
        Self::NotHere,
        Self::Draining,
        Self::Busy,
        Self::DeadlinePassed,
        Self::Refused,
        Self::NotLinked,
        Self::Silence,
        Self::ConnectionLost,
        Self::Reset,
        Self::Answer,
        Self::Failed,
        Self::AnswerGone,
        Self::BrokenOff,
    ];

    /// The outcome in a word, for metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoResponders => "no-responders",
            Self::NotHere => "not-here",
            Self::Draining => "draining",
            Self::Busy => "busy",
            Self::DeadlinePassed => "deadline-passed",
            Self::Refused => "refused",
            Self::NotLinked => "not-linked",
            Self::Silence => "silence",
            Self::ConnectionLost => "connection-lost",
            Self::Reset => "reset",
            Self::Answer => "answer",
            Self::Failed => "failed",
            Self::AnswerGone => "answer-gone",
            Self::BrokenOff => "broken-off",
        }
    }

    /// What it says of the execution.
    #[must_use]
    pub fn executed(self) -> Executed {
        match self {
            Self::NoResponders
            | Self::NotHere
            | Self::Draining
            | Self::Busy
            | Self::DeadlinePassed
            | Self::Refused
            | Self::NotLinked => Executed::No,
            Self::Silence | Self::ConnectionLost | Self::Reset => Executed::Unknown,
            Self::Answer | Self::Failed | Self::AnswerGone | Self::BrokenOff => Executed::Yes,
        }
    }

    /// Whether it speaks against the host: such outcomes eject. A host that answers anything at all is alive.
    #[must_use]
    pub fn is_fault_of_host(self) -> bool {
        matches!(self, Self::NoResponders | Self::Silence | Self::ConnectionLost)
    }
}

/// What another attempt would need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chances {
    /// A replica is left that was not tried.
    pub replica: bool,
    /// The retry budget allows one more.
    pub budget: bool,
    /// The deadline has not passed.
    pub time: bool,
    /// The request's body can be sent from its beginning: nothing of a stream was taken yet.
    pub body: bool,
}

impl Chances {
    fn all(self) -> bool {
        self.replica && self.budget && self.time && self.body
    }
}

/// What the caller does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Try the next replica.
    Next,
    /// Report why it was not executed.
    Report,
    /// Report that nobody knows whether it was executed.
    ReportUnknown,
    /// Hand the answer, or the guest's error, to whoever asked.
    Return,
    /// Break the client's body visibly.
    Break,
}

/// The routing table.
#[must_use]
pub fn decide(outcome: Outcome, safety: Safety, chances: Chances) -> Decision {
    match outcome {
        // Not linked: that host may be a commit behind, or ahead, and the next one not.
        Outcome::NoResponders | Outcome::NotHere | Outcome::Draining | Outcome::Busy | Outcome::NotLinked => {
            if chances.all() {
                Decision::Next
            } else {
                Decision::Report
            }
        }
        Outcome::DeadlinePassed | Outcome::Refused => Decision::Report,
        Outcome::Silence | Outcome::ConnectionLost | Outcome::Reset => {
            if safety == Safety::Read && chances.all() { Decision::Next } else { Decision::ReportUnknown }
        }
        Outcome::Answer | Outcome::Failed | Outcome::AnswerGone => Decision::Return,
        Outcome::BrokenOff => Decision::Break,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Chances = Chances { replica: true, budget: true, time: true, body: true };

    #[test]
    fn the_table_row_by_row() {
        use Decision::{Break, Next, Report, ReportUnknown, Return};
        use Outcome as O;
        // outcome, executed, read, anything else, and both without a chance for another attempt
        let table = [
            (O::NoResponders, Executed::No, Next, Next, Report),
            (O::NotHere, Executed::No, Next, Next, Report),
            (O::Draining, Executed::No, Next, Next, Report),
            (O::Busy, Executed::No, Next, Next, Report),
            (O::DeadlinePassed, Executed::No, Report, Report, Report),
            (O::Refused, Executed::No, Report, Report, Report),
            (O::NotLinked, Executed::No, Next, Next, Report),
            (O::Silence, Executed::Unknown, Next, ReportUnknown, ReportUnknown),
            (O::ConnectionLost, Executed::Unknown, Next, ReportUnknown, ReportUnknown),
            (O::Reset, Executed::Unknown, Next, ReportUnknown, ReportUnknown),
            (O::Answer, Executed::Yes, Return, Return, Return),
            (O::Failed, Executed::Yes, Return, Return, Return),
            (O::AnswerGone, Executed::Yes, Return, Return, Return),
            (O::BrokenOff, Executed::Yes, Break, Break, Break),
        ];
        assert_eq!(table.map(|row| row.0), Outcome::ALL);
        let lacking = [
            Chances { replica: false, ..ALL },
            Chances { budget: false, ..ALL },
            Chances { time: false, ..ALL },
            Chances { body: false, ..ALL },
        ];
        for (outcome, executed, read, write, without) in table {
            assert_eq!(outcome.executed(), executed, "{outcome:?}");
            assert_eq!(decide(outcome, Safety::Read, ALL), read, "{outcome:?} read");
            assert_eq!(decide(outcome, Safety::Write, ALL), write, "{outcome:?} write");
            for chances in lacking {
                assert_eq!(decide(outcome, Safety::Read, chances), without, "{outcome:?} {chances:?}");
                assert_eq!(decide(outcome, Safety::Write, chances), without, "{outcome:?} {chances:?}");
            }
        }
    }

    #[test]
    fn a_write_of_unknown_outcome_is_never_sent_again() {
        for outcome in Outcome::ALL {
            if outcome.executed() != Executed::No {
                assert_ne!(decide(outcome, Safety::Write, ALL), Decision::Next, "{outcome:?}");
            }
        }
    }
}
