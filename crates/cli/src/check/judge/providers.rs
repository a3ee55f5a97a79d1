//! Whether each provider is open somewhere, and with the backend that the manifests name.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::check::facts::{Facts, Setting};

/// One line for each provider, and one for each host that cannot open it.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut providers: BTreeMap<&str, (&str, BTreeSet<&str>)> = BTreeMap::new();
    for answer in facts.answers() {
        for (name, provider) in &answer.status.providers {
            // Hosts that do not hear each other know only of some.
            let (backend, open) = providers.entry(name).or_default();
            *backend = &provider.backend;
            open.extend(provider.open_at.iter().map(String::as_str));
        }
    }
    let mut all = Vec::new();
    for (name, (backend, open)) in providers {
        let what = format!("provider {name}");
        let troubles = troubles(facts, name);
        let stand_in = facts.redis.contains(name) && backend != "Redis";
        let open: Vec<_> = open.into_iter().collect();
        match (open.as_slice(), troubles.is_empty()) {
            ([], true) => {
                let found = format!("{backend}, open nowhere: no host of its sites runs");
                let mend =
                    "start hosts in the sites that the WasmProvider names (`dunlin status` shows them)";
                all.push(Finding::bad(what.clone(), found).mend(mend));
            }
            (open, true) if stand_in => {
                let found =
                    format!("{backend} in place of Redis, at {}: fine for development only", open.join(" "));
                all.push(Finding::note(what.clone(), found));
            }
            (open, true) => {
                all.push(Finding::good(what.clone(), format!("{backend}, open at {}", open.join(" "))))
            }
            (_, false) => {}
        }
        for trouble in troubles {
            all.push(Finding::bad(what.clone(), trouble).mend(mend(facts.setting, name)));
        }
    }
    all
}

/// What hosts say of a provider that they should have open.
fn troubles<'f>(facts: &'f Facts, name: &str) -> Vec<&'f str> {
    let object = format!("provider/{name}");
    let conditions = facts.conditions().into_iter().filter(|condition| condition.object == object);
    conditions.map(|condition| condition.message.as_str()).collect()
}

fn mend(setting: Setting, name: &str) -> String {
    match setting {
        Setting::Real => format!("dunlin revive provider/{name}"),
        Setting::Here => "see what is in the way of the file; `dunlin dev --data` says where it is".to_owned(),
        Setting::Deployed => {
            "see that it runs and that its URL and secret in the WasmProvider are right; hosts try again by themselves".to_owned()
        }
    }
}
