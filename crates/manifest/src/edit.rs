//! Changes the replicas of a component in the text of a file, and not one character of anything else:
//! comments, order, quotes and indentation stay.
//!
//! The text is spliced at the positions of its tree. The result is read again and held against what was
//! wanted before it is handed out, so a style that is not understood is an error, never a broken file.

mod splice;

use crate::document::{self, Document};
use crate::tree::{self, Node, Value};
use crate::types::{Kind, Replicas};
use splice::Splicer;

/// Why a file was not edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not YAML.
    #[error("line {line}: {reason}; mend the file first")]
    Broken {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No `WasmComponent` of this name is in the text.
    #[error("no WasmComponent {component:?} here; found {}", list(found))]
    NotFound {
        /// The name that was looked for.
        component: String,
        /// The components that are there.
        found: Vec<String>,
    },
    /// The component is in the text more than once.
    #[error("WasmComponent {component:?} is here twice; keep one")]
    Twice {
        /// Its name.
        component: String,
    },
    /// What would change is written with an anchor, alias or merge key, so that other places would change too.
    #[error("line {line}: written with a YAML anchor or alias; edit it by hand")]
    Shared {
        /// The line, from 1.
        line: usize,
    },
    /// The number is more than a site may be asked for.
    #[error("{found} replicas; allowed are 0 to {}", Replicas::MAXIMUM)]
    TooMany {
        /// The number that was given.
        found: u32,
    },
    /// The component is written in a way that cannot be edited here.
    #[error("line {line}: cannot edit this way of writing sites; edit it by hand")]
    Unsupported {
        /// The line, from 1.
        line: usize,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// Sets `spec.sites.<site>.replicas` of a component for each of `changes`, adding sites that are missing.
/// 0 writes `replicas: 0` and removes nothing.
///
/// # Errors
/// [`EditError`] says why the text is as it was.
pub fn set_replicas(text: &str, component: &str, changes: &[(String, u32)]) -> Result<String, EditError> {
    let mut text = text.to_owned();
    for (site, count) in changes {
        if *count > Replicas::MAXIMUM {
            return Err(EditError::TooMany { found: *count });
        }
        text = set_one(&text, component, site, *count)?;
    }
    Ok(text)
}

fn set_one(text: &str, component: &str, site: &str, count: u32) -> Result<String, EditError> {
    let documents = documents(text)?;
    let target = find(&documents, component)?;
    let spec = target.node.get("spec").unwrap_or(&target.node);
    for path in [&["sites"][..], &["sites", site], &["sites", site, "replicas"]] {
        if let Some(node) = spec.at(path).filter(|node| node.shared) {
            return Err(EditError::Shared { line: node.start.line });
        }
    }
    let line = target.node.start.line;
    let unsupported = || EditError::Unsupported { line };
    if spec.shared {
        return Err(EditError::Shared { line: spec.start.line });
    }
    let edited = Splicer::new(text).set(spec, site, count).ok_or_else(unsupported)?;
    if !only_replicas_differ(text, &edited, component, site, count) {
        return Err(unsupported());
    }
    Ok(edited)
}

fn documents(text: &str) -> Result<Vec<Document>, EditError> {
    let (nodes, broken) = tree::parse(text);
    if let Some(broken) = broken {
        return Err(EditError::Broken { line: broken.at.line, reason: broken.found });
    }
    let mut documents = Vec::new();
    nodes.iter().for_each(|node| document::sort("", node, "", &mut documents, &mut Vec::new()));
    Ok(documents)
}

fn find<'a>(documents: &'a [Document], component: &str) -> Result<&'a Document, EditError> {
    let components = || documents.iter().filter(|document| document.kind == Kind::WasmComponent);
    let mut matching = components().filter(|document| document.name.as_deref() == Some(component));
    match (matching.next(), matching.next()) {
        (Some(document), None) => Ok(document),
        (Some(_), Some(_)) => Err(EditError::Twice { component: component.into() }),
        (None, _) => {
            let found = components().filter_map(|document| document.name.clone()).collect();
            Err(EditError::NotFound { component: component.into(), found })
        }
    }
}

/// Whether the texts mean the same but for these replicas.
fn only_replicas_differ(before: &str, after: &str, component: &str, site: &str, count: u32) -> bool {
    let (Ok(mut before), Ok(mut after)) = (documents(before), documents(after)) else { return false };
    let is_target = |document: &Document| {
        document.kind == Kind::WasmComponent && document.name.as_deref() == Some(component)
    };
    let mut found = false;
    for document in after.iter_mut().filter(|document| is_target(document)) {
        let replicas = document.node.at(&["spec", "sites", site, "replicas"]);
        found = replicas
            .is_some_and(|node| matches!(node.value, Value::Integer(number) if number == i64::from(count)));
    }
    let json = |documents: &mut Vec<Document>| -> Vec<serde_json::Value> {
        let blank = |document: &mut Document| {
            let mut json = document.node.to_json();
            if is_target(document) {
                blank_replicas(&mut json, site);
            }
            json
        };
        documents.iter_mut().map(blank).collect()
    };
    found && json(&mut before) == json(&mut after)
}

/// Makes `spec.sites.<site>` a mapping with `replicas: 0`, whatever it was.
fn blank_replicas(document: &mut serde_json::Value, site: &str) {
    let Some(spec) = document.get_mut("spec").and_then(serde_json::Value::as_object_mut) else { return };
    let empty = || serde_json::Value::Object(serde_json::Map::new());
    let mut slot = spec.entry("sites").or_insert_with(empty);
    for key in [Some(site), None] {
        if slot.is_null() {
            *slot = empty();
        }
        let Some(fields) = slot.as_object_mut() else { return };
        match key {
            Some(key) => slot = fields.entry(key).or_insert_with(empty),
            None => {
                fields.insert("replicas".into(), 0.into());
                return;
            }
        }
    }
}

/// Whether a map is written in flow style, `{ … }`; its start is then the brace.
fn is_flow(node: &Node, first: Option<char>) -> bool {
    matches!(node.value, Value::Map(_)) && first == Some('{')
}
