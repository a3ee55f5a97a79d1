//! Gives an object the fields that it had in another text, one field after the other, so that whatever else was
//! written since (comments, other objects) stays.

use serde_json::Value as Json;

use super::splice::Splicer;
use super::{EditError, documents, find, is_flow, says};
use crate::print::scalar;
use crate::tree::{Entry, Node, Value};
use crate::types::ObjectReference;

/// More fields than this are not what one person wants back.
const MOST_STEPS: usize = 2000;

/// The text with `object` saying what it says in `former`.
///
/// What differs is taken from `former` as it is written there where that fits, else written anew. Comments stay, also
/// those above fields that go.
///
/// # Errors
/// [`EditError`] says why the text is as it was; [`EditError::NotFound`] if either text lacks the object.
pub fn restore(text: &str, former: &str, object: &ObjectReference) -> Result<String, EditError> {
    let (before, past) = (documents(text)?, documents(former)?);
    let goal = &find(&past, object)?.node;
    let first = find(&before, object)?;
    let unsupported = || EditError::Unsupported { line: first.node.start.line, what: "this object" };
    let mut edited = text.to_owned();
    for _ in 0..MOST_STEPS {
        let now = documents(&edited).map_err(|_| unsupported())?;
        let target = &find(&now, object).map_err(|_| unsupported())?.node;
        let editor = Editor { now: Splicer::new(&edited), then: Splicer::new(former) };
        match editor.step(target, goal)? {
            Some(next) if next == edited => return Err(unsupported()),
            Some(next) => edited = next,
            None => {
                let wanted = |json: &mut Json| *json = goal.to_json();
                return if says(&edited, &before, object, wanted) { Ok(edited) } else { Err(unsupported()) };
            }
        }
    }
    Err(unsupported())
}

struct Editor<'a> {
    now: Splicer<'a>,
    then: Splicer<'a>,
}

impl Editor<'_> {
    /// The text after one more difference is gone; `None` when there is none left.
    fn step(&self, now: &Node, goal: &Node) -> Result<Option<String>, EditError> {
        let refuse = |node: &Node| EditError::Unsupported { line: node.start.line, what: "this object" };
        let mut neighbour = None;
        for wanted in goal.entries() {
            let Some(found) = now.entry(&wanted.key) else {
                no_alias(now)?;
                return self.add(now, neighbour, wanted, goal).ok_or_else(|| refuse(now)).map(Some);
            };
            neighbour = Some(found);
            if found.node.to_json() == wanted.node.to_json() {
                continue;
            }
            no_alias(&found.node)?;
            let both_maps = !found.node.entries().is_empty() && !wanted.node.entries().is_empty();
            if !both_maps {
                return self.replace(now, found, wanted).ok_or_else(|| refuse(&found.node)).map(Some);
            }
            if let Some(next) = self.step(&found.node, &wanted.node)? {
                return Ok(Some(next));
            }
        }
        match now.entries().iter().find(|entry| goal.entry(&entry.key).is_none()) {
            Some(entry) => {
                no_alias(&entry.node)?;
                self.remove(now, entry).ok_or_else(|| refuse(&entry.node)).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Adds an entry behind `neighbour`, or before all others.
    fn add(&self, map: &Node, neighbour: Option<&Entry>, wanted: &Entry, goal: &Node) -> Option<String> {
        if self.now.is_flow(map) {
            let quotes = self.now.quotes_keys(map);
            return self.now.add(map, &key(&wanted.key, quotes), &flow(&wanted.node.to_json(), quotes));
        }
        let first = map.entries().first()?;
        let column = first.at.column;
        let lines = self.lines(wanted, goal, column)?;
        let line_break = self.now.line_break();
        match neighbour {
            Some(neighbour) => {
                let at = self.now.end_of_line(self.now.end(neighbour)?);
                Some(self.now.splice(at, at, &format!("{line_break}{lines}")))
            }
            None => {
                let at = self.now.begin_of_lines(first)?;
                Some(self.now.splice(at, at, &format!("{lines}{line_break}")))
            }
        }
    }

    /// The lines of an entry as it was written, or written anew where it cannot be copied; without the last line's end.
    fn lines(&self, wanted: &Entry, goal: &Node, column: usize) -> Option<String> {
        let copied = || {
            if self.then.is_flow(goal) || has_alias(&wanted.node) || wanted.at.column != column {
                return None;
            }
            let start = self.then.begin_of_line(wanted)?;
            let text = self.then.between(start, self.then.end_of_line(self.then.end(wanted)?));
            let above = self.then.comment_above(wanted).filter(|comment| !self.now.contains(comment.trim()));
            Some(format!("{}{text}", above.unwrap_or_default()).replace("\r\n", "\n"))
        };
        let lines = copied().unwrap_or_else(|| {
            let indent = " ".repeat(column - 1);
            format!("{indent}{}: {}", key(&wanted.key, false), flow(&wanted.node.to_json(), false))
        });
        Some(lines.replace('\n', self.now.line_break()))
    }

    /// Puts the value that an entry had in the place of the one it has.
    fn replace(&self, map: &Node, found: &Entry, wanted: &Entry) -> Option<String> {
        let quotes = self.now.quotes_keys(map);
        let value = self.one_line(wanted).filter(|_| !quotes);
        let value = value.unwrap_or_else(|| flow(&wanted.node.to_json(), quotes));
        let after_key = self.now.byte(found.end)?;
        let colon = after_key + self.now.between(after_key, self.now.length()).find(':')? + 1;
        let end = self.now.end(found)?.max(colon);
        // A value on the line of its key: what is between them stays.
        let on_line = found.node.start.line == found.at.line && self.now.byte(found.node.start)? >= colon;
        match on_line && !matches!(found.node.value, Value::Null) {
            true => Some(self.now.splice(self.now.byte(found.node.start)?, end, &value)),
            false => Some(self.now.splice(colon, end, &format!(" {value}"))),
        }
    }

    /// A value as it was written, if that is in one line and means the same anywhere.
    fn one_line(&self, wanted: &Entry) -> Option<String> {
        let node = &wanted.node;
        let scalar = !matches!(node.value, Value::Map(_) | Value::List(_) | Value::Null | Value::Strange(_));
        if !scalar || node.shared {
            return None;
        }
        let text = self.then.between(self.then.byte(node.start)?, self.then.exact_end(node)?);
        (!text.is_empty() && !text.contains(['\n', '|', '>', ',', '{', '}', '[', ']']))
            .then(|| text.to_owned())
    }

    fn remove(&self, map: &Node, entry: &Entry) -> Option<String> {
        let end = self.now.end(entry)?;
        if self.now.is_flow(map) {
            let entries = map.entries();
            if entries.len() == 1 {
                return Some(self.now.splice(self.now.byte(map.start)?, self.now.exact_end(map)?, "{}"));
            }
            let index = entries.iter().position(|other| other.at == entry.at)?;
            return Some(match entries.get(index + 1) {
                Some(next) => self.now.splice(self.now.byte(entry.at)?, self.now.byte(next.at)?, ""),
                None => self.now.splice(self.now.end(entries.get(index - 1)?)?, end, ""),
            });
        }
        let start = self.now.begin_of_line(entry)?;
        Some(self.now.splice(start, self.now.after_line(end), ""))
    }
}

fn no_alias(node: &Node) -> Result<(), EditError> {
    if node.shared { Err(EditError::Shared { line: node.start.line }) } else { Ok(()) }
}

/// Whether a value, or something in it, stands for other places as well.
fn has_alias(node: &Node) -> bool {
    node.shared
        || node.entries().iter().any(|entry| has_alias(&entry.node))
        || node.items().iter().any(has_alias)
}

impl Splicer<'_> {
    fn is_flow(&self, map: &Node) -> bool {
        self.byte(map.start)
            .is_some_and(|start| is_flow(map, self.between(start, self.length()).chars().next()))
    }
}

fn key(name: &str, quotes: bool) -> String {
    if quotes { Json::from(name).to_string() } else { scalar(name) }
}

/// A value in one line; as JSON where the text around it is JSON.
fn flow(value: &Json, quotes: bool) -> String {
    match value {
        Json::Object(fields) if fields.is_empty() => "{}".into(),
        Json::Object(fields) => {
            let fields =
                fields.iter().map(|(name, value)| format!("{}: {}", key(name, quotes), flow(value, quotes)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Json::Array(items) => {
            let items = items.iter().map(|item| flow(item, quotes));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Json::String(text) => key(text, quotes),
        other => other.to_string(),
    }
}
