//! Which values a change changes, and where each comes from: the commit and the line that wrote it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use dunlin_manifest::{Difference, File, Snapshot, differences, line_of};
use serde::Serialize;
use serde_json::Value as Json;

use super::place::in_words;
use crate::git::{Git, short};

/// One value that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Value {
    /// The object, as `component/todo`.
    pub(crate) object: String,
    /// The field, as `spec.sites.gcp.replicas`; empty where the whole object comes or goes.
    pub(crate) field: String,
    /// What it was.
    pub(crate) before: Option<Json>,
    /// What it will be.
    pub(crate) after: Option<Json>,
    /// Where it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Source>,
}

/// Where a value is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Source {
    /// The file.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The full id of the commit that wrote the line; none where it is not committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
}

/// Where lines are looked up: the files of one side, and the commit that they are of.
pub(crate) struct Place<'a> {
    /// The files.
    pub(crate) files: &'a [File],
    /// The repository, where there is one.
    pub(crate) git: Option<&'a Git>,
    /// The commit that has the lines; none for the working tree.
    pub(crate) revision: Option<&'a str>,
    /// Where the paths are names within the repository: of the files that are links, what they lead to, which is what
    /// was written.
    pub(crate) links: Option<&'a BTreeMap<String, String>>,
}

/// All values that differ, each with its source in `place`.
pub(crate) fn values(before: &Snapshot, after: &Snapshot, place: &Place<'_>) -> Result<Vec<Value>> {
    differences(before, after).into_iter().map(|difference| value(difference, place)).collect()
}

fn value(difference: Difference, place: &Place<'_>) -> Result<Value> {
    let path: Vec<&str> = difference.path.iter().map(String::as_str).collect();
    let found = place
        .files
        .iter()
        .find_map(|file| line_of(&file.text, &difference.object, &path).map(|line| (file, line)));
    let source = match found {
        Some((file, line)) => Some(place.source(file, line)?),
        None => None,
    };
    Ok(Value {
        object: in_words(&difference.object),
        field: path.join("."),
        // A whole object is in the file; here it would only hide the rest.
        before: difference.before.map(|json| if path.is_empty() { Json::Bool(true) } else { json }),
        after: difference.after.map(|json| if path.is_empty() { Json::Bool(true) } else { json }),
        source,
    })
}

impl Place<'_> {
    fn source(&self, file: &File, line: usize) -> Result<Source> {
        let Some(git) = self.git else {
            return Ok(Source { file: file.path.clone(), line, commit: None });
        };
        let name = match self.links {
            Some(links) => links.get(&file.path).unwrap_or(&file.path).clone(),
            None => git.name_of(Path::new(&file.path))?,
        };
        let lines = format!("{line},{line}");
        let mut arguments = vec!["blame", "--porcelain", "-L", &lines];
        arguments.extend(self.revision);
        arguments.extend(["--", &name]);
        let said = git.attempt(arguments)?;
        let commit = said.output.split(' ').next().unwrap_or_default();
        let known = said.well && commit.bytes().any(|digit| digit != b'0');
        Ok(Source { commit: known.then(|| commit.to_owned()), line, file: name })
    }
}

impl Source {
    /// As people are shown it: `apps/todo.yaml:14, 3f2a91c`.
    pub(crate) fn words(&self) -> String {
        let commit = self.commit.as_deref().map_or("not committed", short);
        format!("{}:{}, {commit}", self.file, self.line)
    }
}

impl Value {
    /// What it was and will be: `1 -> 2`.
    pub(crate) fn change(&self) -> String {
        if self.field.is_empty() {
            return if self.before.is_some() { "is removed" } else { "is new" }.to_owned();
        }
        let word = |value: &Option<Json>| match value {
            None => "none".to_owned(),
            Some(Json::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        format!("{} -> {}", word(&self.before), word(&self.after))
    }
}
