//! `dunlin move`: edits the manifest that says where a component runs, and touches nothing else in it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::discovery;
use crate::printer::{self, BAD, GOOD, WrongInput, styled};

/// What to move where.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  dunlin move todo gcp=0 aws=2\n  dunlin move todo gcp=2 aws=0 --directory apps/todo\n\n\
    The running lattice follows the file; nothing else is told."
)]
pub(crate) struct Options {
    /// The component.
    component: String,
    /// Replicas by site, such as `gcp=0`.
    #[arg(required = true, value_name = "SITE=REPLICAS", value_parser = parse_change)]
    changes: Vec<(String, u32)>,
    /// The directory of manifests; that of the running `dunlin dev` if it is not given.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Shows what would change and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// The `dunlin dev` whose directory is meant, where several run.
    #[arg(long)]
    process: Option<u32>,
}

fn parse_change(text: &str) -> Result<(String, u32), String> {
    let (site, replicas) = text.split_once('=').ok_or("expected SITE=REPLICAS, such as gcp=2")?;
    let replicas = replicas.parse().map_err(|_| format!("{replicas:?} is no number of replicas"))?;
    Ok((site.to_owned(), replicas))
}

/// Edits the file and shows the lines that changed.
///
/// # Errors
/// No such component or site, or the file cannot be edited.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let (directory, git) = match &options.directory {
        Some(directory) => (directory.clone(), None),
        None => {
            let running = discovery::find(options.process).context("give the manifests with --directory")?;
            (running.directory, running.git)
        }
    };
    if let Some(git) = git.as_ref().filter(|git| git.tree.is_none()) {
        let text = format!(
            "{} has no working tree here: clone it, and name its manifests with --directory",
            git.url
        );
        return Err(WrongInput(text).into());
    }
    let edit = plan(&directory, &options.component, &options.changes)?;
    for (sign, line) in edit.difference() {
        let style = if sign == '-' { BAD } else { GOOD };
        printer::line(styled(style, format!("{sign} {line}")));
    }
    if !options.dry_run {
        edit.write()?;
        printer::note(format!("wrote {}", edit.path.display()));
        if git.is_some() {
            printer::note("commit it: the running lattice follows the commits of the repository");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An edit that was checked but not written yet.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) path: PathBuf,
    before: String,
    after: String,
}

/// Works out the edit that gives `component` so many replicas in each of the named sites.
///
/// # Errors
/// No such component or site, or a form of YAML that cannot be edited in place.
pub(crate) fn plan(directory: &Path, component: &str, changes: &[(String, u32)]) -> Result<Edit> {
    let (files, reading) =
        dunlin_source::read_directory(directory).map_err(|error| WrongInput(error.to_string()))?;
    let Some(object) = reading.snapshot.components.get(component) else {
        let known: Vec<_> = reading.snapshot.components.keys().map(String::as_str).collect();
        let text =
            format!("no component {component:?} in {}; there is {}", directory.display(), known.join(", "));
        return Err(WrongInput(text).into());
    };
    if let Some((twice, _)) = changes.iter().enumerate().find_map(|(index, change)| {
        changes.iter().take(index).any(|(site, _)| *site == change.0).then_some(change)
    }) {
        return Err(WrongInput(format!("site {twice:?} is named twice")).into());
    }
    if let Some(lattice) = &reading.snapshot.lattice
        && let Some((unknown, _)) = changes.iter().find(|(site, _)| !lattice.spec.sites.contains_key(site))
    {
        let known: Vec<_> = lattice.spec.sites.keys().map(String::as_str).collect();
        return Err(
            WrongInput(format!("unknown site {unknown:?}; the lattice has {}", known.join(", "))).into()
        );
    }
    let file = &object.origin.file;
    let before = files.iter().find(|candidate| candidate.path == *file).map(|found| found.text.clone());
    let before = before.with_context(|| format!("{file} is gone"))?;
    let after = dunlin_manifest::set_replicas(&before, component, changes)
        .map_err(|error| WrongInput(error.to_string()))?;
    // The file is named as the directory was, so that it is found from where this process is.
    Ok(Edit { path: PathBuf::from(file), before, after })
}

impl Edit {
    /// Lines that go (`-`) and come (`+`), in the order of the file.
    fn difference(&self) -> Vec<(char, &str)> {
        let (before, after): (Vec<_>, Vec<_>) = (self.before.lines().collect(), self.after.lines().collect());
        let same = |(one, other): &(&&str, &&str)| one == other;
        let head = before.iter().zip(&after).take_while(same).count();
        let rest = before.len().min(after.len()) - head;
        let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(same).count();
        let middle = |lines: &[&'_ str]| head..lines.len() - tail;
        let gone = before.get(middle(&before)).unwrap_or_default().iter().map(|line| ('-', *line));
        let came = after.get(middle(&after)).unwrap_or_default().iter().map(|line| ('+', *line));
        gone.chain(came).collect()
    }

    /// Writes the file so that a reader sees the old or the new, never half of it.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn write(&self) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let context = || format!("cannot write {}", self.path.display());
        let mut unfinished =
            tempfile::Builder::new().prefix(".dunlin-").tempfile_in(folder).with_context(context)?;
        std::io::Write::write_all(&mut unfinished, self.after.as_bytes()).with_context(context)?;
        let permissions = std::fs::metadata(&self.path).with_context(context)?.permissions();
        unfinished.as_file().set_permissions(permissions).with_context(context)?;
        unfinished.persist(&self.path).with_context(context)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODO: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo }\nspec:\n  \
        image: example.com/todo:1\n  sites: { a: { replicas: 2 }, b: { replicas: 0 } }  # two\n";

    #[test]
    fn edits_the_file_that_was_read() {
        // Relative, as people give it.
        let folder = tempfile::tempdir_in(".").unwrap();
        let directory = Path::new(folder.path().file_name().unwrap());
        let lattice = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { a: {}, b: {} } }\n";
        std::fs::write(directory.join("lattice.yaml"), lattice).unwrap();
        std::fs::write(directory.join("todo.yaml"), TODO).unwrap();
        let edit = plan(directory, "todo", &[("a".to_owned(), 0), ("b".to_owned(), 2)]).unwrap();
        edit.write().unwrap();
        let text = std::fs::read_to_string(directory.join("todo.yaml")).unwrap();
        assert!(text.contains("a: { replicas: 0 }, b: { replicas: 2 } }  # two"), "{text}");
        assert_eq!(edit.difference().len(), 2);
        assert!(plan(directory, "todo", &[("c".to_owned(), 1)]).unwrap_err().is::<WrongInput>());
    }
}
