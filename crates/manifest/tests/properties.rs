//! What holds for every snapshot, and for every text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod common;

use common::snapshots;
use dunlin_manifest::{
    File, Kind, Object, ObjectReference, Replicas, Snapshot, WasmComponent, json_schema, print, read,
    restore, set_image, set_replicas,
};
use proptest::prelude::*;

fn file(text: &str) -> File {
    File { path: "all.yaml".into(), text: text.into() }
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(snapshot in snapshots()) {
        let text = print(&snapshot);
        let reading = read(&[file(&text)]);
        prop_assert_eq!(&reading.mistakes, &vec![], "{}", text);
        prop_assert_eq!(reading.snapshot.digest(), snapshot.digest());
        prop_assert_eq!(reading.snapshot, snapshot);
    }

    #[test]
    fn json_keeps_everything(snapshot in snapshots()) {
        let text = serde_json::to_string(&snapshot).unwrap();
        prop_assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
    }

    #[test]
    fn the_order_of_files_does_not_matter_to_a_good_state(snapshot in snapshots()) {
        let text = print(&snapshot);
        let mut files: Vec<File> = text.split("---\n").map(file).collect();
        // A text in quotes may contain the separator.
        prop_assume!(files.len() == snapshot.components.len() + snapshot.providers.len() + 1);
        files.reverse();
        let reading = read(&files);
        prop_assert_eq!(reading.mistakes, vec![]);
        prop_assert_eq!(reading.snapshot, snapshot);
    }

    #[test]
    fn an_edit_changes_replicas_and_nothing_else(snapshot in snapshots(), count in 0..=1000_u32, all: bool, pick: prop::sample::Index) {
        prop_assume!(!snapshot.components.is_empty());
        let name = snapshot.components.keys().nth(pick.index(snapshot.components.len())).unwrap().clone();
        let sites: Vec<String> = snapshot.lattice.as_ref().unwrap().spec.sites.keys().cloned().collect();
        let replicas = if all { Replicas::All } else { Replicas::Count(count) };
        let changes: Vec<(String, Replicas)> = sites.iter().map(|site| (site.clone(), replicas)).collect();
        let mut expected = snapshot.clone();
        for site in &sites {
            let spec = &mut expected.components.get_mut(&name).unwrap().spec;
            spec.sites.entry(site.clone()).or_default().replicas = replicas;
        }
        let edited = set_replicas(&print(&snapshot), &name, &changes).unwrap();
        let reading = read(&[file(&edited)]);
        prop_assert_eq!(&reading.mistakes, &vec![], "{}", edited);
        prop_assert_eq!(reading.snapshot, expected);
    }

    #[test]
    fn an_edit_of_json_leaves_json(snapshot in snapshots(), count in 0..=1000_u32) {
        for (name, object) in &snapshot.components {
            let document = serde_json::json!({
                "apiVersion": "dunlin.dev/v1alpha1", "kind": "WasmComponent", "metadata": { "name": name }, "spec": object.spec
            });
            let mut expected = document.clone();
            for (index, site) in ["gcp", "yes"].iter().enumerate() {
                let sites = expected["spec"]["sites"].as_object_mut().unwrap();
                sites.entry(*site).or_insert_with(|| serde_json::json!({}))["replicas"] = (count / (1 + index as u32)).into();
            }
            for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
                let edited = set_replicas(&text, name, &[("gcp".into(), Replicas::Count(count)), ("yes".into(), Replicas::Count(count / 2))]).unwrap();
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&edited).unwrap(), expected.clone(), "{}", edited);
            }
        }
    }

    #[test]
    fn no_text_brings_the_reader_down(text in "([a-z{}\\[\\]:,&*!#|>'\" \n\t-]|\\PC|dunlin.dev/v1alpha1|kind: |apiVersion: ){0,80}") {
        let reading = read(&[file(&text)]);
        // YAML ends a line at a carriage return, too.
        let lines = text.split(['\n', '\r']).count() + 1;
        for mistake in reading.mistakes {
            prop_assert!(mistake.line >= 1 && mistake.line <= lines && mistake.column >= 1, "{}", mistake);
        }
        let _ = set_replicas(&text, "todo", &[("gcp".into(), Replicas::Count(1))]);
    }

    #[test]
    fn a_cut_text_never_adds_objects_and_never_loses_those_held(snapshot in snapshots(), cut: prop::sample::Index) {
        let text = print(&snapshot);
        let mut at = cut.index(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let reading = read(&[file(&text[..at])]);
        prop_assert!(reading.snapshot.components.keys().all(|name| snapshot.components.contains_key(name)));
    }

    #[test]
    fn editors_accept_what_is_printed(snapshot in snapshots()) {
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        let objects = serde_json::to_value(&snapshot).unwrap();
        for (kind, objects) in [("WasmComponent", &objects["components"]), ("WasmProvider", &objects["providers"])] {
            for (name, object) in objects.as_object().unwrap() {
                let document = serde_json::json!({
                    "apiVersion": "dunlin.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": object["spec"]
                });
                prop_assert!(validator.is_valid(&document), "{document}: {:?}", validator.iter_errors(&document).map(|error| error.to_string()).collect::<Vec<_>>());
            }
        }
    }
}

/// A snapshot in which two components stand for one, before and after: the first with the second's fields.
fn before_and_after(snapshot: &Snapshot) -> Option<(Snapshot, Snapshot)> {
    let mut components = snapshot.components.values();
    let (now, then) = (components.next()?.clone(), components.next()?.clone());
    let with = |object: Object<WasmComponent>| {
        let others = snapshot.components.iter().skip(2).map(|(name, object)| (name.clone(), object.clone()));
        let mut snapshot = Snapshot { components: others.collect(), ..snapshot.clone() };
        snapshot.components.insert(now.name.clone(), Object { name: now.name.clone(), ..object });
        snapshot
    };
    Some((with(now.clone()), with(then)))
}

proptest! {
    #[test]
    fn a_restored_object_says_what_it_said_and_nothing_else_changes(snapshot in snapshots(), comments: bool) {
        let Some((now, then)) = before_and_after(&snapshot) else { return Ok(()) };
        let name = snapshot.components.keys().next().unwrap().clone();
        let object = ObjectReference { kind: Kind::WasmComponent, name };
        let commented = |text: String| if comments { text.replace(":\n", ": # why\n") } else { text };
        let (text, former) = (commented(print(&now)), commented(print(&then)));
        let edited = restore(&text, &former, &object).unwrap_or_else(|error| panic!("{error}\n{text}\n=====\n{former}"));
        let reading = read(&[file(&edited)]);
        prop_assert_eq!(&reading.mistakes, &vec![], "{}", edited);
        prop_assert_eq!(&reading.snapshot, &then, "{}", edited);
        // And back again, from what was spliced together.
        let again = restore(&edited, &text, &object).unwrap_or_else(|error| panic!("{error}\n{edited}\n=====\n{text}"));
        prop_assert_eq!(&read(&[file(&again)]).snapshot, &now, "{}", again);
    }

    #[test]
    fn an_image_is_set_and_nothing_else(snapshot in snapshots(), digest in "[0-9a-f]{64}") {
        let text = print(&snapshot);
        for name in snapshot.components.keys() {
            let image = format!("registry.example.com:5000/a/b:1@sha256:{digest}");
            let edited = set_image(&text, name, &image).unwrap();
            let mut expected = snapshot.clone();
            expected.components.get_mut(name).unwrap().spec.image = image;
            prop_assert_eq!(read(&[file(&edited)]).snapshot, expected, "{}", edited);
        }
    }
}
