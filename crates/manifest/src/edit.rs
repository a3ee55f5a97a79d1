//! Changes an object in the text of a file, and not one character of anything else: comments, order, quotes and
//! indentation stay.
//!
//! The text is spliced at the positions of its tree. The result is read again and held against what was
//! wanted before it is handed out, so a style that is not understood is an error, never a broken file.

mod place;
mod restore;
mod splice;

use serde_json::{Map, Value as Json};

use crate::document::{self, Document};
use crate::tree::{self, Node, Value};
use crate::types::{Kind, ObjectReference, Replicas};
use splice::Splicer;

pub use place::{line_of, object_in, objects_in};
pub use restore::restore;

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
    /// No such object is in the text.
    #[error("no {object} here; found {}", list(found))]
    NotFound {
        /// What was looked for.
        object: ObjectReference,
        /// The objects of this kind that are there.
        found: Vec<String>,
    },
    /// The object is in the text more than once.
    #[error("{object} is here twice; keep one")]
    Twice {
        /// Which.
        object: ObjectReference,
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
    /// The object is written in a way that cannot be edited here.
    #[error("line {line}: cannot edit this way of writing {what}; edit it by hand")]
    Unsupported {
        /// The line, from 1.
        line: usize,
        /// What would change.
        what: &'static str,
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
pub fn set_replicas(
    text: &str,
    component: &str,
    changes: &[(String, Replicas)],
) -> Result<String, EditError> {
    let mut text = text.to_owned();
    for (site, replicas) in changes {
        if let Replicas::Count(found) = *replicas
            && found > Replicas::MAXIMUM
        {
            return Err(EditError::TooMany { found });
        }
        text = set_one(&text, &this(component), site, *replicas)?;
    }
    Ok(text)
}

/// Sets `spec.image` of a component, in the quotes that it has.
///
/// # Errors
/// [`EditError`] says why the text is as it was.
pub fn set_image(text: &str, component: &str, image: &str) -> Result<String, EditError> {
    let object = this(component);
    let documents = documents(text)?;
    let target = find(&documents, &object)?;
    let unsupported = EditError::Unsupported { line: target.node.start.line, what: "an image" };
    let Some(node) = target.node.at(&["spec", "image"]) else { return Err(unsupported) };
    not_shared(&target.node, &["spec", "image"])?;
    let edited = Splicer::new(text).set_text(node, image).ok_or_else(|| unsupported.clone())?;
    let wanted = |json: &mut Json| {
        if let Some(found) = json.pointer_mut("/spec/image") {
            *found = image.into();
        }
    };
    if says(&edited, &documents, &object, wanted) { Ok(edited) } else { Err(unsupported) }
}

fn set_one(
    text: &str,
    object: &ObjectReference,
    site: &str,
    replicas: Replicas,
) -> Result<String, EditError> {
    let documents = documents(text)?;
    let target = find(&documents, object)?;
    let spec = target.node.get("spec").unwrap_or(&target.node);
    not_shared(&target.node, &["spec", "sites", site, "replicas"])?;
    let unsupported = || EditError::Unsupported { line: target.node.start.line, what: "sites" };
    let edited = Splicer::new(text).set(spec, site, replicas).ok_or_else(unsupported)?;
    let wanted = |json: &mut Json| put_replicas(json, site, replicas);
    if says(&edited, &documents, object, wanted) { Ok(edited) } else { Err(unsupported()) }
}

fn this(component: &str) -> ObjectReference {
    ObjectReference { kind: Kind::WasmComponent, name: component.into() }
}

/// Nothing on the way to a value may stand for other places as well.
fn not_shared(node: &Node, path: &[&str]) -> Result<(), EditError> {
    let steps = (1..=path.len()).map_while(|length| node.at(&path[..length]));
    match steps.into_iter().find(|node| node.shared) {
        Some(node) => Err(EditError::Shared { line: node.start.line }),
        None => Ok(()),
    }
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

fn find<'a>(documents: &'a [Document], object: &ObjectReference) -> Result<&'a Document, EditError> {
    let mut matching = documents.iter().filter(|document| document.reference().as_ref() == Some(object));
    match (matching.next(), matching.next()) {
        (Some(document), None) => Ok(document),
        (Some(_), Some(_)) => Err(EditError::Twice { object: object.clone() }),
        (None, _) => {
            let same_kind = documents.iter().filter(|document| document.kind == object.kind);
            let found = same_kind.filter_map(|document| document.name.clone()).collect();
            Err(EditError::NotFound { object: object.clone(), found })
        }
    }
}

/// Whether a text says the same as `before`, but for `object`, which has become what `wanted` makes of it.
fn says(text: &str, before: &[Document], object: &ObjectReference, wanted: impl Fn(&mut Json)) -> bool {
    let Ok(after) = documents(text) else { return false };
    let expected = before.iter().map(|document| {
        let mut json = document.node.to_json();
        if document.reference().as_ref() == Some(object) {
            wanted(&mut json);
        }
        json
    });
    expected.eq(after.iter().map(|document| document.node.to_json()))
}

/// Sets the replicas of a site, making mappings of what is empty on the way.
fn put_replicas(document: &mut Json, site: &str, replicas: Replicas) {
    let Some(spec) = document.get_mut("spec") else { return };
    let mut slot = spec;
    for key in ["sites", site, "replicas"] {
        if slot.is_null() {
            *slot = Json::Object(Map::new());
        }
        let Some(fields) = slot.as_object_mut() else { return };
        slot = fields.entry(key).or_insert(Json::Null);
    }
    *slot = replicas.into();
}

/// Whether a map is written in flow style, `{ … }`; its start is then the brace.
fn is_flow(node: &Node, first: Option<char>) -> bool {
    matches!(node.value, Value::Map(_)) && first == Some('{')
}
