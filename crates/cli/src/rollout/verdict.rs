//! Whether everything is as a revision says, by what all hosts say. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_host::history::{Change, ChangeKind, Outcome, Revision};
use dunlin_host::status::{ComponentStatus, Condition, HostStatus, Kstatus, Truth, Wait};
use dunlin_manifest::short_revision;

use super::look::{Look, is};
use crate::ask;

/// What was before a revision came, or came again, may be told for so long after.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Settled,
    Waits(Vec<Wait>),
    Stalled(String),
    /// A component that there is not, and what there is.
    Unknown(String),
}

/// Judges. Without components, those count that the revision changes.
pub(super) fn judge(looks: &[Look], revision: &str, components: &[String], waited: Duration) -> Verdict {
    let wait = |of: &str, kind: &str, what: String| Wait {
        of: of.to_owned(),
        kind: kind.to_owned(),
        what,
        since: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
    };
    if looks.is_empty() {
        return Verdict::Waits(vec![wait("no host", "Silent", "answers".to_owned())]);
    }
    let all = components.is_empty();
    let (components, mut waits) = (named(looks, revision, components), Vec::new());
    for look in looks {
        let there = is(&look.status.revision, revision);
        // Whoever names components asks how these do.
        let held =
            if there { look.revision(revision).and_then(|known| known.held.clone()) } else { held(look) };
        if let Some(why) = held.filter(|_| all && (there || waited >= PATIENCE)) {
            return Verdict::Stalled(why);
        }
        if !there {
            if let Some(newer) = superseded(look, revision).filter(|_| waited >= PATIENCE) {
                let why = format!("{} took its place at {}", short_revision(newer), look.host);
                return Verdict::Stalled(why);
            }
            let what = format!("still follows {}", short_revision(&look.status.revision));
            waits.push(wait(&look.host, "Following", what));
        }
        for name in &components {
            // Whether what was ready there still is, nobody can tell.
            waits.extend(
                silent(look, name).map(|host| wait(&host, "Silent", format!("runs {name} and is not heard"))),
            );
            let Some(component) = look.status.components.get(name) else {
                waits.extend(
                    still_at(look, name).map(|host| wait(&host, "Deleted", format!("still runs {name}"))),
                );
                continue;
            };
            let stalled =
                component.conditions.iter().find(|it| it.kind == "Stalled" && it.status == Truth::True);
            match (component.result, stalled) {
                (Kstatus::Failed, Some(stalled))
                    if there || (stalled.reason == "HeldBack" && waited >= PATIENCE) =>
                {
                    return Verdict::Stalled(format!("{name}: {}", stalled.message));
                }
                (Kstatus::InProgress, _) if there && is_suspended(component) => {
                    let why =
                        format!("{name} is suspended: `suspend: true` starts nothing and stops nothing");
                    return Verdict::Stalled(why);
                }
                (Kstatus::InProgress, _) if there && component.waits.is_empty() => {
                    let ready = component.conditions.iter().find(|it| it.kind == "Ready");
                    let what = ready.map_or("is not as asked", |ready| ready.message.as_str());
                    waits.push(wait(name, "Ready", what.to_owned()));
                }
                (Kstatus::InProgress, _) if there => waits.extend(component.waits.iter().cloned()),
                _ => {}
            }
        }
    }
    // Several hosts mostly say the same; who is waited for knows best.
    let mut seen = BTreeSet::new();
    waits.retain(|wait| seen.insert((wait.of.clone(), wait.kind.clone())));
    if !waits.is_empty() {
        return Verdict::Waits(waits);
    }
    unknown(looks, revision, &components).map_or(Verdict::Settled, Verdict::Unknown)
}

/// Why the host takes nothing of what its source says now.
fn held(look: &Look) -> Option<String> {
    let holds = |condition: &&Condition| condition.object.is_empty() && condition.reason.starts_with("Held");
    look.status.conditions.iter().find(holds).map(|condition| condition.message.clone())
}

/// Whether it lacks replicas that nobody starts because it is suspended.
fn is_suspended(component: &ComponentStatus) -> bool {
    component.conditions.iter().any(|it| it.kind == "Ready" && it.reason == "Suspended")
}

/// A component that nobody knows, and that the revision did not remove either.
fn unknown(looks: &[Look], revision: &str, components: &[String]) -> Option<String> {
    let removed = changes(looks, revision);
    let known: BTreeSet<&str> =
        looks.iter().flat_map(|look| look.status.components.keys()).map(String::as_str).collect();
    let is_removed =
        |name: &String| removed.iter().any(|change| change.object == format!("component/{name}"));
    let unknown = components.iter().find(|name| !known.contains(name.as_str()) && !is_removed(name))?;
    Some(ask::unknown(unknown, short_revision(revision), &known))
}

/// The components that count.
pub(super) fn named(looks: &[Look], revision: &str, components: &[String]) -> Vec<String> {
    if !components.is_empty() {
        return components.to_vec();
    }
    let changes = changes(looks, revision);
    let changed: BTreeSet<String> = changes
        .iter()
        .filter_map(|change| change.object.strip_prefix("component/"))
        .map(str::to_owned)
        .collect();
    changed.into_iter().collect()
}

/// What a revision changes, by the host that knows most of it.
pub(super) fn changes(looks: &[Look], revision: &str) -> Vec<Change> {
    let known = looks.iter().filter_map(|look| look.revision(revision));
    known.map(|known| known.changes.clone()).max_by_key(Vec::len).unwrap_or_default()
}

/// What the host follows instead of a revision that it followed before.
fn superseded<'a>(look: &'a Look, revision: &str) -> Option<&'a str> {
    let newest = look.revisions.first()?;
    let before = look.revisions.iter().skip(1).any(|known| is(&known.id, revision));
    (before && !is(&newest.id, revision)).then_some(newest.id.as_str())
}

/// Hosts with a slot of a component that Git does not have any more.
fn still_at(look: &Look, component: &str) -> impl Iterator<Item = String> {
    slots(look, component).map(|(name, _)| name)
}

/// Hosts with a slot of a component, by name.
fn slots<'a>(look: &'a Look, component: &str) -> impl Iterator<Item = (String, &'a HostStatus)> {
    let sites = look.status.sites.iter().flat_map(|(site, status)| {
        status.hosts.iter().map(move |(host, status)| (format!("{site}/{host}"), status))
    });
    sites.filter(move |(_, host)| host.slots.contains_key(component))
}

/// Hosts with a slot of a component that the looking host does not hear.
fn silent(look: &Look, component: &str) -> impl Iterator<Item = String> {
    slots(look, component).filter(|(_, host)| host.state == "silent").map(|(name, _)| name)
}

/// Whether every host that follows the revision has noted how it went.
pub(super) fn all_noted(looks: &[Look], revision: &str) -> bool {
    let noted = |known: &Revision| !matches!(known.outcome, Outcome::InProgress { .. });
    looks.iter().filter_map(|look| look.revision(revision)).all(noted)
}

/// What there is to say in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) revision: String,
    /// `moved`, `updated`, …
    pub(super) word: &'static str,
    /// Milliseconds, of the slowest host.
    pub(super) took: u64,
    pub(super) requests: u64,
    pub(super) failures: u64,
}

impl Summary {
    /// Over all hosts.
    pub(super) fn of(looks: &[Look], revision: &str, components: &[String]) -> Self {
        let known: Vec<_> = looks.iter().filter_map(|look| look.revision(revision)).collect();
        let counts = named(looks, revision, components);
        let of = |change: &Change| {
            change.object.strip_prefix("component/").is_some_and(|name| counts.iter().any(|it| it == name))
        };
        let kinds: Vec<_> =
            changes(looks, revision).into_iter().filter(of).map(|change| change.kind).collect();
        let word = [
            (ChangeKind::Moved, "moved"),
            (ChangeKind::Updated, "updated"),
            (ChangeKind::Added, "started"),
            (ChangeKind::Removed, "removed"),
        ];
        let word =
            word.into_iter().find(|(kind, _)| kinds.contains(kind)).map_or("settled", |(_, word)| word);
        Self {
            revision: known.first().map_or(revision, |known| known.id.as_str()).to_owned(),
            word,
            took: known.iter().map(|known| known.took).max().unwrap_or(0),
            requests: known.iter().map(|known| known.requests).sum(),
            failures: known.iter().map(|known| known.failures).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use dunlin_host::status::{ComponentCondition, SiteStatus};
    use expect_test::{Expect, expect};

    use super::*;

    fn known(id: &str, outcome: Outcome) -> Revision {
        let change = |object: &str, kind| Change { object: object.into(), kind, fields: vec![] };
        Revision {
            id: id.into(),
            commit: None,
            applied: 0,
            changes: vec![
                change("component/todo", ChangeKind::Moved),
                change("provider/redis", ChangeKind::Changed),
            ],
            held: None,
            outcome,
            took: 1300,
            requests: 9102,
            failures: 0,
        }
    }

    fn look(host: &str, revision: &str, result: Kstatus, waits: &[(&str, &str)]) -> Look {
        let waits = waits.iter().map(|(of, what)| Wait {
            of: (*of).into(),
            kind: "Starting".into(),
            what: (*what).into(),
            since: 3000,
        });
        let stalled = ComponentCondition {
            kind: "Stalled".into(),
            status: if result == Kstatus::Failed { Truth::True } else { Truth::False },
            reason: "FailsAgain".into(),
            message: "aws/aws-1 failed 3 times: no secret".into(),
            age: 0,
            last_transition: 0,
            observed_revision: revision.into(),
            identity: String::new(),
        };
        let todo = ComponentStatus {
            result,
            conditions: vec![stalled],
            waits: waits.collect(),
            ..Default::default()
        };
        let mut look =
            Look { host: host.into(), revisions: vec![known(revision, Outcome::Settled)], ..Look::default() };
        look.status.revision = revision.into();
        look.status.components.insert("todo".into(), todo);
        look
    }

    fn check(looks: &[Look], components: &[&str], waited: u64, expected: Expect) {
        let components: Vec<_> = components.iter().map(|name| (*name).to_owned()).collect();
        let told = match judge(looks, "dir-2", &components, Duration::from_secs(waited)) {
            Verdict::Settled => "settled".to_owned(),
            Verdict::Stalled(why) => format!("stalled: {why}"),
            Verdict::Unknown(why) => format!("unknown: {why}"),
            Verdict::Waits(waits) => waits.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn every_host_has_to_be_there() {
        let current = |host| look(host, "dir-2", Kstatus::Current, &[]);
        check(&[], &[], 1, expect!["no host answers since 1 s"]);
        check(&[current("gcp/gcp-1"), current("aws/aws-1")], &[], 1, expect!["settled"]);
        let behind = look("aws/aws-1", "dir-1", Kstatus::Current, &[]);
        check(&[current("gcp/gcp-1"), behind], &[], 1, expect!["aws-1 still follows dir-1 since 1 s"]);
        let waits = |host| look(host, "dir-2", Kstatus::InProgress, &[("aws/aws-1", "starts")]);
        check(&[waits("gcp/gcp-1"), waits("aws/aws-1")], &[], 1, expect!["aws-1 starts since 3 s"]);
        check(
            &[waits("gcp/gcp-1")],
            &["front"],
            1,
            expect![[r#"unknown: no component "front" in dir-2; there is todo"#]],
        );
        check(
            &[current("gcp/gcp-1")],
            &["todo", "front"],
            1,
            expect![[r#"unknown: no component "front" in dir-2; there is todo"#]],
        );
        let failed = look("gcp/gcp-1", "dir-2", Kstatus::Failed, &[]);
        check(&[failed], &["todo"], 1, expect!["stalled: todo: aws/aws-1 failed 3 times: no secret"]);
        let past = look("gcp/gcp-1", "dir-1", Kstatus::Failed, &[]);
        check(&[past], &["todo"], 9, expect!["gcp-1 still follows dir-1 since 9 s"]);
        let mut replaced = look("gcp/gcp-1", "dir-3", Kstatus::Current, &[]);
        replaced.revisions.push(known("dir-2", Outcome::Superseded));
        check(std::slice::from_ref(&replaced), &["todo"], 1, expect!["gcp-1 still follows dir-3 since 1 s"]);
        check(&[replaced], &["todo"], 3, expect!["stalled: dir-3 took its place at gcp/gcp-1"]);
        let mut unheard = current("gcp/gcp-1");
        let host = HostStatus {
            state: "silent".into(),
            slots: [("todo".to_owned(), Default::default())].into(),
            ..HostStatus::default()
        };
        unheard.status.sites.insert("aws".into(), SiteStatus { hosts: [("aws-1".to_owned(), host)].into() });
        check(&[unheard], &[], 1, expect!["aws-1 runs todo and is not heard since 1 s"]);
        let mut deleted = current("gcp/gcp-1");
        deleted.status.components.clear();
        let host =
            HostStatus { slots: [("todo".to_owned(), Default::default())].into(), ..HostStatus::default() };
        deleted.status.sites.insert("aws".into(), SiteStatus { hosts: [("aws-1".to_owned(), host)].into() });
        check(&[deleted], &[], 1, expect!["aws-1 still runs todo since 1 s"]);
    }

    #[test]
    fn what_is_held_or_suspended_does_not_settle() {
        let mut mistaken = look("gcp/gcp-1", "dir-2", Kstatus::Current, &[]);
        mistaken.revisions[0].held = Some("app.yaml:7:11: unknown site \"gpc\"".into());
        check(
            std::slice::from_ref(&mistaken),
            &[],
            1,
            expect![[r#"stalled: app.yaml:7:11: unknown site "gpc""#]],
        );
        check(&[mistaken], &["todo"], 1, expect!["settled"]);
        let mut behind = look("gcp/gcp-1", "dir-1", Kstatus::Current, &[]);
        let (object, reason) = (String::new(), "HeldEmpty".to_owned());
        behind.status.conditions.push(Condition { object, reason, message: "no component is left".into() });
        check(std::slice::from_ref(&behind), &[], 1, expect!["gcp-1 still follows dir-1 since 1 s"]);
        check(&[behind], &[], 3, expect!["stalled: no component is left"]);
        let mut suspended = look("gcp/gcp-1", "dir-2", Kstatus::InProgress, &[("aws", "starts nothing")]);
        let todo = suspended.status.components.get_mut("todo").unwrap();
        let ready = ComponentCondition {
            kind: "Ready".into(),
            reason: "Suspended".into(),
            ..todo.conditions[0].clone()
        };
        todo.conditions.push(ready);
        check(
            &[suspended],
            &[],
            1,
            expect!["stalled: todo is suspended: `suspend: true` starts nothing and stops nothing"],
        );
    }

    #[test]
    fn the_slowest_host_and_the_sum_of_requests() {
        let looks = [
            look("gcp/gcp-1", "dir-2", Kstatus::Current, &[]),
            look("aws/aws-1", "dir-2", Kstatus::Current, &[]),
        ];
        let summary = Summary::of(&looks, "dir-2", &[]);
        let expected =
            Summary { revision: "dir-2".into(), word: "moved", took: 1300, requests: 18_204, failures: 0 };
        assert_eq!(summary, expected);
        assert!(all_noted(&looks, "dir-2"));
        assert!(
            is("3f2a91c0000000000000000000000000000000ab", "3f2a91c") && !is("dir-123456789", "dir-1234")
        );
    }
}
