//! From files to a snapshot: what is good, every mistake, and what a mistake holds back.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::checks;
use crate::document::{self, Document};
use crate::mistake::Mistake;
use crate::schema;
use crate::tree;
use crate::types::{Kind, Metadata, Object, ObjectReference, Origin, Snapshot, WasmComponent};
use crate::walk::{self, Finding};

/// The most mistakes that are kept to be shown. What they hold back is complete all the same.
const MAXIMUM_MISTAKES: usize = 1000;

/// The text of one file, by the name under which mistakes in it are reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: String,
    /// Its text: YAML, any number of documents.
    pub text: String,
}

/// What files say.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The objects without a mistake. Of two that want the same, the first.
    pub snapshot: Snapshot,
    /// Every mistake, in the order of the files.
    pub mistakes: Vec<Mistake>,
    /// Objects with a mistake.
    mistaken: BTreeSet<ObjectReference>,
    /// Files of which some object cannot be told.
    broken: BTreeSet<String>,
    /// Pairs of objects that want what only one of them can have.
    contests: Vec<[ObjectReference; 2]>,
}

/// Reads files, in the given order, and reports all mistakes at once.
///
/// Documents that are not of the group `dunlin.dev` are passed over, so that a directory may hold what else
/// belongs to an application.
#[must_use]
pub fn read(files: &[File]) -> Reading {
    let mut reading = Reading::default();
    let mut documents = Vec::new();
    for file in files {
        reading.file(file, &mut documents);
    }
    let mut findings: Vec<(usize, Finding)> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let found = walk::walk(&document.node, schema::of(document.kind), "");
        findings.extend(found.into_iter().map(|finding| (index, finding)));
    }
    let verdict = checks::check(&documents);
    findings.extend(verdict.findings);
    let mistaken: BTreeSet<usize> = findings.iter().map(|(index, _)| *index).collect();
    for (index, document) in documents.iter().enumerate() {
        if !mistaken.contains(&index)
            && let Err(finding) = reading.object(document)
        {
            findings.push((index, finding));
        }
    }
    if let Some(finding) = missing_lattice(&documents).filter(|_| reading.broken.is_empty()) {
        reading.report(&documents[0].file, None, finding);
    }
    findings.sort_by_key(|(index, finding)| (*index, finding.at.line, finding.at.column));
    for (index, mut finding) in findings {
        let document = &documents[index];
        finding.path = document.field(&finding.path);
        match document.reference() {
            Some(reference) => drop(reading.mistaken.insert(reference)),
            None => drop(reading.broken.insert(document.file.clone())),
        }
        reading.report(&document.file, document.reference(), finding);
    }
    for contest in verdict.contests {
        let pair = [contest.first, contest.second].map(|index| documents[index].reference());
        if let [Some(first), Some(second)] = pair {
            reading.contests.push([first, second]);
        }
    }
    reading
}

impl Reading {
    /// Says that a file is there and cannot be read: a mistake that holds back every object that was read
    /// from it.
    pub fn add_unreadable(
        &mut self,
        path: &str,
        found: String,
        allowed: Option<String>,
        hint: Option<String>,
    ) {
        self.broken.insert(path.into());
        let at = tree::Position { line: 1, column: 1 };
        self.report(path, None, Finding { at, path: String::new(), found, allowed, hint });
    }

    /// The first mistake that hides which objects a file has: what is not found may be in there.
    #[must_use]
    pub fn unread(&self) -> Option<&Mistake> {
        let hides = |mistake: &&Mistake| mistake.object.is_none() && self.broken.contains(&mistake.file);
        self.mistakes.iter().find(hides)
    }

    /// The snapshot with every mistaken object at its form in `previous`, and nothing else touched.
    ///
    /// An object that has no form there stays away. A file that is broken, or holds an object whose kind or
    /// name cannot be told, holds back every object that was read from it and is in no other file now.
    #[must_use]
    pub fn hold_back(self, previous: &Snapshot) -> Snapshot {
        let mut snapshot = self.snapshot;
        let broken = |origin: &Origin| self.broken.contains(&origin.file);
        // Who had it keeps it; who wants it besides waits.
        let mut held = self.mistaken;
        for pair in &self.contests {
            if pair.iter().any(|object| previous.contains(object)) {
                held.extend(pair.iter().cloned());
                let waits = |object: &&ObjectReference| {
                    object.kind == Kind::WasmComponent && !previous.contains(object)
                };
                for object in pair.iter().filter(waits) {
                    snapshot.components.remove(&object.name);
                }
            }
        }
        let lattice_is_mistaken = held.iter().any(|object| object.kind == Kind::Lattice);
        if lattice_is_mistaken || snapshot.lattice.is_none() {
            snapshot.lattice = previous.lattice.clone().or(snapshot.lattice);
            // The sites could not be checked against a lattice that could not be read.
            let sites = snapshot.lattice.as_ref().map(|lattice| &lattice.spec.sites);
            let known = |site: &String| sites.is_none_or(|sites| sites.contains_key(site));
            let unknown = |object: &Object<WasmComponent>| !object.spec.sites.keys().all(known);
            for (name, _) in snapshot.components.extract_if(.., |_, object| unknown(object)) {
                held.insert(ObjectReference { kind: Kind::WasmComponent, name });
            }
        }
        hold(Kind::WasmComponent, &held, broken, &mut snapshot.components, &previous.components);
        hold(Kind::WasmProvider, &held, broken, &mut snapshot.providers, &previous.providers);
        snapshot
    }

    fn file(&mut self, file: &File, documents: &mut Vec<Document>) {
        let (nodes, broken) = tree::parse(&file.text);
        let mut findings = Vec::new();
        for node in &nodes {
            document::sort(&file.path, node, "", documents, &mut findings);
        }
        if let Some(broken) = broken {
            let hint = Some("objects of this file stay as they were".to_owned());
            findings.push(Finding {
                at: broken.at,
                path: String::new(),
                found: broken.found,
                allowed: None,
                hint,
            });
        }
        for finding in findings {
            self.broken.insert(file.path.clone());
            self.report(&file.path, None, finding);
        }
    }

    fn report(&mut self, file: &str, object: Option<ObjectReference>, finding: Finding) {
        let Finding { at, path, found, allowed, hint } = finding;
        let (line, column) = (at.line, at.column);
        match self.mistakes.len() {
            length if length < MAXIMUM_MISTAKES => {}
            MAXIMUM_MISTAKES => {
                let found = format!("more than {MAXIMUM_MISTAKES} mistakes; the others are not shown");
                let (path, object, allowed, hint) = (String::new(), None, None, None);
                return self.mistakes.push(Mistake {
                    file: file.into(),
                    line,
                    column,
                    object,
                    path,
                    found,
                    allowed,
                    hint,
                });
            }
            _ => return,
        }
        self.mistakes.push(Mistake { file: file.into(), line, column, object, path, found, allowed, hint });
    }

    /// Adds a document without findings to the snapshot.
    fn object(&mut self, document: &Document) -> Result<(), Finding> {
        match document.kind {
            Kind::Lattice => self.snapshot.lattice = Some(object(document)?),
            Kind::WasmComponent => drop(insert(&mut self.snapshot.components, object(document)?)),
            Kind::WasmProvider => drop(insert(&mut self.snapshot.providers, object(document)?)),
        }
        Ok(())
    }
}

fn insert<S>(objects: &mut BTreeMap<String, Object<S>>, object: Object<S>) -> Option<Object<S>> {
    objects.insert(object.name.clone(), object)
}

fn hold<S: Clone>(
    kind: Kind,
    held: &BTreeSet<ObjectReference>,
    broken: impl Fn(&Origin) -> bool,
    objects: &mut BTreeMap<String, Object<S>>,
    previous: &BTreeMap<String, Object<S>>,
) {
    for (name, object) in previous {
        let mistaken = held.contains(&ObjectReference { kind, name: name.clone() });
        if mistaken || (broken(&object.origin) && !objects.contains_key(name)) {
            objects.insert(name.clone(), object.clone());
        }
    }
}

fn missing_lattice(documents: &[Document]) -> Option<Finding> {
    let first = documents.first()?;
    documents.iter().all(|document| document.kind != Kind::Lattice).then(|| Finding {
        at: first.node.start,
        path: String::new(),
        found: "no Lattice in any file".into(),
        allowed: Some("exactly one".into()),
        hint: Some(
            "add one that names the sites: kind: Lattice, spec: { sites: { gcp: {}, aws: {} } }".into(),
        ),
    })
}

/// The typed object. The schema has been met, so a failure here is a gap between it and the types; it is
/// reported as any mistake, at its place.
fn object<S: DeserializeOwned>(document: &Document) -> Result<Object<S>, Finding> {
    let at = document.node.start;
    let Metadata { name, labels, annotations } = part(document, "metadata")?;
    let origin = Origin { file: document.file.clone(), line: at.line };
    Ok(Object { name, labels, annotations, spec: part(document, "spec")?, origin })
}

fn part<T: DeserializeOwned>(document: &Document, field: &str) -> Result<T, Finding> {
    let node = document.node.get(field).unwrap_or(&document.node);
    serde_path_to_error::deserialize::<Json, T>(node.to_json()).map_err(|error| {
        let inner = error.path().to_string();
        let keys: Vec<&str> = inner.split('.').collect();
        let at = node.at(&keys).unwrap_or(node).start;
        let path = if inner == "." { field.to_owned() } else { format!("{field}.{inner}") };
        Finding { at, path, found: error.inner().to_string(), allowed: None, hint: None }
    })
}
