//! Events in words for people.

use std::fmt;

use super::What;

impl fmt::Display for What {
    /// The event without host and component: `compiled (41 ms)`, `asked to leave: aws-1 and aws-2 stay`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision { changes } if changes.is_empty() => {
                f.write_str("a revision that changes nothing")
            }
            Self::Revision { changes } => f.write_str(&changes.join("; ")),
            Self::Held { reason } => write!(f, "held back: {reason}"),
            Self::Starting => f.write_str("starts"),
            Self::Compiled { took, from } if from == "compiler" => write!(f, "compiled ({took} ms)"),
            Self::Compiled { from, .. } if from == "cache" => f.write_str("compiled before (from the cache)"),
            Self::Compiled { .. } => f.write_str("compiled before"),
            Self::Ready { after } => write!(f, "ready after {}", in_words(*after)),
            Self::Unready => f.write_str("not ready any more"),
            Self::Failed { everywhere, reason, attempts } => {
                failed(f, "failed", *everywhere, reason, *attempts)
            }
            Self::GivenUp => f.write_str("no longer to be started here"),
            Self::UpdateBegun => f.write_str("update begun"),
            Self::Updated { after } => write!(f, "updated after {}", in_words(*after)),
            Self::UpdateFailed { everywhere, reason, attempts } => {
                failed(f, "update failed", *everywhere, reason, *attempts)
            }
            Self::UpdateGivenUp => f.write_str("update taken back"),
            Self::Leaving { promised, draining, deleted } => leaving(f, promised, *draining, *deleted),
            Self::Stopped { finished, cut } => stopped(f, *finished, *cut),
            Self::Condition { kind, message } => write!(f, "{kind}: {message}"),
            Self::ConditionOver { kind } => write!(f, "{kind} is over"),
        }
    }
}

fn failed(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    everywhere: bool,
    reason: &str,
    attempts: u32,
) -> fmt::Result {
    let reach = if everywhere { " (as it would anywhere)" } else { "" };
    match attempts {
        0 | 1 => write!(f, "{what}{reach}: {reason}"),
        more => write!(f, "{what}{reach} {more} times: {reason}"),
    }
}

fn leaving(f: &mut fmt::Formatter<'_>, promised: &[String], draining: bool, deleted: bool) -> fmt::Result {
    // Sites say nothing that the names of hosts do not say.
    let hosts: Vec<_> =
        promised.iter().map(|host| host.rsplit_once('/').map_or(host.as_str(), |(_, name)| name)).collect();
    match hosts.as_slice() {
        _ if deleted => f.write_str("leaves: Git does not have it any more"),
        [] if draining => f.write_str("leaves: its host drains"),
        [] => f.write_str("leaves: no replica is asked for"),
        [one] => write!(f, "asked to leave: {one} stays"),
        [some @ .., last] => write!(f, "asked to leave: {} and {last} stay", some.join(", ")),
    }
}

fn stopped(f: &mut fmt::Formatter<'_>, finished: u64, cut: u64) -> fmt::Result {
    match finished {
        0 => {}
        1 => f.write_str("finished 1 request, ")?,
        more => write!(f, "finished {more} requests, ")?,
    }
    f.write_str("stopped")?;
    match cut {
        0 => Ok(()),
        1 => f.write_str(" (1 request took too long and was broken off)"),
        more => write!(f, " ({more} requests took too long and were broken off)"),
    }
}

/// `41 ms`, `1.3 s`, `12 s`, `3 min`, `2 h`: as exact as anybody wants to know.
#[must_use]
pub fn in_words(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..10_000 => format!("{}.{} s", milliseconds / 1000, milliseconds / 100 % 10),
        10_000..120_000 => format!("{} s", milliseconds / 1000),
        120_000..7_200_000 => format!("{} min", milliseconds / 60_000),
        7_200_000..172_800_000 => format!("{} h", milliseconds / 3_600_000),
        _ => format!("{} days", milliseconds / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn events_in_words() {
        let hosts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let leaving =
            |names: &[&str], draining, deleted| What::Leaving { promised: hosts(names), draining, deleted };
        let all = [
            What::Revision { changes: hosts(&["todo: move from gcp to aws", "redis: new"]) },
            What::Revision { changes: vec![] },
            What::Held { reason: "todo.yaml:7:11: unknown site \"gpc\"".into() },
            What::Compiled { took: 41, from: "compiler".into() },
            What::Compiled { took: 1, from: "cache".into() },
            What::Ready { after: 1340 },
            What::Failed { everywhere: true, reason: "not WebAssembly".into(), attempts: 1 },
            What::UpdateFailed { everywhere: false, reason: "no secret".into(), attempts: 3 },
            leaving(&["aws/aws-1"], false, false),
            leaving(&["aws/aws-1", "aws/aws-2", "edge/e-1"], true, false),
            leaving(&[], true, false),
            leaving(&[], false, true),
            leaving(&[], false, false),
            What::Stopped { finished: 12, cut: 0 },
            What::Stopped { finished: 0, cut: 2 },
            What::Condition { kind: "Shortage".into(), message: "1 of 2 in gcp: one live host".into() },
        ];
        let text: Vec<_> = all.iter().map(ToString::to_string).collect();
        expect![[r#"
            todo: move from gcp to aws; redis: new
            a revision that changes nothing
            held back: todo.yaml:7:11: unknown site "gpc"
            compiled (41 ms)
            compiled before (from the cache)
            ready after 1.3 s
            failed (as it would anywhere): not WebAssembly
            update failed 3 times: no secret
            asked to leave: aws-1 stays
            asked to leave: aws-1, aws-2 and e-1 stay
            leaves: its host drains
            leaves: Git does not have it any more
            leaves: no replica is asked for
            finished 12 requests, stopped
            stopped (2 requests took too long and were broken off)
            Shortage: 1 of 2 in gcp: one live host"#]]
        .assert_eq(&text.join("\n"));
        let times = [0, 999, 1000, 9999, 10_000, 119_999, 120_000, 7_200_000, 200_000_000].map(in_words);
        assert_eq!(times, ["0 ms", "999 ms", "1.0 s", "9.9 s", "10 s", "119 s", "2 min", "2 h", "2 days"]);
    }
}
