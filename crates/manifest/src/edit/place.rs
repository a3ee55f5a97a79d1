//! Where in the text of a file a field stands, for whoever wants to say where a value comes from.

use super::{documents, find};
use crate::types::ObjectReference;

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
