//! What Git said before, as long as something that was started by it may still run. Pure, but for [`Remembered`].
//!
//! An update keeps the old instance until the new one is ready, and hosts follow Git within a second of each other. For
//! so long calls come in through links that the newest manifests no longer have, and need providers that were renamed:
//! to refuse them would fail requests in a move.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use dunlin_agent::LatticeView;
use dunlin_manifest::{Link, LinkTarget, Object, Snapshot, WasmProvider};
use dunlin_placement::Desired;
use tokio::time::Instant;

/// What an instance that stops has begun may go on for this long after the last sign of it, or for its request timeout.
const LINGER: Duration = Duration::from_secs(30);

/// An identity that this host cannot tell (another site may hold other secrets) speaks for an old form this long only.
const UNSURE: Duration = Duration::from_secs(300);

/// Former forms that are remembered of all components together; the oldest are forgotten first.
const MOST: usize = 64;

/// Former forms of components, and the providers that went with them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Former {
    components: Vec<Component>,
    providers: BTreeMap<String, Object<WasmProvider>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Component {
    name: String,
    /// What its slots show that run in this form.
    identity: String,
    links: BTreeMap<String, Link>,
    linger: Duration,
    replaced: Instant,
    needed: Instant,
}

impl Former {
    /// Takes in that `old`, which this host resolved to `identities`, was replaced by `new`.
    pub(crate) fn replace(
        &mut self,
        old: &Snapshot,
        identities: Option<&Desired>,
        new: &Snapshot,
        now: Instant,
    ) {
        for (name, object) in &old.components {
            let links = &object.spec.links;
            if links.is_empty() || new.components.get(name).is_some_and(|new| new.spec.links == *links) {
                continue;
            }
            let identity = identities.and_then(|desired| desired.components.get(name));
            self.components.push(Component {
                name: name.clone(),
                identity: identity.map(|demand| demand.identity.clone()).unwrap_or_default(),
                links: links.clone(),
                linger: LINGER.max(object.spec.timeouts.request),
                replaced: now,
                needed: now,
            });
        }
        let excess = self.components.len().saturating_sub(MOST);
        self.components.drain(..excess);
        for (name, object) in &old.providers {
            if !new.providers.contains_key(name) {
                self.providers.insert(name.clone(), object.clone());
            }
        }
    }

    /// Forgets what is no longer needed, by what all hosts show (`shown` gives the identities of a component's slots).
    pub(crate) fn keep(
        &mut self,
        snapshot: &Snapshot,
        current: Option<&Desired>,
        shown: impl Fn(&str) -> Vec<String>,
        now: Instant,
    ) {
        self.components.retain_mut(|component| {
            let is = current.and_then(|desired| desired.components.get(&component.name));
            let unsure = now.saturating_duration_since(component.replaced) < UNSURE;
            let runs = shown(&component.name).iter().any(|shown| {
                *shown == component.identity || (unsure && is.is_none_or(|is| is.identity != *shown))
            });
            if runs {
                component.needed = now;
            }
            now.saturating_duration_since(component.needed) < component.linger
        });
        // A component that is held back may name a provider that is gone; so may one that still runs as it did.
        let now_linked = snapshot.components.values().map(|object| &object.spec.links);
        let once_linked = self.components.iter().map(|component| &component.links);
        let links: Vec<_> = now_linked.chain(once_linked).flat_map(BTreeMap::values).collect();
        self.providers.retain(|name, _| {
            let leads_to =
                |link: &&Link| matches!(&link.target, LinkTarget::Provider(provider) if provider == name);
            !snapshot.providers.contains_key(name) && links.iter().any(leads_to)
        });
    }

    /// What a link of a component was before, the newest first.
    pub(crate) fn links<'a>(&'a self, component: &'a str, link: &'a str) -> impl Iterator<Item = &'a Link> {
        let of = self.components.iter().rev().filter(move |former| former.name == component);
        of.filter_map(move |former| former.links.get(link))
    }

    /// Providers that Git no longer has and something still uses.
    pub(crate) fn providers(&self) -> &BTreeMap<String, Object<WasmProvider>> {
        &self.providers
    }
}

/// The same for a running host: written by the one loop that follows the source, read on every call.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// What was followed last.
    last: Mutex<Option<(Arc<Snapshot>, Option<Desired>)>>,
    former: ArcSwap<Former>,
}

impl Remembered {
    /// What Git said before and still counts.
    pub(crate) fn former(&self) -> Arc<Former> {
        self.former.load_full()
    }

    /// Takes in what is followed now. Called at least every second; `resolved` is what this host makes of this very
    /// `snapshot`, once that is known.
    pub(crate) fn follow(
        &self,
        snapshot: &Arc<Snapshot>,
        resolved: Option<&Desired>,
        view: &LatticeView,
        now: Instant,
    ) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut former = Former::clone(&self.former.load());
        let known = match last.take() {
            Some((old, known)) if Arc::ptr_eq(&old, snapshot) || *old == **snapshot => known,
            Some((old, known)) => {
                former.replace(&old, known.as_ref(), snapshot, now);
                None
            }
            None => None,
        };
        let current = resolved.cloned().or(known);
        former.keep(snapshot, current.as_ref(), |component| shown(view, component), now);
        *last = Some((Arc::clone(snapshot), current));
        if former != **self.former.load() {
            self.former.store(Arc::new(former));
        }
    }
}

/// Every identity that some host shows of a component, the ones on their way included.
fn shown(view: &LatticeView, component: &str) -> Vec<String> {
    let states = view.hosts.values().filter(|host| !host.goodbye).filter_map(|host| host.state.as_ref());
    states
        .filter_map(|state| state.slots.get(component))
        .flat_map(|slot| {
            std::iter::once(&slot.identity).chain(slot.update.iter().map(|update| &update.identity))
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use dunlin_manifest::{File, read};

    use super::*;

    const HEAD: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: ";

    fn snapshot(objects: &[&str]) -> Snapshot {
        let lattice = format!("{HEAD}Lattice\nmetadata: {{ name: l }}\nspec: {{ sites: {{ a: {{}} }} }}\n");
        let objects = objects.iter().map(|object| format!("---\n{HEAD}{object}"));
        let text = std::iter::once(lattice).chain(objects).collect::<String>();
        let reading = read(&[File { path: "all.yaml".into(), text }]);
        assert!(reading.mistakes.is_empty(), "{:?}", reading.mistakes);
        reading.snapshot
    }

    fn provider(name: &str) -> String {
        format!(
            "WasmProvider\nmetadata: {{ name: {name} }}\nspec: {{ keyvalue: {{ memory: {{}} }}, sites: {{ a: {{}} }} }}\n"
        )
    }

    fn component(provider: &str) -> String {
        format!(
            "WasmComponent\nmetadata: {{ name: todo }}\nspec:\n  image: example.com/todo:1\n  sites: {{ a: {{}} }}\n  \
             links: {{ store: {{ import: \"wasi:keyvalue\", provider: {{ name: {provider} }} }} }}\n"
        )
    }

    fn desired(identity: &str) -> Desired {
        let demand = serde_json::json!({
            "component": "todo", "identity": identity, "sites": {}, "memory": 1, "request_timeout": { "secs": 5, "nanos": 0 }
        });
        let components = [("todo".to_owned(), serde_json::from_value(demand).unwrap())].into();
        Desired { components, ..Desired::default() }
    }

    /// How long a renamed provider stays when slots show `identities` for the first `shown_for` seconds.
    fn stays(identities: &[&str], shown_for: u64) -> u64 {
        let (old, new) = (
            snapshot(&[&provider("redis"), &component("redis")]),
            snapshot(&[&provider("cache"), &component("cache")]),
        );
        let began = Instant::now();
        let mut former = Former::default();
        former.replace(&old, Some(&desired("old")), &new, began);
        for second in 0..10_000 {
            let shown = if second < shown_for { identities } else { &["new"][..] };
            let shown = |_: &str| shown.iter().map(|identity| (*identity).to_owned()).collect();
            former.keep(&new, Some(&desired("new")), shown, began + Duration::from_secs(second));
            if former.links("todo", "store").next().is_none() {
                assert!(former.providers().is_empty());
                return second;
            }
            assert_eq!(former.providers().keys().collect::<Vec<_>>(), ["redis"]);
        }
        10_000
    }

    #[test]
    fn what_runs_keeps_its_links_and_providers() {
        assert_eq!(stays(&["new"], 0), 30, "nothing runs by it any more");
        assert_eq!(stays(&["new", "old"], 1000), 999 + 30, "the new one does not become ready for long");
        assert_eq!(stays(&["new", "another"], 10_000), 299 + 30, "another site's secrets differ");
    }

    #[test]
    fn a_provider_that_is_still_linked_stays() {
        let old = snapshot(&[&provider("redis"), &component("redis")]);
        // The component is held back at its last good form, which names what is gone.
        let new = Snapshot { providers: BTreeMap::new(), ..old.clone() };
        let mut former = Former::default();
        let now = Instant::now();
        former.replace(&old, None, &new, now);
        former.keep(&new, None, |_| Vec::new(), now + Duration::from_secs(9999));
        assert!(former.providers().contains_key("redis"));
        former.keep(&old, None, |_| Vec::new(), now);
        assert!(former.providers().is_empty(), "Git has it again");
    }

    #[test]
    fn it_is_bounded() {
        let (one, other) =
            (snapshot(&[&provider("p"), &component("p")]), snapshot(&[&provider("q"), &component("q")]));
        let mut former = Former::default();
        for _ in 0..MOST {
            former.replace(&one, None, &other, Instant::now());
            former.replace(&other, None, &one, Instant::now());
        }
        assert_eq!(former.links("todo", "store").count(), MOST);
    }
}
