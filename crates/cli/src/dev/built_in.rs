//! The todo application inside the released binary, so that `dunlin dev` shows something with nothing installed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use dunlin_host::images::Code;

use crate::printer::WrongInput;

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// Writes the application's manifests to `directory`, for these sites if any are named.
///
/// # Errors
/// This build carries no application, or the directory cannot be written.
pub(crate) fn write(directory: &Path, sites: Option<&[String]>) -> Result<()> {
    if TODO_WASM.is_none() {
        let text = "this build carries no todo application; name a directory of manifests (`dunlin dev DIRECTORY`), \
                    or in the repository run `cargo xtask demo`";
        return Err(WrongInput(text.to_owned()).into());
    }
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, text) in MANIFESTS {
        let text = sites.map_or_else(|| (*text).to_owned(), |sites| for_sites(text, sites));
        std::fs::write(directory.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// The application's code by component.
pub(crate) fn code() -> BTreeMap<String, Code> {
    TODO_WASM.map(|bytes| ("todo".to_owned(), Code::Bytes(bytes))).into_iter().collect()
}

/// The same manifests with other sites: two replicas and the store in the first, one replica in each other.
fn for_sites(text: &str, sites: &[String]) -> String {
    let lattice = sites.iter().map(|site| format!("{site}: {{}}")).collect::<Vec<_>>().join(", ");
    let replicas = |index| if index == 0 { 2 } else { 1 };
    let placed =
        sites.iter().enumerate().map(|(index, site)| format!("{site}: {{ replicas: {} }}", replicas(index)));
    let placed = placed.collect::<Vec<_>>().join(", ");
    let store =
        sites.first().map(|site| format!("{site}: {{ url: \"redis://redis:6379\" }}")).unwrap_or_default();
    let mut kind = "";
    let lines = text.lines().map(|line| {
        if let Some(name) = line.strip_prefix("kind: ") {
            kind = name.split_whitespace().next().unwrap_or_default();
        }
        let Some(before) = line.find("sites:") else { return line.to_owned() };
        let head = line.get(..before).unwrap_or_default();
        match (kind, head.trim().is_empty()) {
            ("Lattice", true) => format!("{head}sites: {{ {lattice} }}"),
            ("WasmComponent", true) => format!("{head}sites: {{ {placed} }}"),
            ("WasmProvider", true) => format!("{head}sites: {{ {store} }}"),
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sites_are_valid_manifests() {
        let sites: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        let files: Vec<_> = MANIFESTS
            .iter()
            .map(|(name, text)| dunlin_manifest::File {
                path: (*name).to_owned(),
                text: for_sites(text, &sites),
            })
            .collect();
        let reading = dunlin_manifest::read(&files);
        assert!(reading.mistakes.is_empty(), "{:?}", reading.mistakes);
        assert_eq!(reading.snapshot.lattice.unwrap().spec.sites.len(), 3);
        assert_eq!(reading.snapshot.components["todo"].spec.sites.len(), 3);
        assert!(reading.snapshot.providers["redis"].spec.sites.contains_key("a"));
    }
}
