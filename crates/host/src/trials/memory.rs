//! What a host remembers of each component: the form that took all calls last, the one before it, and what was given
//! up on trial. Values alone; the files and the lattice are next door.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_manifest::{Snapshot, WasmComponent};
use dunlin_placement::Desired;
use dunlin_placement::canary::Aborted;
use serde::{Deserialize, Serialize};

/// Everything that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    forms: BTreeMap<String, Forms>,
    /// Identities that were given up, as this host's agent tells.
    #[serde(default)]
    pub(crate) aborted: BTreeMap<String, Aborted>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Forms {
    /// What took all calls last.
    settled: Form,
    /// What had them before that: an abort may still come from another host.
    #[serde(default)]
    before: Option<Form>,
    /// What is to take over, as far as is known.
    #[serde(default)]
    next: Option<Form>,
}

impl Forms {
    /// A form has taken all calls over.
    fn settle(&mut self, form: Form) {
        self.before = Some(std::mem::replace(&mut self.settled, form));
    }
}

/// A component as it was once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Form {
    pub(crate) identity: String,
    pub(crate) spec: WasmComponent,
}

/// What is seen of identities in the lattice: component and identity.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// What serves here.
    pub(crate) here: BTreeMap<String, String>,
    /// What is ready on other hosts.
    pub(crate) elsewhere: BTreeSet<(String, String)>,
    /// What is on trial anywhere.
    pub(crate) on_trial: BTreeSet<(String, String)>,
}

impl Seen {
    /// Whether an identity has taken over, as far as it can be told from here: it serves here, or, where nothing of its
    /// name does, elsewhere and nobody has it on trial any more.
    fn has_taken_over(&self, component: &str, identity: &str) -> bool {
        let named = (component.to_owned(), identity.to_owned());
        match self.here.get(component) {
            Some(serves) => serves == identity,
            None => self.elsewhere.contains(&named) && !self.on_trial.contains(&named),
        }
    }
}

impl Memory {
    /// Takes in what Git says now.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot, desired: &Desired, seen: &Seen) {
        self.forms.retain(|name, _| snapshot.components.contains_key(name));
        for (name, object) in &snapshot.components {
            let Some(demand) = desired.components.get(name) else { continue };
            let form = Form { identity: demand.identity.clone(), spec: object.spec.clone() };
            let Some(forms) = self.forms.get_mut(name) else {
                self.forms.insert(name.clone(), Forms { settled: form, before: None, next: None });
                continue;
            };
            let stalled =
                |identity: &str| self.aborted.get(name).is_some_and(|aborted| aborted.identity == identity);
            let may_settle = |identity: &str| !stalled(identity) && seen.has_taken_over(name, identity);
            // What Git named before may have taken over since this was looked at last, and is what to go back to then.
            let other = forms.next.take().filter(|next| next.identity != form.identity);
            if let Some(other) = other.filter(|other| may_settle(&other.identity)) {
                forms.settle(other);
            }
            let untried = object.spec.update.is_none() && !stalled(&form.identity);
            if forms.settled.identity == form.identity {
                forms.settled = form;
            } else if untried || may_settle(&form.identity) {
                forms.settle(form);
            } else {
                forms.next = Some(form);
            }
        }
    }

    /// What was before what Git says now, and whether that has taken its place.
    pub(crate) fn before(&self, component: &str, identity: &str) -> Option<(&Form, bool)> {
        let forms = self.forms.get(component)?;
        if forms.settled.identity == identity {
            forms.before.as_ref().map(|form| (form, true))
        } else {
            Some((&forms.settled, false))
        }
    }
}

#[cfg(test)]
mod tests {
    use dunlin_manifest::{File, read};
    use dunlin_placement::canary::Calls;
    use dunlin_placement::{Demand, SiteDemand};

    use super::*;

    /// One component whose identity is its image.
    fn reads(memory: &mut Memory, image: &str, update: bool, seen: &Seen) -> Option<(String, bool)> {
        let update = if update { "\n  update: { canary: { weight: 1, hold: 1s } }" } else { "" };
        let text = format!(
            "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: {{ name: l }}\nspec: {{ sites: {{ a: {{}} }} }}\n---\n\
             apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: todo }}\nspec:\n  image: {image}\n  \
             sites: {{ a: {{}} }}{update}\n"
        );
        let reading = read(&[File { path: "t.yaml".into(), text }]);
        assert_eq!(reading.mistakes, []);
        let demand = Demand {
            component: "todo".into(),
            identity: image.into(),
            sites: BTreeMap::from([("a".to_owned(), SiteDemand::all())]),
            memory: 1,
            suspend: false,
            request_timeout: std::time::Duration::ZERO,
            failover: None,
            update: reading.snapshot.components["todo"].spec.update.clone(),
        };
        let desired =
            Desired { components: BTreeMap::from([("todo".to_owned(), demand)]), ..Desired::default() };
        memory.follow(&reading.snapshot, &desired, seen);
        memory.before("todo", image).map(|(form, replaced)| (form.spec.image.clone(), replaced))
    }

    fn serves(identity: &str) -> Seen {
        Seen { here: BTreeMap::from([("todo".to_owned(), identity.to_owned())]), ..Seen::default() }
    }

    fn before(image: &str, replaced: bool) -> Option<(String, bool)> {
        Some((image.to_owned(), replaced))
    }

    #[test]
    fn the_form_before_is_known_until_the_one_after_next() {
        let mut memory = Memory::default();
        let nothing = Seen::default();
        assert_eq!(reads(&mut memory, "a", true, &nothing), None, "the first");
        assert_eq!(reads(&mut memory, "b", true, &serves("a")), before("a", false), "on trial");
        assert_eq!(reads(&mut memory, "a", true, &serves("a")), None, "taken back");
        assert_eq!(reads(&mut memory, "b", true, &serves("a")), before("a", false));
        assert_eq!(reads(&mut memory, "b", true, &serves("b")), before("a", true), "took over");
        assert_eq!(reads(&mut memory, "b", true, &nothing), before("a", true));
        assert_eq!(reads(&mut memory, "c", true, &serves("b")), before("b", false), "the next");
        assert_eq!(reads(&mut memory, "d", true, &serves("b")), before("b", false), "c never took over");
        assert_eq!(reads(&mut memory, "e", false, &serves("b")), before("b", true), "no trial asked for");
    }

    #[test]
    fn what_took_over_unseen_before_the_next_came_is_what_to_go_back_to() {
        let mut memory = Memory::default();
        reads(&mut memory, "a", true, &Seen::default());
        assert_eq!(reads(&mut memory, "b", true, &serves("a")), before("a", false), "on trial");
        assert_eq!(reads(&mut memory, "c", true, &serves("b")), before("b", false), "b took over meanwhile");
        assert_eq!(reads(&mut memory, "d", true, &serves("b")), before("b", false), "c did not");
    }

    #[test]
    fn what_was_given_up_never_counts_as_having_taken_over() {
        let mut memory = Memory::default();
        reads(&mut memory, "a", true, &Seen::default());
        let aborted =
            Aborted { identity: "b".into(), by: "a/h".into(), reason: "why".into(), calls: Calls::default() };
        memory.aborted.insert("todo".into(), aborted);
        assert_eq!(reads(&mut memory, "b", true, &serves("b")), before("a", false));
        assert_eq!(reads(&mut memory, "b", false, &serves("b")), before("a", false));
        let again: Memory = serde_json::from_value(serde_json::to_value(&memory).unwrap()).unwrap();
        assert_eq!(again, memory);
        assert_eq!(reads(&mut memory, "c", true, &serves("a")), before("a", false), "another may be tried");
    }

    #[test]
    fn a_host_without_a_slot_learns_from_the_others() {
        let named = |identity: &str| BTreeSet::from([("todo".to_owned(), identity.to_owned())]);
        let mut memory = Memory::default();
        reads(&mut memory, "a", true, &Seen::default());
        let trial = Seen { elsewhere: named("b"), on_trial: named("b"), ..Seen::default() };
        assert_eq!(
            reads(&mut memory, "b", true, &trial),
            before("a", false),
            "one took over, one still tries"
        );
        let over = Seen { elsewhere: named("b"), ..Seen::default() };
        assert_eq!(reads(&mut memory, "b", true, &over), before("a", true));
    }
}
