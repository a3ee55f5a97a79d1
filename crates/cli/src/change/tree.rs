//! The manifests as a commit has them, without checking it out.

use std::path::Path;

use anyhow::{Result, bail};
use dunlin_manifest::File;

use crate::git::Git;

/// The most files, and the most bytes of one, as where a directory is read.
const MOST_FILES: usize = 1000;
const MOST_BYTES: u64 = 1 << 20;

/// Reads every `*.yaml` and `*.yml` under `directory` (a name within the repository, empty for its top) in a commit. The
/// paths are names within the repository.
///
/// # Errors
/// There is no such commit, or more than is read.
pub(crate) fn read(git: &Git, revision: &str, directory: &str) -> Result<Vec<File>> {
    let mut arguments = vec!["ls-tree", "-r", "-l", "-z", "--full-tree", revision];
    if !directory.is_empty() {
        arguments.extend(["--", directory]);
    }
    let listing = git.run(arguments)?;
    let mut files = Vec::new();
    for entry in listing.split('\0') {
        let Some((about, name)) = entry.split_once('\t') else { continue };
        let [mode, "blob", _, size] = about.split_whitespace().collect::<Vec<_>>()[..] else { continue };
        let inside = name.strip_prefix(directory).unwrap_or(name);
        if mode == "120000" || !is_manifest(inside) {
            continue;
        }
        if files.len() >= MOST_FILES {
            bail!(
                "more than {MOST_FILES} YAML files in {directory:?}; name the directory of manifests with --directory"
            );
        }
        if size.parse::<u64>().map_or(true, |size| size > MOST_BYTES) {
            bail!("{name} has more than {MOST_BYTES} bytes, which no manifest has");
        }
        files.push(File { path: name.to_owned(), text: text(git, revision, name)? });
    }
    Ok(files)
}

/// What one file says in a commit.
///
/// # Errors
/// It is not in it.
pub(crate) fn text(git: &Git, revision: &str, name: &str) -> Result<String> {
    let said = git.attempt(["cat-file", "blob", &format!("{revision}:{name}")])?;
    if said.well { Ok(said.output) } else { bail!("{name} is not in commit {revision}") }
}

/// The name of a directory within the repository.
///
/// # Errors
/// It is gone, or outside.
pub(crate) fn name_of(git: &Git, directory: &Path) -> Result<String> {
    git.name_of(directory)
}

/// As where a directory is read: no hidden names, no dependencies of others.
fn is_manifest(name: &str) -> bool {
    let hidden = name.split('/').any(|part| part.starts_with('.') || part == "node_modules");
    !hidden && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

#[cfg(test)]
mod tests {
    use super::is_manifest;

    #[test]
    fn only_what_a_directory_would_give() {
        for (name, expected) in [
            ("a.yaml", true),
            ("/deep/b.yml", true),
            ("a.json", false),
            (".github/a.yaml", false),
            ("node_modules/a.yaml", false),
            ("/.a.yaml", false),
        ] {
            assert_eq!(is_manifest(name), expected, "{name}");
        }
    }
}
