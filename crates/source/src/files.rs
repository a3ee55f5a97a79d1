//! The YAML files of a directory: found within bounds, and without leaving the directory. The bounds hold for Git too.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dunlin_manifest::File;
use sha2::{Digest, Sha256};

/// The most files that are read.
pub const MAXIMUM_FILES: usize = 1000;
/// The most bytes of one file.
pub const MAXIMUM_SIZE: u64 = 1 << 20;
/// The most bytes of all files together.
pub const MAXIMUM_TOTAL: u64 = 16 << 20;
/// The most names that are looked at, whatever they are.
pub const MAXIMUM_NAMES: usize = 20_000;
/// The deepest directory below the first.
pub const MAXIMUM_DEPTH: usize = 16;

/// What a directory holds, or a commit.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The files, by path.
    pub(crate) files: Vec<File>,
    /// Their bytes, all together.
    pub(crate) size: u64,
    /// Files that are there and cannot be read.
    pub(crate) unreadable: Vec<Unreadable>,
    /// The directories that were looked into, the first one included.
    pub(crate) directories: BTreeSet<PathBuf>,
    /// For a directory, `dir-` and 12 hexadecimal digits of the SHA-256 of all of it; for a commit, its id.
    pub(crate) revision: String,
}

impl Listing {
    /// Adds a file, unless it is too much.
    pub(crate) fn add(&mut self, file: File) -> Result<(), Refused> {
        self.size += file.text.len() as u64;
        if self.size > MAXIMUM_TOTAL {
            return Err(too_many(MAXIMUM_TOTAL >> 20, "MiB of YAML"));
        }
        self.files.push(file);
        Ok(())
    }
}

/// A file that is there and cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The file.
    pub path: String,
    /// Why not.
    pub found: String,
    /// What is allowed.
    pub allowed: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// Why a directory as a whole cannot be read, and what to do.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

/// Reads every `*.yaml` and `*.yml` under `root`, in the order of their paths.
///
/// Names that begin with a dot, `node_modules`, and directories marked as a cache (`CACHEDIR.TAG`, as cargo
/// does with `target`) are passed over. A symbolic link is followed to a file inside `root` (as Kubernetes
/// mounts a ConfigMap) and nowhere else.
pub(crate) fn read(root: &Path) -> Result<Listing, Refused> {
    let home = root.canonicalize().map_err(|error| refused(root, &error))?;
    if !home.is_dir() {
        let remedy = "give the directory that holds the manifests".to_owned();
        return Err(Refused { reason: "it is a file, not a directory".into(), remedy });
    }
    let mut walk = Walk { root, home: &home, names: 0, listing: Listing::default(), hash: Sha256::new() };
    walk.directory(Path::new(""), 0)?;
    let Walk { mut listing, hash, .. } = walk;
    let digits: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    listing.revision = format!("dir-{digits}");
    Ok(listing)
}

fn refused(path: &Path, error: &io::Error) -> Refused {
    let (reason, remedy) = match error.kind() {
        io::ErrorKind::NotFound => {
            ("it does not exist", "create it, or give the directory that holds the manifests")
        }
        io::ErrorKind::PermissionDenied => ("permission denied", "give this user the right to read it"),
        _ => {
            let remedy = "give a directory that can be read".to_owned();
            return Refused { reason: format!("{}: {error}", path.display()), remedy };
        }
    };
    Refused { reason: reason.into(), remedy: remedy.into() }
}

struct Walk<'a> {
    /// The directory as it was given, for messages.
    root: &'a Path,
    /// The directory as it really is.
    home: &'a Path,
    names: usize,
    listing: Listing,
    hash: Sha256,
}

impl Walk<'_> {
    fn directory(&mut self, relative: &Path, depth: usize) -> Result<(), Refused> {
        let path = self.root.join(relative);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            // A directory that went away while it was looked for; whoever took it is seen next time.
            Err(error) if depth > 0 && error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if depth > 0 => {
                self.unreadable(relative, format!("a directory that cannot be read: {error}"), None, None);
                return Ok(());
            }
            Err(error) => return Err(refused(&path, &error)),
        };
        self.listing.directories.insert(path);
        let mut names = Vec::new();
        for entry in entries {
            self.names += 1;
            if self.names > MAXIMUM_NAMES {
                return Err(too_many(MAXIMUM_NAMES, "names"));
            }
            if let Ok(entry) = entry {
                names.push(entry.file_name());
            }
        }
        names.sort();
        if depth > 0 && names.iter().any(|name| name == "CACHEDIR.TAG") {
            return Ok(());
        }
        for name in names {
            // A name that is not UTF-8 is none that anybody gave a manifest.
            let Some(name) = name.to_str().filter(|name| !is_passed_over(name)) else { continue };
            self.name(&relative.join(name), name, depth)?;
        }
        Ok(())
    }

    fn name(&mut self, relative: &Path, name: &str, depth: usize) -> Result<(), Refused> {
        let path = self.root.join(relative);
        let Ok(metadata) = fs::symlink_metadata(&path) else { return Ok(()) };
        if metadata.is_dir() {
            if depth >= MAXIMUM_DEPTH {
                let found = format!("more than {MAXIMUM_DEPTH} directories one in another");
                self.unreadable(relative, found, None, None);
                return Ok(());
            }
            return self.directory(relative, depth + 1);
        }
        if is_manifest(name) {
            if self.listing.files.len() + self.listing.unreadable.len() >= MAXIMUM_FILES {
                return Err(too_many(MAXIMUM_FILES, "YAML files"));
            }
            self.file(relative, &path, &metadata)?;
        }
        Ok(())
    }

    fn file(&mut self, relative: &Path, path: &Path, metadata: &Metadata) -> Result<(), Refused> {
        if metadata.is_symlink() {
            match path.canonicalize() {
                Ok(target) if target.starts_with(self.home) => {}
                Ok(_) => {
                    let hint = Some("put the file itself there".into());
                    self.unreadable(relative, "a link that leads out of the directory".into(), None, hint);
                    return Ok(());
                }
                Err(error) => {
                    let found = format!("a link that leads nowhere: {error}");
                    self.unreadable(relative, found, None, None);
                    return Ok(());
                }
            }
        }
        match contents(path) {
            Ok(Some(text)) => {
                self.mix(relative, text.as_bytes());
                self.listing.add(File { path: path.display().to_string(), text })?;
            }
            Ok(None) => {}
            Err(Unreadable { found, allowed, hint, .. }) => self.unreadable(relative, found, allowed, hint),
        }
        Ok(())
    }

    fn unreadable(&mut self, relative: &Path, found: String, allowed: Option<String>, hint: Option<String>) {
        self.mix(relative, found.as_bytes());
        let path = self.root.join(relative).display().to_string();
        self.listing.unreadable.push(Unreadable { path, found, allowed, hint });
    }

    /// Adds one file to the revision. Lengths keep two files from passing for one.
    fn mix(&mut self, relative: &Path, content: &[u8]) {
        for part in [relative.as_os_str().as_encoded_bytes(), content] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
    }
}

/// The text of a file; `None` if it is gone or no file at all.
fn contents(path: &Path) -> Result<Option<String>, Unreadable> {
    // Opening a pipe or device could wait for ever.
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(wrong("neither a file nor a directory".into(), None, None)),
        Err(_) => return Ok(None),
    }
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAXIMUM_SIZE + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > MAXIMUM_SIZE => Err(too_large()),
        Ok(_) => String::from_utf8(bytes).map(Some).map_err(|error| not_utf8(error.utf8_error())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(format!("cannot be read: {error}"), None, None)),
    }
}

/// Whether a file of this name is read.
#[must_use]
pub fn is_manifest(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

/// Whether a file or directory of this name is not even looked at.
#[must_use]
pub fn is_passed_over(name: &str) -> bool {
    name.starts_with('.') || name == "node_modules"
}

/// Of a file with more than [`MAXIMUM_SIZE`]; its path is for the caller to set.
#[must_use]
pub fn too_large() -> Unreadable {
    wrong("more than 1 MiB".into(), Some("1 MiB for one file"), Some("spread the objects over several files"))
}

/// Of a file that is not text; its path is for the caller to set.
#[must_use]
pub fn not_utf8(error: std::str::Utf8Error) -> Unreadable {
    wrong(format!("not UTF-8 at byte {}", error.valid_up_to()), Some("UTF-8"), None)
}

fn wrong(found: String, allowed: Option<&str>, hint: Option<&str>) -> Unreadable {
    Unreadable { path: String::new(), found, allowed: allowed.map(Into::into), hint: hint.map(Into::into) }
}

pub(crate) fn too_many(limit: impl std::fmt::Display, what: &str) -> Refused {
    Refused {
        reason: format!("more than {limit} {what} in it"),
        remedy: "give the directory that holds the manifests and little else".into(),
    }
}
