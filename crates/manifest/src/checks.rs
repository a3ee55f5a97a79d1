//! Holds the objects against each other: names that must exist, things that only one may have.
//!
//! The checks read the trees, not the types, and skip whatever has not the right shape: so an object with a
//! mistake that the schema found still has its other mistakes reported.

mod component;
mod provider;

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Document;
use crate::mistake::did_you_mean;
use crate::tree::{Node, Position};
use crate::types::{Kind, ObjectReference};
use crate::walk::{Finding, join};

/// What the checks found, by the index of the document.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) findings: Vec<(usize, Finding)>,
    /// Objects that want what only one of them can have. Unless a last good form settles it, the first has it.
    pub(crate) contests: Vec<Contest>,
}

/// Two objects that want the same, by the indices of their documents; `first` comes first in the files.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) first: usize,
    pub(crate) second: usize,
}

/// Checks all documents together.
pub(crate) fn check(documents: &[Document]) -> Verdict {
    let mut checker = Checker { documents, world: World::of(documents), verdict: Verdict::default() };
    checker.duplicates();
    for (index, document) in documents.iter().enumerate() {
        match document.kind {
            Kind::Lattice => {}
            Kind::WasmComponent => checker.component(index, &document.node),
            Kind::WasmProvider => checker.provider(index, &document.node),
        }
    }
    checker.routes();
    checker.verdict
}

/// The names that the objects may use. An object with a mistake counts: its name is still its name.
struct World {
    /// The sites, unless no lattice says.
    sites: Option<BTreeSet<String>>,
    components: BTreeSet<String>,
    providers: BTreeSet<String>,
}

impl World {
    fn of(documents: &[Document]) -> Self {
        let names = |kind| {
            let documents = documents.iter().filter(|document| document.kind == kind);
            documents.filter_map(|document| document.name.clone()).collect()
        };
        let lattice = documents.iter().find(|document| document.kind == Kind::Lattice);
        let sites = lattice.and_then(|lattice| lattice.node.at(&["spec", "sites"]));
        let sites =
            sites.map(|sites| sites.entries().iter().map(|entry| entry.key.clone()).collect::<BTreeSet<_>>());
        Self {
            sites: sites.filter(|sites| !sites.is_empty()),
            components: names(Kind::WasmComponent),
            providers: names(Kind::WasmProvider),
        }
    }
}

struct Checker<'a> {
    documents: &'a [Document],
    world: World,
    verdict: Verdict,
}

impl Checker<'_> {
    fn report(
        &mut self,
        index: usize,
        at: Position,
        path: String,
        found: impl Into<String>,
        allowed: Option<String>,
        hint: Option<String>,
    ) {
        self.verdict.findings.push((index, Finding { at, path, found: found.into(), allowed, hint }));
    }

    /// Reports `name` unless the lattice has a site of this name.
    fn site(&mut self, index: usize, at: Position, path: String, name: &str) {
        let Some(sites) = self.world.sites.as_ref().filter(|sites| !sites.contains(name)) else { return };
        let hint = did_you_mean(name, sites.iter().map(String::as_str));
        let allowed = sites.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.report(index, at, path, format!("unknown site {name:?}"), Some(allowed), hint);
    }

    /// Reports every key of `spec.sites` that is no site.
    fn sites(&mut self, index: usize, node: &Node) {
        for entry in node.at(&["spec", "sites"]).map(Node::entries).unwrap_or_default() {
            if entry.trouble.is_none() {
                self.site(index, entry.at, join("spec.sites", &entry.key), &entry.key);
            }
        }
    }

    /// The same object twice, or two lattices: the second is the mistake.
    fn duplicates(&mut self) {
        let mut first: BTreeMap<ObjectReference, usize> = BTreeMap::new();
        let mut lattice = None;
        for (index, document) in self.documents.iter().enumerate() {
            let node = document.node.at(&["metadata", "name"]).unwrap_or(&document.node);
            let earlier = document.reference().and_then(|reference| match first.get(&reference) {
                Some(earlier) => Some((*earlier, format!("{reference} a second time"))),
                None => {
                    first.insert(reference, index);
                    None
                }
            });
            let earlier = earlier.or_else(|| match (document.kind, lattice) {
                (Kind::Lattice, Some(earlier)) => Some((earlier, "a second Lattice".to_owned())),
                _ => None,
            });
            if document.kind == Kind::Lattice && lattice.is_none() {
                lattice = Some(index);
            }
            if let Some((earlier, found)) = earlier {
                let hint = format!("the first is in {}", self.place(earlier));
                self.report(index, node.start, "metadata.name".into(), found, None, Some(hint));
                self.verdict.contests.push(Contest { first: earlier, second: index });
            }
        }
    }

    /// `file:line` of a document.
    fn place(&self, index: usize) -> String {
        let document = &self.documents[index];
        format!("{}:{}", document.file, document.node.start.line)
    }
}
