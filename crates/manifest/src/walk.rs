//! Holds a tree against the schema of its kind and reports every mistake, each at its place.
//!
//! Only the keywords that our types generate are known here; a test holds the verdicts against those of a
//! complete JSON Schema implementation.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Schema;

use crate::formats::{self, Format};
use crate::mistake::{did_you_mean, quoted};
use crate::tree::{Entry, Node, Position, Value};
use crate::units::{parse_bytes, parse_duration};

/// A mistake that does not know its file and object yet.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) at: Position,
    pub(crate) path: String,
    pub(crate) found: String,
    pub(crate) allowed: Option<String>,
    pub(crate) hint: Option<String>,
}

/// Everything in which `node` differs from `schema`, in the order of the text.
pub(crate) fn walk(node: &Node, schema: &Schema, path: &str) -> Vec<Finding> {
    let mut walker = Walker { findings: Vec::new() };
    walker.node(node, schema, path);
    walker.findings
}

/// `path.key`, or `path["key"]` when the key could be taken for several.
pub(crate) fn join(path: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match (path.is_empty(), plain) {
        (true, true) => key.into(),
        (_, false) => format!("{path}[{key:?}]"),
        (false, true) => format!("{path}.{key}"),
    }
}

struct Walker {
    findings: Vec<Finding>,
}

impl Walker {
    fn report(
        &mut self,
        at: Position,
        path: &str,
        found: impl Into<String>,
        allowed: Option<String>,
        hint: Option<String>,
    ) {
        self.findings.push(Finding { at, path: path.into(), found: found.into(), allowed, hint });
    }

    fn node(&mut self, node: &Node, schema: &Schema, path: &str) {
        if let Some(constant) = schema.get("const").and_then(Schema::as_str) {
            if node.text() != Some(constant) {
                self.report(node.start, path, describe(node), Some(constant.into()), None);
            }
            return;
        }
        if schema.get("type").is_some() && !self.has_type(node, schema, path) {
            return;
        }
        match &node.value {
            Value::Text(text) => self.text(node, text, schema, path),
            Value::Integer(integer) => self.integer(node, *integer, schema, path),
            Value::List(items) => self.list(node, items, schema, path),
            Value::Map(entries) if schema.is_object() => self.map(node, entries, schema, path),
            _ => {}
        }
    }

    fn has_type(&mut self, node: &Node, schema: &Schema, path: &str) -> bool {
        let names = types(schema);
        let actual = match &node.value {
            Value::Null | Value::Strange(_) => "",
            Value::Boolean(_) => "boolean",
            Value::Integer(_) => "integer",
            Value::Float(_) => "number",
            Value::Text(_) => "string",
            Value::List(_) => "array",
            Value::Map(_) => "object",
        };
        if names.contains(&actual) {
            return true;
        }
        let hint = match &node.value {
            Value::Null if names.contains(&"object") => Some("write {} or leave the field out".to_owned()),
            Value::Null => Some("leave the field out or give it a value".to_owned()),
            Value::Boolean(_) | Value::Integer(_) | Value::Float(_) if names.contains(&"string") => {
                Some("put it in quotes".to_owned())
            }
            _ => None,
        };
        self.report(node.start, path, describe(node), Some(allowed(schema)), hint);
        false
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Schema, path: &str) {
        if let Some(choices) = schema.get("enum").and_then(Schema::as_array) {
            let choices: Vec<_> = choices.iter().filter_map(Schema::as_str).collect();
            if !choices.contains(&text) {
                let hint = did_you_mean(text, choices.iter().copied());
                self.report(node.start, path, quoted(text), Some(choices.join(" or ")), hint);
            }
        }
        let Some(format) = format_of(schema) else { return };
        if (format.check)(text) {
            self.bounds(node, text, format, schema, path);
        } else if format.name == "redis-url" && text.contains('@') {
            let hint = Some("put them into a secret and name it in keyvalue.redis.secretRef".into());
            self.report(node.start, path, "a user or password in a URL", Some(format.allowed.into()), hint);
        } else {
            let hint = hint_for(format, text);
            self.report(node.start, path, quoted(text), Some(format.allowed.into()), hint);
        }
    }

    fn bounds(&mut self, node: &Node, text: &str, format: &Format, schema: &Schema, path: &str) {
        let measure = |text: &str| match format.name {
            "go-duration" => parse_duration(text).map(|duration| duration.as_millis()),
            "quantity" => parse_bytes(text).map(u128::from),
            _ => None,
        };
        let bound = |name: &str| schema.get(name).and_then(Schema::as_str);
        let least = bound("x-dunlin-at-least");
        let most = bound("x-dunlin-at-most");
        let Some(value) = measure(text) else { return };
        let too_small = least.and_then(measure).is_some_and(|least| value < least);
        let too_large = most.and_then(measure).is_some_and(|most| value > most);
        if too_small || too_large {
            self.report(node.start, path, quoted(text), range(least, most), None);
        }
    }

    fn integer(&mut self, node: &Node, integer: i64, schema: &Schema, path: &str) {
        let quantity = format_of(schema).filter(|format| format.name == "quantity");
        if let Some(format) = quantity.filter(|_| integer >= 0) {
            return self.bounds(node, &integer.to_string(), format, schema, path);
        }
        let bound = |name| schema.get(name).and_then(Schema::as_i64);
        let too_small = bound("minimum").is_some_and(|minimum| integer < minimum);
        let too_large = bound("maximum").is_some_and(|maximum| integer > maximum);
        if too_small || too_large {
            self.report(node.start, path, integer.to_string(), Some(allowed(schema)), None);
        }
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &Schema, path: &str) {
        let minimum = schema.get("minItems").and_then(Schema::as_u64).unwrap_or(0);
        if (items.len() as u64) < minimum {
            self.report(node.start, path, "an empty list", Some("at least one item".into()), None);
        }
        let unique = schema.get("uniqueItems").is_some();
        self.at_most(items.len(), "maxItems", node, schema, path);
        let mut earlier = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if unique && item.text().is_some_and(|text| !earlier.insert(text)) {
                self.report(
                    item.start,
                    &path,
                    format!("{} a second time", describe(item)),
                    None,
                    Some("leave it out".into()),
                );
            }
            if let Some(schema) = schema.get("items") {
                self.node(item, schema, &path);
            }
        }
    }

    fn map(&mut self, node: &Node, entries: &[Entry], schema: &Schema, path: &str) {
        let properties = schema.get("properties").and_then(Schema::as_object);
        let known = |key: &str| properties.and_then(|properties| properties.get(key));
        let names = || properties.into_iter().flatten().map(|(name, _)| name.as_str());
        let mut unknown = false;
        let mut lines: HashMap<&str, usize> = HashMap::new();
        for entry in entries {
            if let Some(trouble) = &entry.trouble {
                let hint = Some("put it in quotes".into());
                self.report(entry.at, path, format!("the key {trouble}, which is no text"), None, hint);
                continue;
            }
            let path = join(path, &entry.key);
            if let Some(first) = lines.get(entry.key.as_str()) {
                let found = format!("{:?} a second time", entry.key);
                let hint = format!("the first is on line {first}");
                self.report(entry.at, &path, found, None, Some(hint));
                continue;
            }
            lines.insert(&entry.key, entry.at.line);
            if let Some(schema) = known(&entry.key) {
                if schema.get("x-dunlin-not-yet").is_some() {
                    let found = format!("{:?} is not in this version yet", entry.key);
                    self.report(entry.at, &path, found, None, Some("leave it out".into()));
                }
                self.node(&entry.node, schema, &path);
                continue;
            }
            match schema.get("additionalProperties") {
                Some(Schema::Bool(false)) => {
                    unknown = true;
                    let hint = did_you_mean(&entry.key, names());
                    let fields = names().filter(|name| known(name) != Some(&Schema::Bool(true)));
                    let allowed = fields.collect::<Vec<_>>().join(", ");
                    let allowed = if allowed.is_empty() { "no fields: {}".into() } else { allowed };
                    self.report(
                        entry.at,
                        &path,
                        format!("unknown field {}", quoted(&entry.key)),
                        Some(allowed),
                        hint,
                    );
                }
                Some(values) => {
                    self.key(entry, schema, &path);
                    self.node(&entry.node, values, &path);
                }
                None => self.key(entry, schema, &path),
            }
        }
        self.at_most(entries.len(), "maxProperties", node, schema, path);
        self.missing(node, schema, path, unknown);
    }

    fn at_most(&mut self, found: usize, keyword: &str, node: &Node, schema: &Schema, path: &str) {
        let Some(most) = schema.get(keyword).and_then(Schema::as_u64) else { return };
        if found as u64 > most {
            self.report(node.start, path, format!("{found} entries"), Some(format!("at most {most}")), None);
        }
    }

    fn key(&mut self, entry: &Entry, schema: &Schema, path: &str) {
        let Some(format) = schema.get("propertyNames").and_then(format_of) else { return };
        if !(format.check)(&entry.key) {
            let hint = hint_for(format, &entry.key);
            self.report(
                entry.at,
                path,
                format!("the name {}", quoted(&entry.key)),
                Some(format.allowed.into()),
                hint,
            );
        }
    }

    /// What a map lacks, and whether it has exactly one of the fields that exclude each other. A map with an
    /// unknown field has its mistake already, often the very field that would be missed.
    fn missing(&mut self, node: &Node, schema: &Schema, path: &str, unknown: bool) {
        let has = |name: &&str| node.entries().iter().any(|entry| entry.key == **name);
        let required = schema.get("required").and_then(Schema::as_array).into_iter().flatten();
        for name in required.filter_map(Schema::as_str).filter(|name| !has(name)) {
            let allowed = schema.pointer(&format!("/properties/{name}")).map(allowed);
            self.report(
                node.start,
                path,
                format!("the field {name:?} is missing"),
                None,
                allowed.map(|allowed| format!("it takes {allowed}")),
            );
        }
        let choices: Vec<&str> = schema
            .get("oneOf")
            .and_then(Schema::as_array)
            .into_iter()
            .flatten()
            .filter_map(|choice| choice.pointer("/required/0").and_then(Schema::as_str))
            .collect();
        let given: Vec<&str> = choices.iter().copied().filter(|name| has(name)).collect();
        let allowed = || Some(format!("exactly one of {}", choices.join(", ")));
        if choices.is_empty() || given.len() == 1 {
        } else if given.is_empty() && !unknown {
            self.report(node.start, path, format!("none of {}", choices.join(", ")), allowed(), None);
        } else if given.len() > 1 {
            let at = node.entry(given[1]).map_or(node.start, |entry| entry.at);
            self.report(at, path, format!("{} together", given.join(" and ")), allowed(), None);
        }
        let minimum = schema.get("minProperties").and_then(Schema::as_u64).unwrap_or(0);
        if (node.entries().len() as u64) < minimum {
            self.report(node.start, path, "nothing in it", Some("at least one entry".into()), None);
        }
    }
}

fn types(schema: &Schema) -> Vec<&str> {
    match schema.get("type") {
        Some(Schema::String(name)) => vec![name],
        Some(Schema::Array(names)) => names.iter().filter_map(Schema::as_str).collect(),
        _ => Vec::new(),
    }
}

fn format_of(schema: &Schema) -> Option<&'static Format> {
    schema.get("format").and_then(Schema::as_str).and_then(formats::find)
}

/// A near text that has the form, if a small change gives one.
fn hint_for(format: &Format, text: &str) -> Option<String> {
    let joined = text.trim().replace(' ', "-");
    let candidates = match format.name {
        "image" => vec![text.split("://").nth(1).unwrap_or_default().to_owned()],
        "path" => vec![format!("/{text}")],
        "quantity" => vec![text.trim_end_matches('B').replace(' ', "")],
        "go-duration" => vec![format!("{text}s"), text.replace(' ', "")],
        "ratio" => percent(text).into_iter().chain([text.replace(',', "."), format!("0{text}")]).collect(),
        _ => vec![joined.to_lowercase().replace('_', "-"), joined],
    };
    let better = candidates.into_iter().rev().find(|better| better != text && (format.check)(better))?;
    Some(format!("did you mean {better:?}?"))
}

/// `2%` or `2 %` as the decimal that it is.
fn percent(text: &str) -> Option<String> {
    let percent: u32 = text.strip_suffix('%')?.trim_end().parse().ok().filter(|percent| *percent <= 100)?;
    let decimal = format!("{}.{:02}", percent / 100, percent % 100);
    Some(decimal.trim_end_matches('0').trim_end_matches('.').to_owned())
}

fn range(least: Option<&str>, most: Option<&str>) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("from {least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    }
}

/// What a schema allows, in words.
pub(crate) fn allowed(schema: &Schema) -> String {
    if let Some(format) = format_of(schema) {
        return format.allowed.into();
    }
    if let Some(constant) = schema.get("const").and_then(Schema::as_str) {
        return constant.into();
    }
    if let Some(choices) = schema.get("enum").and_then(Schema::as_array) {
        return choices.iter().filter_map(Schema::as_str).collect::<Vec<_>>().join(" or ");
    }
    let words = types(schema).into_iter().map(|name| match name {
        "string" => "a text".into(),
        "boolean" => "true or false".into(),
        "array" => "a list".into(),
        "integer" => match (schema.get("minimum"), schema.get("maximum")) {
            (Some(minimum), Some(maximum)) => format!("a whole number from {minimum} to {maximum}"),
            _ => "a whole number".to_owned(),
        },
        _ => match schema.get("properties").and_then(Schema::as_object) {
            Some(properties) if properties.is_empty() => "an empty mapping: {}".into(),
            Some(properties) => {
                let fields = properties.iter().filter(|(_, schema)| **schema != Schema::Bool(true));
                let fields: Vec<_> = fields.map(|(name, _)| name.as_str()).collect();
                format!("a mapping with {}", fields.join(", "))
            }
            None => "a mapping".into(),
        },
    });
    words.collect::<Vec<_>>().join(" or ")
}

/// What a node is, in words.
pub(crate) fn describe(node: &Node) -> String {
    match &node.value {
        Value::Null => "nothing".into(),
        Value::Boolean(boolean) => format!("the switch {boolean}"),
        Value::Integer(integer) => format!("the number {integer}"),
        Value::Float(float) => format!("the number {float}"),
        Value::Text(text) => quoted(text),
        Value::List(_) => "a list".into(),
        Value::Map(_) => "a mapping".into(),
        Value::Strange(what) => what.clone(),
    }
}
