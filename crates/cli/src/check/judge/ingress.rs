//! Whether every site answers for every route, in time.

use std::time::Duration;

use super::Finding;
use crate::check::facts::{Facts, RouteAnswer, RouteFacts, Setting, Trouble};

/// Users notice more than this.
const SLOW: Duration = Duration::from_secs(1);

/// One line for each site and route.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let known = facts
        .answers()
        .flat_map(|answer| answer.status.components.values())
        .any(|component| !component.routes.is_empty());
    facts.routes.iter().map(|route| one(facts.setting, known, route)).collect()
}

fn one(setting: Setting, known: bool, route: &RouteFacts) -> Finding {
    let what = format!("ingress {} {}", route.site, route.route);
    let answer = match &route.answer {
        Ok(answer) => answer,
        Err(trouble) => {
            let found = format!("{} {trouble}", route.address);
            return Finding::bad(what, found).mend(unanswered(setting, &route.site, trouble));
        }
    };
    let RouteAnswer { status, served_by, took, text } = answer;
    let milliseconds = took.as_millis();
    let said = if text.is_empty() { String::new() } else { format!(": {text}") };
    match (status, served_by) {
        (500.., Some(host)) => Finding::bad(what, format!("{status} from {host} after {milliseconds} ms"))
            .mend("the component answers so itself: dunlin logs"),
        (503, None) => Finding::bad(what, format!("503{said}")).mend("nothing is ready to answer: dunlin status"),
        (500.., None) => Finding::bad(what, format!("{status} after {milliseconds} ms{said}")).mend("dunlin logs"),
        // Without any host's word for it, `/` was a guess.
        (404, None) if !known => Finding::note(what, format!("404 after {milliseconds} ms: no component has this route")),
        (404, None) => Finding::warning(what, format!("404{said}"))
            .mend("the address leads to something else than this lattice's hosts, or they have not read the manifest yet"),
        (_, served_by) => {
            let by = served_by.as_ref().map(|host| format!(" from {host}")).unwrap_or_default();
            let found = format!("{status}{by} in {milliseconds} ms");
            if *took > SLOW {
                Finding::warning(what, found).mend("see where the time goes: dunlin calls -f")
            } else {
                Finding::good(what, found)
            }
        }
    }
}

fn unanswered(setting: Setting, site: &str, trouble: &Trouble) -> String {
    match (setting, trouble) {
        (Setting::Deployed, Trouble::Closed) => {
            "the address stands, and no host behind it is ready: see the hosts above".to_owned()
        }
        (Setting::Deployed, Trouble::Silent(_)) => {
            "see whether the component or its store hangs: dunlin logs".to_owned()
        }
        (Setting::Deployed, _) => {
            "correct the address, or see to the load balancer in front of the site".to_owned()
        }
        (_, Trouble::Closed) => format!("no host of {site} is ready: dunlin revive {site}"),
        _ => "see whether the component or its store hangs: dunlin logs".to_owned(),
    }
}
