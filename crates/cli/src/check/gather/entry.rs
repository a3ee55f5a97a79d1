//! What a server is like inside: what it lets us do, and whom one hears there.

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_lattice::Bus;
use dunlin_lattice::nats::{Denied, NatsBus, NatsError};
use dunlin_lattice::permissions::Permissions;
use dunlin_lattice::subjects::{Announcement, Subjects};
use dunlin_manifest::HostId;
use tokio::time::{Instant, timeout, timeout_at};

use crate::check::facts::Entry;
use crate::check::target::Target;

/// Long enough for two beats of every host.
const LISTEN: Duration = Duration::from_millis(2500);
/// How long a connection may take; the bus itself gives up a little earlier, and says why.
const CONNECT: Duration = Duration::from_millis(4500);
/// All of it, whatever happens.
const LIMIT: Duration = Duration::from_secs(9);
/// Nobody's name. Calls to it reach nobody and take nobody's place, also where everybody may do everything.
const NOBODY: &str = "permission-probe";

/// Connects and looks around.
///
/// # Errors
/// In the words of the bus: why it lets us not in, or falls silent.
pub(super) async fn enter(target: &Target, bus: &NatsBus) -> Result<Entry, String> {
    let (may, must_not) = (may(target), must_not(&target.subjects, &target.viewer));
    let all = Permissions {
        publish: [may.publish.as_slice(), &must_not.publish].concat(),
        subscribe: [may.subscribe.as_slice(), &must_not.subscribe].concat(),
    };
    let looking = async { tokio::join!(bus.probe(&all), listen(bus, &target.subjects)) };
    let Ok((denied, heard)) = timeout(LIMIT, looking).await else {
        return Err(format!("no answer within {LIMIT:?}"));
    };
    let denied = denied.map_err(|error| match error {
        // The address is told already.
        NatsError::Unreachable(words) => {
            words.split_once(": ").map_or(words.clone(), |(_, reason)| reason.to_owned())
        }
        error => error.to_string(),
    })?;
    Ok(Entry { heard: heard?, ..sort(&denied, &may, &must_not) })
}

fn may(target: &Target) -> Permissions {
    let viewer = Permissions::viewer(&target.subjects, &target.viewer);
    viewer.unwrap_or(Permissions { publish: Vec::new(), subscribe: Vec::new() })
}

/// What would let a viewer call hosts, or be called in their place.
fn must_not(subjects: &Subjects, viewer: &str) -> Permissions {
    let nobody = HostId::new(NOBODY, NOBODY);
    Permissions {
        publish: vec![subjects.call(&nobody, &HostId::new(NOBODY, viewer), NOBODY, NOBODY)],
        subscribe: vec![subjects.calls_to(&nobody)],
    }
}

fn sort(denied: &[Denied], may: &Permissions, must_not: &Permissions) -> Entry {
    let is_denied = |subject: &String| denied.iter().any(|denied| denied.subject == *subject);
    let publish = must_not.publish.iter().filter(|subject| !is_denied(subject));
    let subscribe = must_not.subscribe.iter().filter(|subject| !is_denied(subject));
    let allowed = publish
        .map(|subject| format!("publish to {subject}"))
        .chain(subscribe.map(|subject| format!("listen to {subject}")));
    let needed =
        |denied: &&Denied| may.publish.contains(&denied.subject) || may.subscribe.contains(&denied.subject);
    Entry {
        allowed: allowed.collect(),
        denied: denied.iter().filter(needed).map(ToString::to_string).collect(),
        heard: BTreeSet::new(),
    }
}

/// The hosts that are heard in a while.
async fn listen(bus: &NatsBus, subjects: &Subjects) -> Result<BTreeSet<HostId>, String> {
    let connection = bus.connect("check").await.map_err(|error| error.to_string())?;
    let mut state = connection.state();
    let connected = timeout(CONNECT, state.wait_for(|state| state.connected)).await;
    if !matches!(connected, Ok(Ok(_))) {
        return Err(bus.trouble().unwrap_or_else(|| format!("no connection within {CONNECT:?}")));
    }
    let listening = connection.subscribe(&subjects.announcements()).await;
    let mut announcements = listening.map_err(|error| error.to_string())?;
    let (until, mut heard) = (Instant::now() + LISTEN, BTreeSet::new());
    while let Ok(Some(message)) = timeout_at(until, announcements.next()).await {
        // A goodbye is heard of somebody, too, but not for long.
        if let Some((kind, host)) = subjects.parse_announcement(&message.subject) {
            match kind {
                Announcement::Goodbye => heard.remove(&host),
                _ => heard.insert(host),
            };
        }
    }
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use dunlin_lattice::nats::Deed;

    use super::*;

    #[test]
    fn what_is_denied_and_what_is_not() {
        let subjects = Subjects::new("todo").unwrap();
        let may = Permissions::viewer(&subjects, "me").unwrap();
        let must_not = must_not(&subjects, "me");
        assert_eq!(
            must_not.publish,
            [
                "todo.call.permission-probe.permission-probe.permission-probe.me.permission-probe.permission-probe"
            ]
        );
        let denied = |what, subject: &str| Denied { what, subject: subject.into(), reason: "no".into() };
        let well =
            [denied(Deed::Publish, &must_not.publish[0]), denied(Deed::Subscribe, &must_not.subscribe[0])];
        let entry = sort(&well, &may, &must_not);
        assert_eq!((entry.allowed.len(), entry.denied.len()), (0, 0));
        let entry = sort(&[denied(Deed::Publish, "todo.watch.me")], &may, &must_not);
        assert_eq!(entry.denied, ["this user may not publish to todo.watch.me: no"]);
        assert_eq!(entry.allowed[1], "listen to todo.call.permission-probe.permission-probe.*.*.*.*");
    }
}
