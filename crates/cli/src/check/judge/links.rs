//! Whether the sites hear each other, and if not, whose link to the hub is broken.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_manifest::HostId;

use super::Finding;
use crate::check::facts::{Facts, Place, Setting};

/// Hosts by site, as heard in one place.
type Heard<'f> = BTreeMap<&'f str, usize>;

/// What is heard where.
struct Ears<'f> {
    /// At each site's leaf; `None` where nobody could listen.
    leaves: BTreeMap<&'f str, Option<Heard<'f>>>,
    /// Whether the hub was named.
    hub_named: bool,
    /// At the hub.
    hub: Option<Heard<'f>>,
    /// Sites whose hosts are heard anywhere.
    speaking: BTreeSet<&'f str>,
}

/// One line for each site.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let ears = Ears::of(facts);
    ears.leaves
        .iter()
        .map(|(site, heard)| {
            let what = format!("link {site}");
            match heard {
                Some(heard) => ears.at(site, heard, facts.setting, what),
                None => {
                    let hub = match &ears.hub {
                        Some(hub) if hub.contains_key(site) => "; the hub hears its hosts",
                        Some(_) => "; the hub hears none of its hosts",
                        None => "",
                    };
                    Finding::note(what, format!("not told: nobody can listen at its leaf{hub}"))
                }
            }
        })
        .collect()
}

impl<'f> Ears<'f> {
    fn of(facts: &'f Facts) -> Self {
        let mut ears =
            Self { leaves: BTreeMap::new(), hub_named: false, hub: None, speaking: BTreeSet::new() };
        for server in &facts.servers {
            let heard = server.heard().map(by_site);
            ears.speaking.extend(heard.iter().flatten().map(|(site, _)| *site));
            match &server.place {
                Place::Hub => {
                    ears.hub_named = true;
                    ears.hub = heard.or(ears.hub.take());
                }
                Place::Leaf(site) => {
                    ears.leaves.insert(site, heard);
                }
            }
        }
        ears
    }

    fn at(&self, site: &str, heard: &Heard<'f>, setting: Setting, what: String) -> Finding {
        let missing: Vec<&str> = self
            .speaking
            .iter()
            .copied()
            .filter(|other| *other != site && !heard.contains_key(other))
            .collect();
        let own = heard.contains_key(site);
        let to_link = match setting {
            Setting::Real => format!("dunlin revive link/{site}"),
            _ if self.hub.as_ref().is_some_and(Heard::is_empty) && self.speaking.len() > 1 => {
                "the hub hears no site: see whether its port for leaves can be reached, and its log"
                    .to_owned()
            }
            _ => "see in the leaf's log why it has no connection to the hub: its address, its certificate, \
                  or the leaf's hub.creds"
                .to_owned(),
        };
        if let Some(hub) = &self.hub {
            let unheard: Vec<&str> =
                missing.iter().copied().filter(|other| hub.contains_key(other)).collect();
            let silent = own && !hub.contains_key(site);
            if silent || !unheard.is_empty() {
                let mut found = Vec::new();
                if silent {
                    found.push("the hub does not hear its hosts, who are heard at its own leaf".to_owned());
                }
                if !unheard.is_empty() {
                    found.push(format!("its leaf does not hear {}, the hub does", unheard.join(", ")));
                }
                return Finding::bad(what, format!("broken: {}", found.join("; "))).mend(to_link);
            }
        } else if !missing.is_empty() {
            let mend = if self.hub_named {
                "mend the hub first, see above"
            } else {
                "name the hub, too (--nats hub=URL): it tells whose link is broken"
            };
            return Finding::bad(what, format!("its leaf does not hear {}", missing.join(", "))).mend(mend);
        }
        if !own {
            let found = "no host of the site is heard, not even at its own leaf";
            let mend = match setting {
                Setting::Real => format!("dunlin revive {site}"),
                _ => "start hosts there, or see in their logs why they cannot reach the leaf".to_owned(),
            };
            return Finding::bad(what, found).mend(mend);
        }
        if self.hub.is_none() && self.hub_named && self.speaking.len() < self.leaves.len() {
            // Whether others could be heard nobody knows, since only this site speaks.
            let found = format!("hears {}; whether it would hear others cannot be told", words(heard));
            return Finding::warning(what, found);
        }
        Finding::good(what, format!("hears {}", words(heard)))
    }
}

fn by_site(heard: &BTreeSet<HostId>) -> Heard<'_> {
    let mut sites = Heard::new();
    for host in heard {
        *sites.entry(host.site.as_str()).or_default() += 1;
    }
    sites
}

fn words(heard: &Heard<'_>) -> String {
    let sites = heard
        .iter()
        .map(|(site, hosts)| format!("{site} ({hosts} host{})", if *hosts == 1 { "" } else { "s" }));
    sites.collect::<Vec<_>>().join(", ")
}
