//! Whether the servers enforce who may say what.

use super::Finding;
use crate::check::facts::{Entry, Facts, ServerFacts};

/// One line for each server that could be entered.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let entered =
        facts.servers.iter().filter_map(|server| Some((server, server.entry.as_ref()?.as_ref().ok()?)));
    entered.map(|(server, entry)| one(server, entry)).collect()
}

fn one(server: &ServerFacts, entry: &Entry) -> Finding {
    let what = format!("permissions {}", server.place.name());
    let open = server.look.as_ref().is_ok_and(|look| !look.demands_user);
    if open {
        let found =
            "it does not enforce users: anybody who reaches it may call, and take calls meant for others";
        let mend = "run it with a configuration of `dunlin credentials`, which demands a user of everybody";
        return Finding::bad(what, found).mend(mend);
    }
    if !entry.allowed.is_empty() {
        let found = format!("this user may do what a viewer must not: {}", entry.allowed.join("; "));
        let mend = "check as a viewer (`dunlin credentials viewer NAME`); if these are a viewer's, the server does not \
                    enforce what their token says";
        return Finding::bad(what, found).mend(mend);
    }
    if !entry.denied.is_empty() {
        let found = entry.denied.join("; ");
        return Finding::bad(what, found).mend("check as a viewer: `dunlin credentials viewer NAME`");
    }
    Finding::good(what, "this user may look on, and is denied to call or to take calls")
}
