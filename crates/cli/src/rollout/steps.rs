//! From events to lines: what each host did with a component, one line when a step is done. Pure.

use std::collections::BTreeMap;

use dunlin_host::events::{Event, What};

/// Steps that are under way.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// By host and component: what is told once the step is done.
    open: BTreeMap<(String, String), Open>,
    /// By host and component: the identity of the last update that was begun.
    tried: BTreeMap<(String, String), String>,
    /// By component and reason: the host whose failure told it.
    reasons: BTreeMap<(String, String), String>,
}

/// So many reasons are remembered; more are told anew.
const REASONS: usize = 100;

#[derive(Debug, Default)]
struct Open {
    phrases: Vec<String>,
    leaves: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) mark: Mark,
    pub(super) text: String,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    Bad,
    /// Neither.
    Plain,
}

impl Steps {
    /// Takes an event in; gives the line of a step that it ends. `several` if lines should name the component.
    pub(super) fn take(&mut self, event: &Event, several: bool) -> Option<Line> {
        let key = (event.host.clone(), event.component.clone());
        let words = self.told_once(event).to_string();
        let open = self.open.entry(key.clone()).or_default();
        let mark = match &event.what {
            What::Starting | What::UpdateBegun => {
                *open = Open::default();
                self.tried.insert(key, event.identity.clone());
                return None;
            }
            What::Compiled { .. } => {
                open.phrases.push(words);
                return None;
            }
            What::Leaving { .. } => {
                *open = Open { phrases: vec![words], leaves: true };
                return None;
            }
            What::Ready { .. } => {
                open.phrases.push("ready".to_owned());
                Mark::Good
            }
            What::Updated { .. } => {
                open.phrases.push("updated".to_owned());
                Mark::Good
            }
            What::Stopped { .. } => {
                let before = match self.tried.get(&key) {
                    _ if open.leaves => "",
                    Some(tried) if *tried == event.identity => "what was tried ",
                    _ => "the old one ",
                };
                open.phrases.push(format!("{before}{words}"));
                Mark::Good
            }
            What::Unready | What::Failed { .. } | What::UpdateFailed { .. } | What::Held { .. } => {
                open.phrases.push(words);
                Mark::Bad
            }
            What::GivenUp | What::UpdateGivenUp => {
                open.phrases.push(words);
                Mark::Plain
            }
            // What is waited for is told as that; what a revision changes, in the first line.
            What::Revision { .. } | What::Condition { .. } | What::ConditionOver { .. } => return None,
        };
        let Open { phrases, leaves } = self.open.remove(&key)?;
        let name = event.host.rsplit_once('/').map_or(event.host.as_str(), |(_, name)| name);
        let of = if several { format!("{name} {}", event.component) } else { name.to_owned() };
        Some(Line { mark, text: format!("{of} {}", phrases.join(if leaves { "; " } else { ", " })) })
    }

    /// What happened; a reason that was told already is not told again.
    fn told_once(&mut self, event: &Event) -> What {
        let mut what = event.what.clone();
        let (What::Failed { reason, .. } | What::UpdateFailed { reason, .. }) = &mut what else {
            return what;
        };
        let key = (event.component.clone(), reason.clone());
        match self.reasons.get(&key) {
            Some(host) if *host == event.host => *reason = "as before".to_owned(),
            Some(host) => {
                *reason = format!("as on {}", host.rsplit_once('/').map_or(host.as_str(), |(_, it)| it))
            }
            None if self.reasons.len() < REASONS => {
                self.reasons.insert(key, event.host.clone());
            }
            None => {}
        }
        what
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_line_for_each_step() {
        let of = |identity: &str, host: &str, what| Event {
            number: 0,
            time: 0,
            host: host.into(),
            component: "todo".into(),
            revision: "dir-2".into(),
            identity: identity.into(),
            what,
        };
        let event = |host: &str, what: What| {
            let identity = if matches!(what, What::Stopped { .. }) { "old" } else { "new" };
            of(identity, host, what)
        };
        let compiled = || What::Compiled { took: 41, from: "compiler".into() };
        let promised = vec!["aws/aws-1".to_owned(), "aws/aws-2".to_owned()];
        let failed = What::Failed { everywhere: false, reason: "no secret".into(), attempts: 1 };
        let waits = What::Condition {
            kind: "WaitsForPromises".into(),
            message: "waits for 1 more promise of 2".into(),
        };
        let events = [
            event("aws/aws-1", What::Starting),
            event("gcp/gcp-1", waits),
            event("aws/aws-2", What::Starting),
            event("aws/aws-1", compiled()),
            event("aws/aws-2", failed),
            event("aws/aws-1", What::Ready { after: 60 }),
            event("aws/aws-2", What::Starting),
            event("aws/aws-2", What::Compiled { took: 0, from: "memory".into() }),
            event("aws/aws-2", What::Ready { after: 60 }),
            event("gcp/gcp-1", What::Leaving { promised, draining: false, deleted: false }),
            event("gcp/gcp-1", What::Stopped { finished: 12, cut: 0 }),
            event("gcp/gcp-2", What::UpdateBegun),
            event("gcp/gcp-2", compiled()),
            event("gcp/gcp-2", What::Updated { after: 100 }),
            event("gcp/gcp-2", What::Stopped { finished: 1, cut: 0 }),
            event("gcp/gcp-3", What::GivenUp),
            of("new", "gcp/gcp-4", What::UpdateBegun),
            of("new", "gcp/gcp-4", What::Stopped { finished: 10, cut: 0 }),
        ];
        let mut steps = Steps::default();
        let lines: Vec<_> = events.iter().filter_map(|event| steps.take(event, false)).collect();
        let text: Vec<_> = lines.iter().map(|line| format!("{:?} {}", line.mark, line.text)).collect();
        expect![[r#"
            Bad aws-2 failed: no secret
            Good aws-1 compiled (41 ms), ready
            Good aws-2 compiled before, ready
            Good gcp-1 asked to leave: aws-1 and aws-2 stay; finished 12 requests, stopped
            Good gcp-2 compiled (41 ms), updated
            Good gcp-2 the old one finished 1 request, stopped
            Plain gcp-3 no longer to be started here
            Good gcp-4 what was tried finished 10 requests, stopped"#]]
        .assert_eq(&text.join("\n"));
    }
    #[test]
    fn a_reason_is_told_once() {
        let failed = |host: &str, reason: &str, attempts| Event {
            number: 0,
            time: 0,
            host: host.into(),
            component: "todo".into(),
            revision: "dir-2".into(),
            identity: String::new(),
            what: What::Failed { everywhere: attempts == 9, reason: reason.into(), attempts },
        };
        let events = [
            failed("aws/aws-1", "no secret", 1),
            failed("aws/aws-2", "no secret", 1),
            failed("aws/aws-1", "no secret", 2),
            failed("aws/aws-2", "no disk", 2),
            failed("gcp/gcp-1", "no secret", 9),
        ];
        let mut steps = Steps::default();
        let lines: Vec<_> = events.iter().filter_map(|event| steps.take(event, false)).collect();
        let text: Vec<_> = lines.into_iter().map(|line| line.text).collect();
        expect![[r#"
            aws-1 failed: no secret
            aws-2 failed: as on aws-1
            aws-1 failed 2 times: as before
            aws-2 failed 2 times: no disk
            gcp-1 failed (as it would anywhere) 9 times: as on aws-1"#]]
        .assert_eq(&text.join("\n"));
    }
}
