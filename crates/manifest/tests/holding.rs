//! What a mistake holds back, and what it does not; what an identity is made of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;

use dunlin_manifest::{File, Snapshot, WasmComponent, identity, read};

const LATTICE: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { gcp: {}, aws: {} } }\n";

fn component(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: {name} }}\nspec: {{ {spec} }}\n"
    )
}

fn files(files: &[(&str, &str)]) -> Vec<File> {
    files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect()
}

/// The snapshot after `before` and then `after` were read.
fn after(before: &[(&str, &str)], after: &[(&str, &str)]) -> (Snapshot, Snapshot) {
    let first = read(&files(before));
    assert_eq!(first.mistakes, vec![]);
    let first = first.hold_back(&Snapshot::default());
    let second = read(&files(after));
    assert_ne!(second.mistakes, vec![], "this test is about mistakes");
    (first.clone(), second.hold_back(&first))
}

fn images(snapshot: &Snapshot) -> Vec<(&str, &str)> {
    snapshot.components.iter().map(|(name, object)| (name.as_str(), object.spec.image.as_str())).collect()
}

#[test]
fn a_mistake_holds_back_its_object_and_nothing_else() {
    let (a, b) = (component("a", "image: a1, sites: {}"), component("b", "image: b1, sites: {}"));
    let (wrong, b2) =
        (component("a", "image: a2, sites: { gpc: {} }"), component("b", "image: b2, sites: {}"));
    let (_, now) = after(
        &[("l", LATTICE), ("t", &format!("{a}---\n{b}"))],
        &[("l", LATTICE), ("t", &format!("{wrong}---\n{b2}"))],
    );
    assert_eq!(images(&now), [("a", "a1"), ("b", "b2")]);
}

#[test]
fn a_mistaken_object_without_a_last_good_form_stays_away() {
    let (_, now) = after(&[("l", LATTICE)], &[("l", LATTICE), ("a", &component("a", "image: a"))]);
    assert_eq!(images(&now), []);
}

#[test]
fn a_broken_file_holds_back_its_objects_and_others_may_go() {
    let (a, b) = (component("a", "image: a1, sites: {}"), component("b", "image: b1, sites: {}"));
    let before = [("l", LATTICE), ("a", a.as_str()), ("b", b.as_str())];
    let (_, now) = after(&before, &[("l", LATTICE), ("a", "a: [")]);
    assert_eq!(images(&now), [("a", "a1")], "b was deleted, a was not");
    // An object that went to another file is where it is now.
    let (_, now) =
        after(&before, &[("l", LATTICE), ("a", "a: ["), ("c", &component("a", "image: a2, sites: {}"))]);
    assert_eq!(images(&now), [("a", "a2")]);
}

#[test]
fn an_object_whose_name_or_kind_cannot_be_told_deletes_nothing() {
    let a = component("a", "image: a1, sites: {}");
    for wrong in [
        a.replace("name: a", "name: A"),
        a.replace("name: a", ""),
        a.replace("WasmC", "WasmK"),
        a.replace("dunlin.dev/v1alpha1", ""),
    ] {
        let (_, now) = after(&[("l", LATTICE), ("a", &a)], &[("l", LATTICE), ("a", &wrong)]);
        assert_eq!(images(&now), [("a", "a1")], "{wrong}");
    }
}

#[test]
fn what_two_objects_want_stays_with_the_one_that_had_it() {
    let route = |name: &str, image: &str| {
        component(name, &format!("image: {image}, sites: {{}}, http: {{ path: / }}"))
    };
    // A newcomer whose file comes first does not take the route away, nor the name.
    let (_, now) = after(
        &[("l", LATTICE), ("m", &route("m", "m1"))],
        &[("l", LATTICE), ("a", &route("a", "a1")), ("m", &route("m", "m2"))],
    );
    assert_eq!(images(&now), [("m", "m1")]);
    let (_, now) = after(
        &[("l", LATTICE), ("m", &route("m", "m1"))],
        &[("l", LATTICE), ("a", &route("m", "a1")), ("m", &route("m", "m1"))],
    );
    assert_eq!(images(&now), [("m", "m1")]);
    // With nobody before, the first has it.
    let (_, now) =
        after(&[("l", LATTICE)], &[("l", LATTICE), ("a", &route("a", "a1")), ("m", &route("m", "m1"))]);
    assert_eq!(images(&now), [("a", "a1")]);
}

#[test]
fn a_lattice_that_is_broken_or_gone_stays_and_names_the_sites() {
    let a = component("a", "image: a1, sites: { gcp: {} }");
    let before = [("l", LATTICE), ("a", a.as_str())];
    let moved = component("a", "image: a2, sites: { gpc: {} }");
    for lattice in ["a: [", "", &LATTICE.replace("gcp: {}", "gcp: { x: 1 }")] {
        let (first, now) = after(&before, &[("l", lattice), ("a", &a)]);
        assert_eq!(now, first);
        let (_, now) = after(&before, &[("l", lattice), ("a", &moved)]);
        assert_eq!(images(&now), [("a", "a1")], "{lattice:?}: gpc is no site");
    }
    let second = LATTICE.replace("name: l", "name: a").replace("aws: {}", "azure: {}");
    let (first, now) = after(&before, &[("a0", &second), ("l", LATTICE), ("a", &a)]);
    assert_eq!(now.lattice, first.lattice);
}

#[test]
fn an_unreadable_file_holds_back_its_objects() {
    let first = read(&files(&[("l", LATTICE), ("a", &component("a", "image: a1, sites: {}"))])).snapshot;
    let mut reading = read(&files(&[("l", LATTICE)]));
    reading.add_unreadable("a", "not UTF-8".into(), None, None);
    assert_eq!(reading.mistakes[0].to_string(), "a:1:1: not UTF-8");
    assert_eq!(reading.hold_back(&first), first);
}

fn spec(text: &str) -> WasmComponent {
    let provider = "apiVersion: dunlin.dev/v1alpha1\nkind: WasmProvider\nmetadata: { name: redis }\nspec: { keyvalue: { memory: {} }, sites: { gcp: {} } }\n";
    let reading = read(&files(&[("l", LATTICE), ("p", provider), ("a", &component("a", text))]));
    assert_eq!(reading.mistakes, vec![], "{text}");
    reading.snapshot.components["a"].spec.clone()
}

#[test]
fn identities() {
    let text = "image: a, sites: { gcp: {} }, links: { s: { import: \"wasi:keyvalue\", provider: { name: redis } } }, readiness: { path: / }";
    let config = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    let base = identity(&spec(text), "sha256:aa", &config);
    // Frozen: a change of this value replaces every running component at once.
    assert_eq!(base, "77be84c703002318a0fb789aaea4017e");
    for same in [
        text.replace("gcp: {}", "aws: { replicas: 3 }"),
        format!("{text}, suspend: true"),
        format!("{text}, update: {{ canary: {{ weight: 10, hold: 30s }} }}"),
        format!("{text}, http: {{ path: /x }}"),
        format!("{text}, config: {{ A: {{ value: \"2\" }} }}"),
        text.replace("image: a", "image: other"),
    ] {
        assert_eq!(identity(&spec(&same), "sha256:aa", &config), base, "{same}");
    }
    for other in [
        text.replace("path: /", "path: /api"),
        text.replace("name: redis }", "name: redis }, bucket: b"),
        text.replace("name: redis }", "name: redis }, timeout: 3s"),
        format!("{text}, resources: {{ limits: {{ memory: 65Mi }} }}"),
        format!("{text}, timeouts: {{ request: 6s }}"),
        format!("{text}, maxConcurrency: 7"),
    ] {
        assert_ne!(identity(&spec(&other), "sha256:aa", &config), base, "{other}");
        // What was before can be had again, wherever it is to run by now.
        let moved = spec(&other.replace("gcp: {}", "aws: { replicas: 3 }"));
        let again = moved.with_identity_of(&spec(text));
        assert_eq!(identity(&again, "sha256:aa", &config), base, "{other}");
        assert_eq!((again.image.as_str(), &again.sites), ("a", &moved.sites));
    }
    assert_ne!(identity(&spec(text), "sha256:bb", &config), base);
    assert_ne!(identity(&spec(text), "sha256:aa", &BTreeMap::new()), base);
}
