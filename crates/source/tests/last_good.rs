//! The last good state: kept whole, and never trusted when it is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use dunlin_manifest::{File, read};
use dunlin_source::{Commit, KeptFile, LastGood, LastGoodError};
use proptest::prelude::*;

fn state() -> LastGood {
    let text = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { gcp: {} } }\n---\n\
        apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo, labels: { a: b } }\nspec:\n  image: todo\n  sites: { gcp: { replicas: 2 } }\n";
    let reading = read(&[File { path: "t.yaml".into(), text: text.into() }]);
    assert_eq!(reading.mistakes, vec![]);
    let ran = BTreeSet::from(["todo".to_owned()]);
    let commit = Commit { id: "c0ffee".into(), author: "Ada".into(), time: 7, subject: "Say more".into() };
    let (revision, snapshot) = ("dir-0123456789ab".into(), Arc::new(reading.snapshot));
    let identities = [("todo".to_owned(), "c0de".to_owned())].into();
    LastGood { revision, commit: Some(commit), snapshot, ran, identities }
}

fn file(directory: &Path) -> std::path::PathBuf {
    directory.join("last-good.json")
}

#[test]
fn what_is_saved_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("a/b");
    assert!(LastGood::load(&inner).unwrap().is_none());
    let mut saved = state();
    saved.save(&inner).unwrap();
    let loaded = LastGood::load(&inner).unwrap().unwrap();
    assert_eq!(loaded, saved);
    assert_eq!(loaded.snapshot.components["todo"].origin.file, "t.yaml", "broken files are matched by it");
    saved.revision = "dir-1".into();
    saved.save(&inner).unwrap();
    assert_eq!(LastGood::load(&inner).unwrap().unwrap().revision, "dir-1");
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_half_written_file_beside_it_is_harmless() {
    let directory = tempfile::tempdir().unwrap();
    state().save(directory.path()).unwrap();
    fs::write(directory.path().join("last-good.json.new"), "dunlin last go").unwrap();
    assert_eq!(LastGood::load(directory.path()).unwrap().unwrap(), state());
    state().save(directory.path()).unwrap();
}

#[test]
fn a_file_of_before_there_were_identities_is_loaded() {
    let older = |saved: &LastGood| {
        let mut value = serde_json::to_value(saved).unwrap();
        value.as_object_mut().unwrap().remove("identities").unwrap();
        value
    };
    let loaded: LastGood = serde_json::from_value(older(&state())).unwrap();
    assert_eq!(loaded, LastGood { identities: Default::default(), ..state() });
}

#[test]
fn what_could_not_be_loaded_is_not_saved() {
    const FILE: KeptFile = KeptFile { name: "kept.json", header: "kept", version: 1, largest: 1 };
    let directory = tempfile::tempdir().unwrap();
    let text = |length: usize| "x".repeat(length);
    let most = (1 << 20) - "kept 1 sha256:\n\"\"".len() - 64;
    FILE.save(directory.path(), &text(most)).unwrap();
    let error = FILE.save(directory.path(), &text(most + 1)).unwrap_err();
    assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
    assert_eq!(FILE.load::<String>(directory.path()).unwrap(), Some(text(most)), "what was there stays");
}

#[test]
fn damage_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path());
    for (content, reason) in [
        ("", "it has no header"),
        ("hello", "it has no header"),
        ("hello\n{}", "its header is not ours"),
        ("dunlin last good state 1 sha256:00\n{}", "its checksum differs"),
        ("dunlin last good state x sha256:00\n{}", "its version is no number of ours"),
    ] {
        fs::write(&path, content).unwrap();
        let error = LastGood::load(directory.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("is damaged ({reason})")), "{content:?}: {error}");
    }
    fs::write(&path, "dunlin last good state 2 sha256:00\n{}").unwrap();
    assert!(matches!(LastGood::load(directory.path()), Err(LastGoodError::Newer { found: 2, .. })));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(LastGood::load(directory.path()), Err(LastGoodError::Damaged { .. })));
    assert!(matches!(state().save(directory.path()), Err(LastGoodError::Disk { action: "written", .. })));
}

proptest! {
    // Each case waits for the disk.
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_damage_passes(at: prop::sample::Index, bit in 0..8_u8, cut: bool) {
        let directory = tempfile::tempdir().unwrap();
        state().save(directory.path()).unwrap();
        let path = file(directory.path());
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit };
        fs::write(&path, bytes).unwrap();
        let loaded = LastGood::load(directory.path());
        prop_assert!(loaded.is_err(), "{loaded:?}");
    }
}
