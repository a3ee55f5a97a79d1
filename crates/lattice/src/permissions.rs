//! What each kind of user may say and hear on the bus: the least that the wire needs.
//!
//! A bus that enforces this makes a subject's sender trustworthy: a host can speak only as itself, and all hosts of
//! a site together only as their site. Replies are the exception, because their subject names whom they are for; a
//! call's id in it is 128 random bits, which nobody knows but the two hosts.

use dunlin_manifest::{HostId, is_dns_label};

use crate::subjects::{Announcement, Subjects};

/// Patterns of subjects; everything else is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Where messages may be published.
    pub publish: Vec<String>,
    /// What may be subscribed to.
    pub subscribe: Vec<String>,
}

/// Where a host asks its own server how it is linked. The server answers for the account of whoever asks, and passes the
/// question on to nobody.
pub const SERVER_LINKS: &str = "$SYS.REQ.ACCOUNT.PING.STATZ";

const ANNOUNCEMENTS: [Announcement; 3] = [Announcement::Beat, Announcement::State, Announcement::Goodbye];

impl Permissions {
    /// Of one host: announces only itself, is called only as itself, calls only in its own name. It may look on like a
    /// viewer, whom it tells what it hears.
    #[must_use]
    pub fn host(subjects: &Subjects, id: &HostId) -> Self {
        let lattice = subjects.lattice();
        let me = format!("{}.{}", id.site, id.host);
        let mut publish: Vec<String> = ANNOUNCEMENTS.map(|kind| subjects.announcement(kind, id)).into();
        publish.extend([
            format!("{lattice}.presence.ask.*.*.{me}"),
            format!("{lattice}.promise.*.*.{me}"),
            format!("{lattice}.call.*.*.{me}.*.*"),
            format!("{lattice}.reply.*.*.*.*"),
            format!("{lattice}.trace.{me}.*"),
            subjects.nudge(id),
            // Looks on in the name of whoever reads its admin port.
            subjects.watch(&id.host),
            SERVER_LINKS.to_owned(),
        ]);
        let subscribe = vec![
            subjects.announcements(),
            subjects.state_asks_to(id),
            subjects.promises_to(id),
            subjects.calls_to(id),
            format!("{lattice}.reply.{me}.*.*"),
            subjects.watches(),
            subjects.traces(),
            subjects.nudges(),
        ];
        Self { publish, subscribe }
    }

    /// Of a site's leaf at the hub: whatever its hosts and viewers may, for any of them, and nothing for other sites.
    ///
    /// The hub tells a leaf of a subscription elsewhere (`todo.call.gcp.gcp-1.*.*.*.*`) only if the leaf may publish
    /// to some of it, and without being told the leaf sends nothing and answers "no responders". Of two patterns
    /// that merely overlap, nats-server (2.14) sees that only if what the leaf may publish ends in `>`
    /// (<https://github.com/nats-io/nats-server/issues/4832>). So these do, where a host's end in `*`: that adds
    /// subjects with more tokens, which nobody listens to or would understand.
    #[must_use]
    pub fn site(subjects: &Subjects, site: &str) -> Self {
        let lattice = subjects.lattice();
        let mut publish: Vec<String> =
            ANNOUNCEMENTS.map(|kind| format!("{lattice}.presence.{}.{site}.>", kind.token())).into();
        publish.extend([
            format!("{lattice}.presence.ask.*.*.{site}.>"),
            format!("{lattice}.promise.*.*.{site}.>"),
            format!("{lattice}.call.*.*.{site}.>"),
            format!("{lattice}.reply.*.*.*.*"),
            format!("{lattice}.trace.{site}.>"),
            format!("{lattice}.nudge.{site}.>"),
            subjects.watches(),
        ]);
        let subscribe = vec![
            format!("{lattice}.presence.>"),
            format!("{lattice}.promise.{site}.*.*.*"),
            format!("{lattice}.call.{site}.*.*.*.*.*"),
            format!("{lattice}.reply.{site}.*.*.*"),
            format!("{lattice}.trace.>"),
            format!("{lattice}.nudge.>"),
            subjects.watches(),
        ];
        Self { publish, subscribe }
    }

    /// Of somebody who looks on: sees presence and asks hosts to tell of their calls, but can call nobody. `None` if
    /// the name is not a DNS label.
    #[must_use]
    pub fn viewer(subjects: &Subjects, name: &str) -> Option<Self> {
        let lattice = subjects.lattice();
        is_dns_label(name).then(|| Self {
            publish: vec![subjects.watch(name)],
            subscribe: vec![format!("{lattice}.presence.>"), format!("{lattice}.trace.>")],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects() -> Subjects {
        Subjects::new("todo").unwrap()
    }

    /// Whether a pattern with wildcards covers a subject or a narrower pattern.
    fn covers(pattern: &str, subject: &str) -> bool {
        let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
        loop {
            match (pattern.next(), subject.next()) {
                (Some(">"), Some(_)) | (None, None) => return true,
                (Some("*"), Some(token)) if token != ">" => {}
                (Some(word), Some(token)) if word == token => {}
                _ => return false,
            }
        }
    }

    fn any(patterns: &[String], subject: &str) -> bool {
        patterns.iter().any(|pattern| covers(pattern, subject))
    }

    #[test]
    fn a_host_may_do_what_the_wire_needs_in_its_own_name_only() {
        let (subjects, me, other) = (subjects(), HostId::new("aws", "aws-1"), HostId::new("gcp", "gcp-1"));
        let may = Permissions::host(&subjects, &me);
        for (from, expected) in [(&me, true), (&other, false)] {
            assert_eq!(any(&may.publish, &subjects.call(&other, from, "todo", "a.b/c")), expected);
            assert_eq!(any(&may.publish, &subjects.promise(&other, from)), expected);
            assert_eq!(any(&may.publish, &subjects.state_ask(&other, from)), expected);
            assert_eq!(any(&may.publish, &subjects.announcement(Announcement::Beat, from)), expected);
            assert_eq!(any(&may.publish, &subjects.trace(from, "todo")), expected);
            assert_eq!(any(&may.publish, &subjects.nudge(from)), expected);
        }
        for (to, expected) in [(&me, true), (&other, false)] {
            assert_eq!(any(&may.subscribe, &subjects.calls_to(to)), expected);
            assert_eq!(any(&may.subscribe, &subjects.replies_to(to, "c")), expected);
            assert_eq!(any(&may.subscribe, &subjects.promises_to(to)), expected);
            assert_eq!(any(&may.subscribe, &subjects.state_asks_to(to)), expected);
        }
        assert!(any(&may.publish, &subjects.reply(&other, "c", "1")));
        assert!(any(&may.publish, &subjects.watch("aws-1")) && !any(&may.publish, &subjects.watch("gcp-1")));
        assert!(
            any(&may.subscribe, &subjects.trace(&other, "todo"))
                && any(&may.subscribe, &subjects.watch("me"))
        );
        assert!(!any(&may.subscribe, "todo.>") && !any(&may.publish, "other.call.a.b.aws.aws-1.c.d"));
    }

    #[test]
    fn a_site_may_do_what_its_hosts_may_and_no_other_site_may() {
        let subjects = subjects();
        let site = Permissions::site(&subjects, "aws");
        let own = Permissions::host(&subjects, &HostId::new("aws", "aws-1"));
        let mut said = own.publish.iter().filter(|pattern| *pattern != SERVER_LINKS);
        assert!(said.all(|pattern| any(&site.publish, pattern)), "{own:?}");
        assert!(!any(&site.publish, SERVER_LINKS), "the leaf itself answers");
        assert!(own.subscribe.iter().all(|pattern| any(&site.subscribe, pattern)), "{own:?}");
        let foreign = Permissions::host(&subjects, &HostId::new("gcp", "gcp-1"));
        let shared: Vec<_> = foreign.publish.iter().filter(|pattern| any(&site.publish, pattern)).collect();
        // A viewer's name says nothing of its site; whoever asks in another's name only makes hosts tell.
        assert_eq!(shared, ["todo.reply.*.*.*.*", "todo.watch.gcp-1"]);
        let viewer = Permissions::viewer(&subjects, "me").unwrap();
        assert!(viewer.publish.iter().all(|pattern| any(&site.publish, pattern)));
        assert!(viewer.subscribe.iter().all(|pattern| any(&site.subscribe, pattern)));
    }

    #[test]
    fn a_viewer_calls_nobody() {
        let subjects = subjects();
        let may = Permissions::viewer(&subjects, "me").unwrap();
        assert_eq!(may.publish, ["todo.watch.me"]);
        assert!(!any(&may.subscribe, &subjects.calls_to(&HostId::new("a", "b"))));
        assert!(!any(&may.subscribe, &subjects.nudges()));
        assert_eq!(Permissions::viewer(&subjects, "*"), None);
    }
}
