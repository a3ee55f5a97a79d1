//! Where in the text of a file a field stands, for whoever wants to say where a value comes from.

use serde_json::Value as Json;

use super::{EditError, documents, find};
use crate::types::ObjectReference;

/// What the text of a file says of an object, as it is written: without defaults, and whether it is right or not.
///
/// # Errors
/// The text cannot be read, or has no such object, or has it twice.
pub fn object_in(text: &str, object: &ObjectReference) -> Result<Json, EditError> {
    Ok(find(&documents(text)?, object)?.node.to_json())
}

/// The objects in the text of a file, in its order; none if it cannot be read.
#[must_use]
pub fn objects_in(text: &str) -> Vec<ObjectReference> {
    documents(text).unwrap_or_default().iter().filter_map(|document| document.reference()).collect()
}

/// The line (from 1) of a field of an object: of the field itself or, where it is not written, of the nearest thing
/// around it that is. `None` if the object is not in the text, or the text cannot be read.
#[must_use]
pub fn line_of(text: &str, object: &ObjectReference, path: &[&str]) -> Option<usize> {
    let documents = documents(text).ok()?;
    let mut node = &find(&documents, object).ok()?.node;
    let mut line = node.start.line;
    for key in path {
        let Some(entry) = node.entry(key) else { break };
        (line, node) = (entry.at.line, &entry.node);
    }
    Some(line)
}
