//! Where in a text a value stands, and how to put another there in the style around it.

use super::is_flow;
use crate::print::scalar;
use crate::tree::{Entry, Node, Position, Value};

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
    pub(super) fn set(&self, spec: &Node, site: &str, count: u32) -> Option<String> {
        // In a text that quotes its keys (JSON), new keys are quoted as well.
        let starts_quoted =
            |entry: &Entry| self.byte(entry.at).is_some_and(|at| self.text[at..].starts_with('"'));
        let quotes = spec.entries().iter().any(starts_quoted);
        let key = |name: &str| if quotes { format!("{name:?}") } else { scalar(name) };
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
                let (start, end) = (self.byte(node.start)?, self.byte(node.end)?);
                (start < end).then(|| self.splice(start, end, &count.to_string()))
            }
            (Value::Map(_), None) => self.add(&entry.node, &key("replicas"), &count.to_string()),
            _ => None,
        }
    }

    /// Adds an entry to a map: after the last one, in its style.
    fn add(&self, map: &Node, key: &str, value: &str) -> Option<String> {
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

    fn is_block(&self, node: &Node) -> bool {
        self.byte(node.start).is_some_and(|start| !self.text[start..].starts_with('{'))
    }

    /// The byte after an entry, down to its last leaf: the ends of block collections are not exact.
    fn end(&self, entry: &Entry) -> Option<usize> {
        let node = &entry.node;
        match &node.value {
            Value::Null if node.start == node.end => {
                let end = self.byte(entry.end)?;
                Some(end + self.text[end..].find(':')? + 1)
            }
            Value::Map(entries) if !entries.is_empty() && self.is_block(node) => self.end(entries.last()?),
            Value::List(_) if !self.text[self.byte(node.start)?..].starts_with('[') => None,
            _ => self.exact_end(node),
        }
    }

    /// The byte after a scalar or flow collection; the reader counts the blanks after a bracket to it.
    fn exact_end(&self, node: &Node) -> Option<usize> {
        let text = &self.text[..self.byte(node.end)?];
        Some(match node.value {
            Value::Map(_) | Value::List(_) => text.trim_end().len(),
            _ => text.len(),
        })
    }

    fn end_of_line(&self, from: usize) -> usize {
        self.text[from..].find(['\n', '\r']).map_or(self.text.len(), |index| from + index)
    }

    fn line_break(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    fn byte(&self, position: Position) -> Option<usize> {
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

    fn splice(&self, start: usize, end: usize, with: &str) -> String {
        format!("{}{with}{}", &self.text[..start], &self.text[end..])
    }
}
