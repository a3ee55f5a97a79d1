//! An edit of one file that was worked out but not written yet.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use similar::{Algorithm, ChangeTag, capture_diff_slices, group_diff_ops};

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
        let (before, after) = (lines(&self.before), lines(&self.after));
        let operations = capture_diff_slices(Algorithm::Myers, &placed(&before), &placed(&after));
        let groups = group_diff_ops(operations, AROUND);
        let changes = groups.iter().flatten().flat_map(|operation| operation.iter_changes(&before, &after));
        let shown = changes.map(|change| {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            (sign, change.value().to_owned())
        });
        shown.collect()
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

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Each line with the keys that it stands under: the same words under another key are another line, and no sign that
/// something stayed.
fn placed<'a>(lines: &[&'a str]) -> Vec<(Vec<&'a str>, &'a str)> {
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut place = |line: &&'a str| {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        if !text.is_empty() {
            above.retain(|(other, _)| *other < depth);
        }
        let keys = above.iter().map(|(_, key)| *key).collect();
        if let Some((key, _)) = text.split_once(':').filter(|_| !text.starts_with('#')) {
            above.push((depth, key));
        }
        (keys, *line)
    };
    lines.iter().map(&mut place).collect()
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
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_line_stays_only_where_it_stands() {
        let head = "spec:\n  image: a\n  sites:\n";
        let differ = |before: &str, after: &str| {
            let (before, after) = (format!("{head}{before}"), format!("{head}{after}"));
            let edit = Edit { path: "a.yaml".into(), before, after };
            let lines: Vec<_> =
                edit.difference().iter().map(|(sign, line)| format!("{sign} {line}")).collect();
            lines.join("\n")
        };
        // The number that goes in one site comes in the other.
        let two = |gcp, aws| {
            format!("    gcp:\n      replicas: {gcp}\n    # else\n\n    aws:\n      replicas: {aws}\n")
        };
        expect![[r#"
                  gcp:
            -       replicas: 2
            +       replicas: 0
                  # else
                  aws:
            -       replicas: 1
            +       replicas: 2"#]]
        .assert_eq(&differ(&two(2, 1), &two(0, 2)));
        let one = "    gcp:\n      replicas: 2\n  links: {}\n";
        expect![[r#"
                  gcp:
            -       replicas: 2
            +       replicas: 0
            +     aws:
            +       replicas: 2
                links: {}"#]]
        .assert_eq(&differ(one, "    gcp:\n      replicas: 0\n    aws:\n      replicas: 2\n  links: {}\n"));
    }

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
