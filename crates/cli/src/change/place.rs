//! Where the manifests are, and what they say now.

use std::path::{Path, PathBuf};

use anyhow::Result;
use dunlin_manifest::{File, Object, ObjectReference, Reading, Snapshot, WasmComponent, did_you_mean};

use super::publish::Extent;
use super::{base, repository};
use crate::discovery::{self, Running};
use crate::git::Git;
use crate::printer::{self, WrongInput};

/// Files that are named where an object is in several of them.
const SHOWN: usize = 5;

/// Which manifests are meant.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Where {
    /// The directory of manifests; without it that of the running `dunlin dev`, else the current one.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
    /// The `dunlin dev` that is meant, where several run.
    #[arg(long, value_name = "NUMBER", value_parser = discovery::parse_process)]
    pub(crate) process: Option<u32>,
}

/// A directory of manifests, read whole.
#[derive(Debug)]
pub(crate) struct Manifests {
    pub(crate) directory: PathBuf,
    pub(crate) files: Vec<File>,
    pub(crate) reading: Reading,
    /// What the working tree says, where these are what the head has instead.
    pub(crate) working: Option<Box<Snapshot>>,
}

impl Where {
    /// The directory.
    ///
    /// # Errors
    /// None was named, no `dunlin dev` runs, and there are no manifests here.
    pub(crate) fn find(&self) -> Result<PathBuf> {
        if let Some(directory) = &self.directory {
            return Ok(tidy(directory));
        }
        let running = discovery::find(self.process).and_then(|running| {
            anyhow::ensure!(
                !running.directory.as_os_str().is_empty(),
                "`dunlin dev` follows {}, which has no working tree here",
                running.git.as_ref().map_or("a repository", |git| git.url.as_str())
            );
            Ok(running)
        });
        match running {
            Ok(running) => {
                if !stands_in(&running) {
                    let directory: PathBuf = running.directory.components().collect();
                    let directory = directory.display();
                    printer::note(format!(
                        "in {directory}, which the running `dunlin dev` follows; --directory names others"
                    ));
                }
                Ok(running.directory)
            }
            Err(error) if self.process.is_some() => Err(error),
            Err(error) => {
                let here = PathBuf::from(".");
                if holds_manifests(&here) {
                    return Ok(here);
                }
                Err(WrongInput(format!(
                    "which manifests? name them with --directory DIR, or run this where they are ({error})"
                ))
                .into())
            }
        }
    }
}

/// Whether the current directory is in the manifests, or in their repository.
fn stands_in(running: &Running) -> bool {
    let Ok(here) = std::env::current_dir().and_then(|here| here.canonicalize()) else { return false };
    let tree = running.git.as_ref().and_then(|git| git.tree.as_deref());
    let within = |place: &Path| place.canonicalize().is_ok_and(|place| here.starts_with(place));
    [Some(running.directory.as_path()), tree].into_iter().flatten().any(within)
}

/// A path without ways back and forth; one that only leads up from here stays as it was given.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut parts = path.components().skip_while(|part| matches!(part, Component::ParentDir));
    let winds = parts.any(|part| part == Component::ParentDir);
    path.canonicalize().ok().filter(|_| winds).unwrap_or_else(|| path.to_owned())
}

fn holds_manifests(directory: &Path) -> bool {
    dunlin_source::read_directory(directory).is_ok_and(|(_, reading)| {
        reading.snapshot.lattice.is_some() || !reading.snapshot.components.is_empty()
    })
}

impl Manifests {
    /// Reads what the directory says.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let (files, reading) =
            dunlin_source::read_directory(directory).map_err(|error| WrongInput(error.to_string()))?;
        Ok(Self { directory: directory.to_owned(), files, reading, working: None })
    }

    /// Reads what a change that goes so far starts from: what the head has, if it is to be committed.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn before(directory: &Path, extent: Extent) -> Result<Self> {
        let manifests = Self::read(directory)?;
        if extent.starts_from_head() { base::of_head(manifests) } else { Ok(manifests) }
    }

    /// A component.
    ///
    /// # Errors
    /// Wrong input: there is none of this name, or it has mistakes.
    pub(crate) fn component(&self, name: &str) -> Result<&Object<WasmComponent>> {
        self.in_one_file(&super::component(name))?;
        let snapshot = &self.reading.snapshot;
        if let Some(object) = snapshot.components.get(name) {
            return Ok(object);
        }
        let own = |mistake: &&dunlin_manifest::Mistake| {
            mistake.object.as_ref().is_some_and(|object| object.name == name)
        };
        let text = match self.reading.mistakes.iter().find(own) {
            Some(mistake) => format!("component {name:?} has a mistake; mend it first: {mistake}"),
            None => {
                let known: Vec<_> = snapshot.components.keys().map(String::as_str).collect();
                let hint = did_you_mean(name, known.iter().copied()).map(|hint| format!(": {hint}"));
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                format!(
                    "no component {name:?} in {}{}; there is {known}{}",
                    self.directory.display(),
                    hint.unwrap_or_default(),
                    self.unread()
                )
            }
        };
        Err(WrongInput(text).into())
    }

    /// Why an object that is not found may be there all the same: something is under way in the repository, or a file
    /// cannot be read. Empty if that is not so.
    pub(crate) fn unread(&self) -> String {
        let Some(mistake) = self.reading.unread() else { return String::new() };
        let git = Git::around(&self.directory).ok().flatten();
        let under_way = git.and_then(|git| repository::under_way(&git).ok().flatten());
        let under_way = under_way.map(|text| format!(" ({text})")).unwrap_or_default();
        format!("; not read: {mistake}{under_way}")
    }

    /// # Errors
    /// Wrong input: several files have the object, and nobody can say which of them is meant.
    pub(crate) fn in_one_file(&self, object: &ObjectReference) -> Result<()> {
        let has = |file: &&File| dunlin_manifest::objects_in(&file.text).contains(object);
        let found: Vec<_> = self.files.iter().filter(has).map(|file| file.path.as_str()).collect();
        if found.len() < 2 {
            return Ok(());
        }
        let more = match found.len().saturating_sub(SHOWN) {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let named = found.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        Err(WrongInput(format!(
            "{} is in {} files: {named}{more}; name the directory of the one that is meant with --directory",
            in_words(object),
            found.len()
        ))
        .into())
    }

    /// The file that has an object: its path and its text.
    ///
    /// # Errors
    /// Wrong input: it is written in a way that it is not found by.
    pub(crate) fn file_of(&self, object: &ObjectReference) -> Result<&File> {
        let found = self.files.iter().find(|file| dunlin_manifest::objects_in(&file.text).contains(object));
        let way = "edit it by hand, and `dunlin validate` tells whether it is right";
        let none =
            || format!("no file in {} has {} by its name; {way}", self.directory.display(), in_words(object));
        Ok(found.ok_or_else(|| WrongInput(none()))?)
    }
}

/// What the files would say, were one of them `text`.
pub(crate) fn with(files: &[File], path: &str, text: &str) -> Vec<File> {
    let replaced = |file: &File| {
        let text = if file.path == path { text.to_owned() } else { file.text.clone() };
        File { path: file.path.clone(), text }
    };
    files.iter().map(replaced).collect()
}

/// An object as people write it: `component/todo`, or `todo` for a component.
///
/// # Errors
/// An unknown kind.
pub(crate) fn parse_object(text: &str) -> Result<ObjectReference, String> {
    use dunlin_manifest::Kind;
    let (kind, name) = text.split_once('/').unwrap_or(("component", text));
    let kind = match kind {
        "component" | "wc" | "WasmComponent" => Kind::WasmComponent,
        "provider" | "WasmProvider" => Kind::WasmProvider,
        "lattice" | "Lattice" => Kind::Lattice,
        other => {
            return Err(format!(
                "unknown kind {other:?}; write component/NAME, provider/NAME or lattice/NAME"
            ));
        }
    };
    Ok(ObjectReference { kind, name: name.to_owned() })
}

/// A component as people write it: `todo` or `component/todo`.
///
/// # Errors
/// Another kind.
pub(crate) fn parse_component(text: &str) -> Result<String, String> {
    let object = parse_object(text)?;
    match object.kind {
        dunlin_manifest::Kind::WasmComponent => Ok(object.name),
        _ => Err(format!("{} is no component; write NAME or component/NAME", in_words(&object))),
    }
}

/// An object as it is shown.
pub(crate) fn in_words(object: &ObjectReference) -> String {
    use dunlin_manifest::Kind;
    let kind = match object.kind {
        Kind::WasmComponent => "component",
        Kind::WasmProvider => "provider",
        Kind::Lattice => "lattice",
    };
    format!("{kind}/{}", object.name)
}
