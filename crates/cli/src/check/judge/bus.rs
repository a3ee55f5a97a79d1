//! What hosts say of their own way to the bus: what a server denies them, and why they have no connection.

use super::Finding;
use crate::check::facts::{Facts, Setting};

/// One line for each host that has trouble with the bus.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let conditions = facts.conditions();
    let troubles = conditions.iter().filter(|condition| condition.reason == "Bus");
    troubles
        .map(|condition| {
            let (host, words) = condition.message.split_once(": ").unwrap_or(("", &condition.message));
            let denied = ["may not", "refuses"].iter().any(|word| words.contains(word));
            let mend = match facts.setting {
                _ if denied => format!("`dunlin credentials host {host} --replace`, give the file to the host, and start it again"),
                Setting::Deployed => "see the line of its site's leaf above; otherwise the host's settings of the bus".to_owned(),
                _ => "see the line of its site's leaf above".to_owned(),
            };
            Finding::bad(format!("bus {host}"), words).mend(mend)
        })
        .collect()
}
