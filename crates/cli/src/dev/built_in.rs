//! The todo application inside the released binary, so that `dunlin dev` shows something with nothing installed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use dunlin_host::images::Code;
use dunlin_manifest::{File, Replicas, SitePlacement, Snapshot};

use crate::printer::WrongInput;

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// Writes the application's manifests to `directory`, for these sites if any are named. Its code is in this build, or
/// `given`.
///
/// # Errors
/// There is no code, or the directory cannot be written.
pub(crate) fn write(directory: &Path, sites: Option<&[String]>, given: bool) -> Result<()> {
    if TODO_WASM.is_none() && !given {
        let text = "this build carries no todo application: name its code with --wasm todo=FILE (in a clone of Dunlin, \
                    `cargo xtask guests` builds target/guests/todo.wasm), or your own manifests with `dunlin dev DIRECTORY`";
        return Err(WrongInput(text.to_owned()).into());
    }
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let files: Vec<(String, String)> = match sites {
        Some(sites) => vec![("todo.yaml".to_owned(), for_sites(sites))],
        None => MANIFESTS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
    };
    for (name, text) in files {
        std::fs::write(directory.join(&name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// The application's code by component.
pub(crate) fn code() -> BTreeMap<String, Code> {
    TODO_WASM.map(|bytes| ("todo".to_owned(), Code::Bytes(bytes))).into_iter().collect()
}

/// The application's code, if `snapshot` names the application's own image: a repository that was made of it.
pub(crate) fn code_of(snapshot: &Snapshot) -> BTreeMap<String, Code> {
    let own = dunlin_manifest::read(&files()).snapshot;
    let image = |snapshot: &Snapshot| snapshot.components.get("todo").map(|todo| todo.spec.image.clone());
    if image(snapshot).is_some() && image(snapshot) == image(&own) { code() } else { BTreeMap::new() }
}

fn files() -> Vec<File> {
    MANIFESTS.iter().map(|(name, text)| File { path: (*name).to_owned(), text: (*text).to_owned() }).collect()
}

/// The same manifests with other sites: two replicas and the store in the first, one replica in each other.
fn for_sites(sites: &[String]) -> String {
    let mut snapshot = dunlin_manifest::read(&files()).snapshot;
    if let Some(lattice) = &mut snapshot.lattice {
        lattice.spec.sites = sites.iter().map(|site| (site.clone(), Default::default())).collect();
    }
    for component in snapshot.components.values_mut() {
        let placed = sites.iter().enumerate().map(|(index, site)| {
            let replicas = Replicas::Count(if index == 0 { 2 } else { 1 });
            (site.clone(), SitePlacement { replicas, ..SitePlacement::default() })
        });
        component.spec.sites = placed.collect();
    }
    for provider in snapshot.providers.values_mut() {
        let first = std::mem::take(&mut provider.spec.sites).into_values().next().unwrap_or_default();
        provider.spec.sites = sites.iter().take(1).map(|site| (site.clone(), first.clone())).collect();
    }
    dunlin_manifest::print(&snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sites_are_valid_manifests() {
        let sites: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        let reading = dunlin_manifest::read(&[File { path: "todo.yaml".into(), text: for_sites(&sites) }]);
        assert!(reading.mistakes.is_empty(), "{:?}", reading.mistakes);
        assert_eq!(reading.snapshot.lattice.unwrap().spec.sites.len(), 3);
        assert_eq!(reading.snapshot.components["todo"].spec.sites.len(), 3);
        assert!(reading.snapshot.providers["redis"].spec.sites.contains_key("a"));
    }
    #[test]
    fn without_code_the_way_out_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let written = write(&folder.path().join("given"), None, true);
        assert!(written.is_ok());
        // What is built to be given away has the code.
        if TODO_WASM.is_none() {
            let error = write(&folder.path().join("none"), None, false).unwrap_err().to_string();
            assert!(error.contains("--wasm todo=FILE") && error.contains("cargo xtask guests"), "{error}");
        }
    }
}
