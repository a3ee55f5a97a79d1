//! Where in a text a value stands, and how to put another there in the style around it.

use super::is_flow;
use crate::print::scalar;
use crate::tree::{Entry, Node, Position, Value};
use crate::types::Replicas;

pub(super) struct Splicer<'a> {
    text: &'a str,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl<'a> Splicer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1);
        Self { text, lines: std::iter::once(0).chain(breaks).collect() }
    }

    /// The text with the replicas of one site of `spec` set, or `None` if the style is not understood.
    pub(super) fn set(&self, spec: &Node, site: &str, replicas: Replicas) -> Option<String> {
        let quotes = self.quotes_keys(spec);
        let key = |name: &str| if quotes { format!("{name:?}") } else { scalar(name) };
        let count = match replicas {
            Replicas::Count(count) => count.to_string(),
            Replicas::All => key("all"),
        };
        let replicas = format!("{}: {count}", key("replicas"));
        let placement = format!("{{ {replicas} }}");
        let site_text = key(site);
        let Some(sites) = spec.entry("sites") else {
            return self.add(spec, &key("sites"), &format!("{{ {site_text}: {placement} }}"));
        };
        if sites.node.shared {
            return None;
        }
        let Some(entry) = sites.node.entry(site) else {
            return match &sites.node.value {
                Value::Null => self.replace_null(sites, &format!("{{ {site_text}: {placement} }}")),
                _ => self.add(&sites.node, &site_text, &placement),
            };
        };
        match (&entry.node.value, entry.node.get("replicas")) {
            (Value::Null, _) => self.replace_null(entry, &placement),
            (Value::Map(_), Some(node)) if matches!(node.value, Value::Integer(_) | Value::Text(_)) => {
                let (start, end) = (self.byte(node.start)?, self.exact_end(node)?);
                (start < end).then(|| self.splice(start, end, &count))
            }
            (Value::Map(_), None) => self.add(&entry.node, &key("replicas"), &count),
            _ => None,
        }
    }

    /// The text with another text in the place of one, in the same quotes.
    pub(super) fn set_text(&self, node: &Node, text: &str) -> Option<String> {
        node.text()?;
        let (start, end) = (self.byte(node.start)?, self.exact_end(node)?);
        let quote = self.text.get(start..end)?.chars().next().filter(|first| ['"', '\''].contains(first));
        let quoted = quote.map_or_else(|| text.to_owned(), |quote| format!("{quote}{text}{quote}"));
        Some(self.splice(start, end, &quoted))
    }

    /// Whether the text quotes its keys, as JSON does: new keys are quoted as well.
    pub(super) fn quotes_keys(&self, map: &Node) -> bool {
        let quoted = |entry: &Entry| self.byte(entry.at).is_some_and(|at| self.text[at..].starts_with('"'));
        map.entries().iter().any(quoted)
    }

    /// Adds an entry to a map: after the last one, in its style.
    pub(super) fn add(&self, map: &Node, key: &str, value: &str) -> Option<String> {
        let start = self.byte(map.start)?;
        let entries = map.entries();
        if is_flow(map, self.text[start..].chars().next()) {
            return Some(match entries.last() {
                Some(last) => {
                    let end = self.end(last)?;
                    self.splice(end, end, &format!(", {key}: {value}"))
                }
                None => {
                    let end = self.exact_end(map)?;
                    self.splice(start, end, &format!("{{ {key}: {value} }}"))
                }
            });
        }
        let (first, last) = (entries.first()?, entries.last()?);
        let indent = " ".repeat(first.at.column - 1);
        let value =
            match (&last.node.value, value.strip_prefix("{ ").and_then(|inner| inner.strip_suffix(" }"))) {
                // Beside maps in block style, a map in block style.
                (Value::Map(inner), Some(fields))
                    if !inner.is_empty() && !fields.contains('{') && self.is_block(&last.node) =>
                {
                    let deeper = " ".repeat(inner[0].at.column - 1);
                    format!("{}{deeper}{fields}", self.line_break())
                }
                _ => format!(" {value}"),
            };
        let after = self.end_of_line(self.end(last)?);
        Some(self.splice(after, after, &format!("{}{indent}{key}:{value}", self.line_break())))
    }

    /// Puts a value in the place of one that is empty, `~` or `null`.
    fn replace_null(&self, entry: &Entry, value: &str) -> Option<String> {
        let end = self.byte(entry.end)?;
        let colon = end + self.text[end..].find(':')?;
        let rest = &self.text[colon + 1..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let word = ["null", "Null", "NULL", "~"].into_iter().find(|word| rest[blanks..].starts_with(word));
        Some(match word {
            Some(word) => self.splice(colon + 1 + blanks, colon + 1 + blanks + word.len(), value),
            None => self.splice(colon + 1, colon + 1, &format!(" {value}")),
        })
    }

    pub(super) fn is_block(&self, node: &Node) -> bool {
        self.byte(node.start).is_some_and(|start| !self.text[start..].starts_with('{'))
    }

    /// The byte after an entry, down to its last leaf: the ends of block collections are not exact.
    pub(super) fn end(&self, entry: &Entry) -> Option<usize> {
        let node = &entry.node;
        if matches!(node.value, Value::Null) && node.start == node.end {
            let end = self.byte(entry.end)?;
            return Some(end + self.text[end..].find(':')? + 1);
        }
        self.end_of_value(node)
    }

    fn end_of_value(&self, node: &Node) -> Option<usize> {
        match &node.value {
            Value::Map(entries) if !entries.is_empty() && self.is_block(node) => self.end(entries.last()?),
            Value::List(items) if !self.text[self.byte(node.start)?..].starts_with('[') => {
                self.end_of_value(items.last()?)
            }
            _ => self.exact_end(node),
        }
    }

    /// The byte after a scalar or flow collection; the reader counts blanks and line ends after some to them.
    pub(super) fn exact_end(&self, node: &Node) -> Option<usize> {
        Some(self.text[..self.byte(node.end)?].trim_end().len().max(self.byte(node.start)?))
    }

    pub(super) fn end_of_line(&self, from: usize) -> usize {
        self.text[from..].find(['\n', '\r']).map_or(self.text.len(), |index| from + index)
    }

    pub(super) fn line_break(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    pub(super) fn byte(&self, position: Position) -> Option<usize> {
        let start = *self.lines.get(position.line - 1)?;
        let rest = &self.text[start..];
        // A byte order mark is no column.
        let rest = if start == 0 { rest.trim_start_matches('\u{feff}') } else { rest };
        let start = self.text.len() - rest.len();
        rest.char_indices()
            .map(|(index, _)| index)
            .chain([rest.len()])
            .nth(position.column - 1)
            .map(|index| start + index)
    }

    pub(super) fn splice(&self, start: usize, end: usize, with: &str) -> String {
        format!("{}{with}{}", &self.text[..start], &self.text[end..])
    }

    pub(super) fn length(&self) -> usize {
        self.text.len()
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    pub(super) fn between(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The byte after the end of the line that `from` is in.
    pub(super) fn after_line(&self, from: usize) -> usize {
        let end = self.end_of_line(from);
        let rest = &self.text[end..];
        let line_break = ["\r\n", "\n", "\r"].into_iter().find(|line_break| rest.starts_with(line_break));
        end + line_break.map_or(0, str::len)
    }

    /// The byte at which the line of an entry begins, if nothing stands before the entry there.
    pub(super) fn begin_of_line(&self, entry: &Entry) -> Option<usize> {
        let (start, at) = (*self.lines.get(entry.at.line - 1)?, self.byte(entry.at)?);
        self.between(start, at).trim_start_matches('\u{feff}').trim().is_empty().then_some(start)
    }

    /// The same, or the beginning of the comment that stands directly above it.
    pub(super) fn begin_of_lines(&self, entry: &Entry) -> Option<usize> {
        let own = self.begin_of_line(entry)?;
        let above = (0..entry.at.line - 1).rev().map_while(|line| {
            let start = *self.lines.get(line)?;
            let text = self.between(start, self.end_of_line(start));
            let deep = text.len() - text.trim_start().len() + 1 >= entry.at.column;
            (deep && text.trim_start().starts_with('#')).then_some(start)
        });
        Some(above.last().unwrap_or(own))
    }

    /// The comment directly above an entry, with its line ends.
    pub(super) fn comment_above(&self, entry: &Entry) -> Option<&str> {
        let (start, end) = (self.begin_of_lines(entry)?, self.begin_of_line(entry)?);
        (start < end).then(|| self.between(start, end))
    }
}
