//! An edit of one file that was worked out but not written yet.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use similar::{ChangeTag, TextDiff};

/// Lines around a change that are shown with it.
const AROUND: usize = 1;

/// What a file says and what it shall say.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// The file, as it is found from here.
    pub(crate) path: PathBuf,
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Edit {
    /// Lines that go (`-`), come (`+`) and stand around them, in the order of the file.
    pub(crate) fn difference(&self) -> Vec<(char, String)> {
        let difference = TextDiff::from_lines(&self.before, &self.after);
        let groups = difference.grouped_ops(AROUND);
        let operations = groups.iter().flatten();
        let lines = operations.flat_map(|operation| difference.iter_changes(operation)).map(|change| {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            (sign, change.value().trim_end_matches(['\n', '\r']).to_owned())
        });
        lines.collect()
    }

    /// Writes the file so that a reader sees the old or the new, never half of it.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn write(&self) -> Result<()> {
        self.put(self.after.as_bytes())
    }

    /// Makes the file what it was, for instance.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn put(&self, text: &[u8]) -> Result<()> {
        replace(&self.path, text)
    }

    /// The same edit of the file of this path.
    pub(crate) fn of(&self, path: PathBuf) -> Self {
        Self { path, ..self.clone() }
    }
}

fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    // A link stays one: what it leads to is replaced.
    let path = std::fs::canonicalize(path).with_context(context)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut unfinished =
        tempfile::Builder::new().prefix(".dunlin-").tempfile_in(folder).with_context(context)?;
    std::io::Write::write_all(&mut unfinished, text).with_context(context)?;
    let permissions = std::fs::metadata(&path).with_context(context)?.permissions();
    unfinished.as_file().set_permissions(permissions).with_context(context)?;
    unfinished.persist(&path).with_context(context)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_changes_and_writes_it_and_takes_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        let (before, after) = ("one\ntwo\nthree\nfour\n".to_owned(), "one\n2\nthree\nfour\n".to_owned());
        std::fs::write(&path, &before).unwrap();
        let edit = Edit { path: path.clone(), before: before.clone(), after: after.clone() };
        let shown: Vec<_> = edit.difference().iter().map(|(sign, line)| format!("{sign} {line}")).collect();
        assert_eq!(shown, ["  one", "- two", "+ 2", "  three"]);
        edit.write().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        edit.put(before.as_bytes()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    }
}
