//! The manifests as a commit has them, without checking it out: what a host that follows it reads, by the same rules.
//!
//! By the user's own `git`, not by the library that hosts read with: it knows every format of repository, and fetches what a
//! partial clone lacks. A test compares the two.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, anyhow};
use dunlin_manifest::{File, Reading};
use dunlin_source::{
    MAXIMUM_DEPTH, MAXIMUM_FILES, MAXIMUM_NAMES, MAXIMUM_SIZE, MAXIMUM_TOTAL, Unreadable, is_manifest,
    is_passed_over, not_utf8, resolve_link, too_large,
};

use crate::git::{Git, literally, short};
use crate::printer::WrongInput;

/// Links that lead to links are followed this often.
const HOPS: usize = 8;
/// What git calls a link, as a mode.
const LINK: &str = "120000";

/// What a commit has in a directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Whether it has the directory at all.
    pub(crate) there: bool,
    /// The paths are names within the repository.
    pub(crate) files: Vec<File>,
    /// Files that are there and cannot be read.
    unreadable: Vec<Unreadable>,
    /// Where links lead, by their own names.
    pub(crate) links: BTreeMap<String, String>,
}

impl Listing {
    /// What the files say. Those that cannot be read are mistakes.
    pub(crate) fn reading(&self) -> Reading {
        let mut reading = dunlin_manifest::read(&self.files);
        for Unreadable { path, found, allowed, hint } in &self.unreadable {
            reading.add_unreadable(path, found.clone(), allowed.clone(), hint.clone());
        }
        reading
    }
}

/// Reads every `*.yaml` and `*.yml` under `directory` (a name within the repository, empty for its top) in a commit.
///
/// # Errors
/// There is no such commit, or more than is read.
pub(crate) fn read(git: &Git, revision: &str, directory: &str) -> Result<Listing> {
    let place = format!("{revision}:{directory}");
    let said = git.attempt(["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", &place])?;
    if !said.well {
        let kind = git.attempt(["cat-file", "-t", &place])?;
        if kind.output.trim() == "tree" {
            return Err(
                anyhow!(said.words()).context(format!("cannot list {place}; `git fsck` looks for damage"))
            );
        }
        return Ok(Listing::default());
    }
    let mut below: BTreeMap<&str, Vec<Entry<'_>>> = BTreeMap::new();
    for entry in said.output.split('\0').filter_map(Entry::parse) {
        below.entry(entry.path.rsplit_once('/').map_or("", |(folder, _)| folder)).or_default().push(entry);
    }
    let listing = Listing { there: true, ..Listing::default() };
    let mut walk = Walk { git, revision, directory, below, names: 0, total: 0, listing };
    walk.directory("", 0)?;
    Ok(walk.listing)
}

/// One name in a commit.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    mode: &'a str,
    kind: &'a str,
    id: &'a str,
    /// Of a file.
    size: Option<u64>,
    /// Within what was listed.
    path: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (about, path) = line.split_once('\t')?;
        let [mode, kind, id, size] = about.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        Some(Self { mode, kind, id, size: size.parse().ok(), path })
    }
}

/// Of a file that cannot be read; its path is for the caller to set.
fn unreadable(found: impl Into<String>) -> Unreadable {
    Unreadable { path: String::new(), found: found.into(), allowed: None, hint: None }
}

struct Walk<'a> {
    git: &'a Git,
    revision: &'a str,
    directory: &'a str,
    /// What is in each directory.
    below: BTreeMap<&'a str, Vec<Entry<'a>>>,
    names: usize,
    /// Bytes of files.
    total: u64,
    listing: Listing,
}

impl Walk<'_> {
    fn directory(&mut self, folder: &str, depth: usize) -> Result<()> {
        let Some(entries) = self.below.get(folder).cloned() else { return Ok(()) };
        self.names += entries.len();
        if self.names > MAXIMUM_NAMES {
            return Err(self.too_many(MAXIMUM_NAMES, "names"));
        }
        let name = |entry: &Entry<'_>| entry.path.rsplit('/').next().unwrap_or_default().to_owned();
        if depth > 0 && entries.iter().any(|entry| name(entry) == "CACHEDIR.TAG") {
            return Ok(());
        }
        for entry in entries {
            let name = name(&entry);
            // A name that is not UTF-8 is none that anybody gave a manifest.
            if is_passed_over(&name) || name.contains(char::REPLACEMENT_CHARACTER) {
                continue;
            }
            match entry.kind {
                "tree" if depth >= MAXIMUM_DEPTH => {
                    let found = format!("more than {MAXIMUM_DEPTH} directories one in another");
                    let path = self.name_of(entry.path);
                    self.listing.unreadable.push(Unreadable { path, ..unreadable(found) });
                }
                "tree" => self.directory(entry.path, depth + 1)?,
                "blob" if is_manifest(&name) => {
                    if self.listing.files.len() + self.listing.unreadable.len() >= MAXIMUM_FILES {
                        return Err(self.too_many(MAXIMUM_FILES, "YAML files"));
                    }
                    let path = self.name_of(entry.path);
                    match self.file(&path, entry)? {
                        Ok(text) => {
                            self.total += text.len() as u64;
                            if self.total > MAXIMUM_TOTAL {
                                return Err(self.too_many(MAXIMUM_TOTAL >> 20, "MiB of YAML"));
                            }
                            self.listing.files.push(File { path, text });
                        }
                        Err(unreadable) => self.listing.unreadable.push(Unreadable { path, ..unreadable }),
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn too_many(&self, limit: impl std::fmt::Display, what: &str) -> anyhow::Error {
        let (directory, revision) = (self.directory, short(self.revision));
        let way = "name the directory that holds the manifests and little else, with --directory";
        WrongInput(format!("more than {limit} {what} in {directory:?} at {revision}; {way}")).into()
    }

    /// The name within the repository.
    fn name_of(&self, path: &str) -> String {
        if self.directory.is_empty() { path.to_owned() } else { format!("{}/{path}", self.directory) }
    }

    /// The text of what stands at `path`, or of what a link there leads to.
    fn file(&mut self, path: &str, entry: Entry<'_>) -> Result<Result<String, Unreadable>> {
        if entry.mode != LINK {
            return self.contents(entry);
        }
        let (mut at, mut target) = (path.to_owned(), self.contents(entry)?);
        for _ in 1..HOPS {
            let to = match target {
                Ok(to) => resolve_link(&at, &to),
                Err(unreadable) => return Ok(Err(unreadable)),
            };
            let Some(to) = to else {
                let hint = Some("put the file itself there".into());
                let found = "a link that leads out of the repository";
                return Ok(Err(Unreadable { hint, ..unreadable(found) }));
            };
            let said =
                self.git.run(["ls-tree", "-l", "-z", "--full-tree", self.revision, "--", &literally(&to)])?;
            let entry = said.split('\0').filter_map(Entry::parse).find(|entry| entry.path == to);
            let Some(entry) = entry.filter(|entry| entry.kind == "blob") else {
                return Ok(Err(unreadable(format!("a link to {to}, which is no file of this commit"))));
            };
            let text = self.contents(entry)?;
            if entry.mode != LINK {
                self.listing.links.insert(path.to_owned(), to);
                return Ok(text);
            }
            (at, target) = (to, text);
        }
        Ok(Err(unreadable("a link that leads to links without end")))
    }

    /// The text of a file; what is too large is not even asked for.
    fn contents(&self, entry: Entry<'_>) -> Result<Result<String, Unreadable>> {
        if entry.size.is_none_or(|size| size > MAXIMUM_SIZE) {
            return Ok(Err(too_large()));
        }
        Ok(String::from_utf8(self.git.blob(entry.id)?).map_err(|error| not_utf8(error.utf8_error())))
    }
}

/// The name of a directory within the repository.
///
/// # Errors
/// It is gone, or outside.
pub(crate) fn name_of(git: &Git, directory: &Path) -> Result<String> {
    git.name_of(directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use dunlin_source::{GitSettings, GitUrl, read_repository};
    use dunlin_testkit::GitRepository;

    use super::*;

    fn component(name: &str) -> String {
        format!(
            "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: {name} }}\n\
             spec: {{ image: \"example.com/{name}:1\", sites: {{}} }}\n"
        )
    }

    /// Everything that is read otherwise than a plain file in a plain directory.
    fn repository() -> GitRepository {
        let repository = GitRepository::new();
        for (path, name) in [
            ("base/shared.yaml", "shared"),
            ("live/plain.yaml", "plain"),
            ("live/deep/er.yml", "deeper"),
            ("live/.hidden.yaml", "hidden"),
            ("live/.folder/a.yaml", "mounted"),
            ("live/node_modules/a.yaml", "foreign"),
            ("live/target/a.yaml", "built"),
            ("live/a.json", "json"),
            ("live/one [a-z]*.yaml", "pattern"),
            ("elsewhere/ä b:c.yaml", "named"),
        ] {
            repository.write(path, component(name));
        }
        repository.write(&format!("live/{}a.yaml", "d/".repeat(17)), component("bottom"));
        repository.write("live/target/CACHEDIR.TAG", "Signature");
        repository.write("live/large.yaml", vec![b'#'; (1 << 20) + 1]);
        repository.write("live/binary.yaml", [0xff, 0xfe, 0x00]);
        let link = |target: &str, name: &str| symlink(target, repository.path().join(name)).unwrap();
        link("../base/shared.yaml", "live/shared.yaml");
        link(".folder/a.yaml", "live/mounted.yaml");
        link("../elsewhere/ä b:c.yaml", "live/named.yaml");
        link("/etc/passwd", "live/absolute.yaml");
        link("../../outside.yaml", "live/escape.yaml");
        link("nowhere.yaml", "live/dangling.yaml");
        link("deep", "live/directory.yaml");
        link("large.yaml", "live/large-too.yaml");
        link("loop.yaml", "live/loop.yaml");
        link("live", "way");
        link("way/plain.yaml", "through.yaml");
        for number in 0..10 {
            link(&format!("chain{}.yaml", number + 1), &format!("live/chain{number}.yaml"));
        }
        link("../base/shared.yaml", "live/chain10.yaml");
        let head = repository.commit("All sorts");
        let module = format!("160000,{head},live/module.yaml");
        repository.git(&["update-index", "--add", "--cacheinfo", &module]);
        repository.git(&["commit", "--quiet", "--message", "A submodule"]);
        repository
    }

    #[tokio::test]
    async fn what_is_read_is_what_hosts_read() {
        let repository = repository();
        let state = tempfile::tempdir().unwrap();
        for directory in ["live", "", "live/deep", "base"] {
            let url = GitUrl::parse(&repository.path().to_string_lossy()).unwrap();
            let settings = GitSettings {
                path: directory.to_owned(),
                ..GitSettings::new(url, state.path().join("clone"))
            };
            let (commit, files, reading) = read_repository(&settings).await.unwrap();
            let listing = read(&Git::of(&repository.path()), &commit.id, directory).unwrap();
            assert!(listing.there);
            let paths = |files: &[File]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
            assert_eq!(paths(&listing.files), paths(&files), "{directory}");
            assert!(listing.files == files, "{directory}: a text differs");
            assert_eq!(listing.reading().mistakes, reading.mistakes, "{directory}");
            if directory == "live" {
                assert!(files.len() > 6 && reading.mistakes.len() > 8, "{:?}", reading.mistakes);
                let links = ["mounted", "named", "shared"].map(|name| format!("live/{name}.yaml"));
                assert!(links.iter().all(|link| listing.links.contains_key(link)), "{:?}", listing.links);
            }
        }
        let git = Git::of(&repository.path());
        assert!(!read(&git, "HEAD", "nowhere").unwrap().there);
        assert!(!read(&git, "HEAD", "base/shared.yaml").unwrap().there);
    }

    #[test]
    fn more_than_is_read_is_refused() {
        let repository = GitRepository::new();
        for number in 0..=MAXIMUM_FILES {
            repository.write(&format!("many/{number}.yaml"), "");
        }
        let head = repository.commit("Many");
        let error = read(&Git::of(&repository.path()), &head, "many").unwrap_err().to_string();
        assert!(
            error.contains("more than 1000 YAML files in \"many\"") && error.contains("--directory"),
            "{error}"
        );
    }
}
