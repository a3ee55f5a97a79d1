//! `dunlin diff`: what the repository's head would change in what runs here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use dunlin_manifest::{File, Reading, Snapshot, differences, short_revision};
use dunlin_source::GitUrl;
use serde::Serialize;

use super::held::{self, Held};
use super::values::{self, Place, Value};
use super::{consequences, meaning, origins, place, seen, show, tree};
use crate::discovery;
use crate::git::{Git, short};
use crate::printer::{self, BAD, DIM, INVALID, Output, WARN, WrongInput, styled, table, without_credentials};

/// What to compare with what runs.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin diff                               the head of what the running `dunlin dev` follows\n  \
    dunlin diff ./manifests --worktree        what is not committed as well\n  \
    dunlin diff --revision 3f2a91c\n  \
    dunlin diff --git https://example.com/app.git --path manifests\n\n\
    Exit codes: 0 nothing would change, 1 something would, 2 invalid, held by the hosts, or nothing to compare with"
)]
pub(crate) struct Options {
    /// The directory of manifests; without it what the running `dunlin dev` follows.
    directory: Option<PathBuf>,
    /// The repository to compare (a URL or path), cloned for the moment: its head, or --revision.
    #[arg(long, value_name = "URL", conflicts_with_all = ["directory", "worktree"])]
    git: Option<String>,
    /// The directory of manifests within the repository that --git names.
    #[arg(long, value_name = "DIRECTORY", requires = "git", default_value = "")]
    path: String,
    /// The files as they are, committed or not.
    #[arg(long, conflicts_with = "revision")]
    worktree: bool,
    /// A commit, branch or tag, instead of the head.
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// The `dunlin dev` that is meant, where several run.
    #[arg(long, value_name = "NUMBER", value_parser = crate::discovery::parse_process)]
    process: Option<u32>,
    /// Text for people or JSON for scripts.
    #[arg(long, short, default_value = "text")]
    output: Output,
}

/// One side: what a repository or directory says.
struct Side {
    /// The directory, as the paths of its files begin.
    root: PathBuf,
    files: Vec<File>,
    reading: Reading,
    git: Option<Git>,
    /// The commit's full id; none for files as they are.
    revision: Option<String>,
    /// Where links among the files lead, whose paths are names within the repository; none for files as they are.
    links: Option<BTreeMap<String, String>>,
    _clone: Option<tempfile::TempDir>,
}

/// What would change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    /// The revision that runs.
    from: String,
    /// The revision that is compared; none for files as they are.
    to: Option<String>,
    /// Why hosts would not follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    changes: Vec<Change>,
    mistakes: Vec<dunlin_manifest::Mistake>,
    warnings: Vec<super::Warning>,
}

#[derive(Serialize)]
struct Change {
    #[serde(flatten)]
    value: Value,
    /// What follows, in words.
    meaning: &'static str,
}

/// Compares and tells. Whatever keeps it from that ends with 2 as well: 1 would say that there are changes.
///
/// # Errors
/// None; they are told.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    compare(options).await.or_else(|error| {
        printer::failure(&error);
        Ok(ExitCode::from(INVALID))
    })
}

/// # Errors
/// Nothing runs, or the repository cannot be read.
async fn compare(options: Options) -> Result<ExitCode> {
    let mut side = side(&options)?;
    let nothing = "there is nothing to compare with";
    let mut running = seen::manifests(options.process).await.context(nothing)?;
    let follows = discovery::find(options.process).context(nothing)?;
    // Whatever a file is called here and there, it is the same one that holds back its objects.
    origins::rename(&mut running.snapshot, &follows, &side.root);
    let held = match (&options.revision, side.head()) {
        // The head is what hosts look at; what else is named is only compared.
        (None, Some(head)) => held::would_be(&running, side.git.as_ref(), &head, side.reading.clone()),
        _ => None,
    };
    // What is mistaken stays as it is where it runs.
    let mistakes = std::mem::take(&mut side.reading.mistakes);
    let after = side.reading.clone().hold_back(&running.snapshot);
    let lattice = running.snapshot.lattice.as_ref().map(|lattice| lattice.name.clone());
    let seen = seen::ask(lattice.as_deref(), options.process).await;
    let told = Told {
        changes: changes(&running.snapshot, &after, &side)?,
        warnings: consequences(&running.snapshot, &after, seen.as_ref()).warnings,
        from: running.revision,
        to: side.revision.clone(),
        held,
        mistakes,
    };
    let code = match (told.mistakes.is_empty() && told.held.is_none(), told.changes.is_empty()) {
        (false, _) => ExitCode::from(INVALID),
        (true, false) => ExitCode::FAILURE,
        (true, true) => ExitCode::SUCCESS,
    };
    if options.output == Output::Json {
        printer::json(&told)?;
        return Ok(code);
    }
    show_all(&told);
    Ok(code)
}

fn show_all(told: &Told) {
    for mistake in &told.mistakes {
        printer::line(format!(
            "{} {}",
            styled(BAD, "mistake"),
            dunlin_providers::logging::escape(&mistake.to_string())
        ));
    }
    if let Some(Held { reason, message }) = &told.held {
        printer::line(format!("{} {message}", styled(BAD, reason)));
    }
    let row = |change: &Change| {
        let mut row = show::row(&change.value);
        row.push(change.meaning.to_owned());
        row
    };
    table(&told.changes.iter().map(row).collect::<Vec<_>>()).iter().for_each(printer::line);
    for warning in &told.warnings {
        printer::line(format!("{} {}", styled(WARN, "warning"), warning.message));
    }
    printer::note(styled(DIM, sum(told)));
}

/// How much differs, in a sentence.
fn sum(told: &Told) -> String {
    let from = short_revision(&told.from);
    let to = told.to.as_deref().map(short_revision);
    let held = if told.held.is_some() { ", and none of it comes into force" } else { "" };
    match (told.changes.len(), to) {
        (0, Some(to)) if to == from => format!("{to} is what runs"),
        (0, Some(to)) => format!("{to} says nothing that {from} does not say"),
        (0, None) => format!("the files say nothing that {from} does not say"),
        (1, to) => format!("one value differs between {from} and {}{held}", to.unwrap_or("the files")),
        (count, to) => {
            format!("{count} values differ between {from} and {}{held}", to.unwrap_or("the files"))
        }
    }
}

fn changes(before: &Snapshot, after: &Snapshot, side: &Side) -> Result<Vec<Change>> {
    let place = Place {
        files: &side.files,
        git: side.git.as_ref(),
        revision: side.revision.as_deref(),
        links: side.links.as_ref(),
    };
    let meanings = differences(before, after);
    let meanings = meanings.iter().map(|difference| meaning::of(difference, before, after));
    let values = values::values(before, after, &place)?;
    Ok(values.into_iter().zip(meanings).map(|(value, meaning)| Change { value, meaning }).collect())
}

impl Side {
    /// The commit that hosts would look at: for files as they are, the one that they would be committed on.
    fn head(&self) -> Option<String> {
        let in_repository = || self.git.as_ref()?.commit("HEAD").ok();
        // A directory without a repository is no less followed.
        Some(self.revision.clone().or_else(in_repository).unwrap_or_default())
    }
}

fn side(options: &Options) -> Result<Side> {
    let named = options.revision.as_deref();
    if let Some(url) = &options.git {
        return cloned(url, &options.path, named.unwrap_or("HEAD"));
    }
    if let Some(directory) = &options.directory {
        return here(directory, options.worktree, named, "HEAD");
    }
    let running = discovery::find(options.process).context("there is nothing to compare with")?;
    let branch = running.git.as_ref().and_then(|git| git.branch.as_deref()).unwrap_or("HEAD");
    match &running.git {
        Some(git) if running.directory.as_os_str().is_empty() => {
            if options.worktree {
                let text = format!(
                    "`dunlin dev` follows {}, which has no working tree here; name a DIRECTORY to compare",
                    git.url
                );
                return Err(WrongInput(text).into());
            }
            cloned(&git.url, &git.path, named.unwrap_or(branch))
        }
        _ => here(&running.directory, options.worktree, named, branch),
    }
}

/// What a directory on this machine says: committed, if it is in a repository and its files are not asked for.
fn here(directory: &Path, worktree: bool, named: Option<&str>, head: &str) -> Result<Side> {
    let git = Git::around(directory)?;
    match git {
        Some(git) if !worktree => {
            let (revision, name) = (git.commit(named.unwrap_or(head))?, tree::name_of(&git, directory)?);
            committed(git, revision, &name, "DIRECTORY")
        }
        None if named.is_some() => {
            let way = "leave out --revision, or name a directory that is in one";
            let text =
                format!("{} is in no Git repository, so it has no revisions; {way}", directory.display());
            Err(WrongInput(text).into())
        }
        git => {
            let place::Manifests { files, reading, .. } = place::Manifests::read(directory)?;
            let root = directory.to_owned();
            Ok(Side { root, files, reading, git, revision: None, links: None, _clone: None })
        }
    }
}

/// What a repository elsewhere says, cloned for the moment.
fn cloned(url: &str, path: &str, wanted: &str) -> Result<Side> {
    let folder = tempfile::Builder::new().prefix("dunlin-diff-").tempdir()?;
    let git = clone(url, folder.path())?;
    let revision = git.commit(wanted).or_else(|_| git.commit(&format!("origin/{wanted}")))?;
    let side = committed(git, revision, path.trim_matches('/'), "--path")?;
    Ok(Side { _clone: Some(folder), ..side })
}

/// What a commit says in a directory, which is named by `option`.
fn committed(git: Git, revision: String, directory: &str, option: &str) -> Result<Side> {
    let listing = tree::read(&git, &revision, directory)?;
    if !listing.there {
        let way = format!("commit the manifests there, or name the directory that holds them with {option}");
        return Err(WrongInput(format!("{} has no directory {directory}; {way}", short(&revision))).into());
    }
    let (reading, tree::Listing { files, links, .. }) = (listing.reading(), listing);
    let root = directory.into();
    Ok(Side {
        root,
        files,
        reading,
        git: Some(git),
        revision: Some(revision),
        links: Some(links),
        _clone: None,
    })
}

/// A repository for the moment, with the history that tells where values come from.
fn clone(url: &str, folder: &Path) -> Result<Git> {
    let place = folder.join("repository");
    let here = Git { root: folder.to_owned() };
    // A path goes out from where the command was given, and not from where it is cloned.
    let local = GitUrl::parse(url).map_err(|error| WrongInput(format!("--git: {error}")))?.local();
    if let Some(local) = local.as_ref().filter(|local| !local.exists()) {
        return Err(WrongInput(format!("there is no repository {}", local.display())).into());
    }
    let from = local.unwrap_or_else(|| url.into());
    let arguments = ["clone", "--quiet", "--bare", "--"].map(std::ffi::OsStr::new);
    here.run(arguments.into_iter().chain([from.as_os_str(), place.as_os_str()]))
        .with_context(|| format!("cannot clone {}", without_credentials(url)))?;
    Ok(Git::of(&place))
}
