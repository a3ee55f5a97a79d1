//! YAML text as values with positions. Bounded: in depth, in nodes, and in what aliases expand to.
//!
//! Knows nothing of our kinds; whatever only some documents forbid (a key given twice, tags) is kept in the
//! tree for `walk` to report.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

/// A place in a text: line and column in characters, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl From<Marker> for Position {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) start: Position,
    /// Exact for scalars and flow collections only.
    pub(crate) end: Position,
    pub(crate) value: Value,
    /// Whether it has an anchor, or is what an alias stands for, so that editing it would edit other places.
    pub(crate) shared: bool,
    /// The bytes, roughly, of it and everything in it: what another copy would cost.
    cost: usize,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that no field of ours may hold, and what to call it.
    Strange(String),
}

/// One entry of a map, in the order of the text; a key may come twice.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) end: Position,
    /// What is wrong with the key: not a text, or one that other readers of YAML take for something else.
    pub(crate) trouble: Option<String>,
    pub(crate) node: Node,
}

impl Node {
    fn new(span: Span, value: Value) -> Self {
        let cost = NODE_COST + if let Value::Text(text) = &value { text.len() } else { 0 };
        Self { start: span.start.into(), end: span.end.into(), value, shared: false, cost }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    pub(crate) fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key && entry.trouble.is_none())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The node that a path of keys leads to.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null | Value::Strange(_) => serde_json::Value::Null,
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Integer(integer) => (*integer).into(),
            Value::Float(float) => (*float).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                // The first of two equal keys, as everywhere else.
                let pairs = entries.iter().rev().map(|entry| (entry.key.clone(), entry.node.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
}

/// Why a text could not be read to its end.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) at: Position,
    pub(crate) found: String,
}

const MAXIMUM_DEPTH: usize = 64;
const MAXIMUM_COST: usize = 16 << 20;
/// Bytes that a node costs beside its text.
const NODE_COST: usize = 64;

/// The documents of a text that were read whole, and why there are no more if the text is broken.
pub(crate) fn parse(text: &str) -> (Vec<Node>, Option<Broken>) {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let step = match next {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => {
                let (at, found) = ((*error.marker()).into(), format!("not YAML: {}", error.info()));
                Err(Broken { at, found })
            }
        };
        if let Err(broken) = step {
            return (builder.documents, Some(broken));
        }
    }
    (builder.documents, None)
}

/// A collection whose end has not come yet.
struct Open {
    node: Node,
    /// The anchor's number, 0 for none.
    anchor: usize,
    /// The key whose value comes next, in a map.
    key: Option<(Node, Option<String>)>,
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    document: Option<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    spent: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        match event {
            Event::DocumentStart(_) => {
                self.anchors.clear();
                self.document = None;
                Ok(())
            }
            Event::DocumentEnd => {
                self.documents.extend(self.document.take());
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                // YAML 1.1 readers, kubectl's among them, take these for something else than text.
                let trouble = match &value {
                    Value::Text(_) | Value::Integer(_) | Value::Float(_) => None,
                    _ => Some(text.to_string()),
                };
                let mut node = Node::new(span, value);
                if self.expects_key() && trouble.is_none() {
                    node.value = Value::Text(text.into_owned());
                }
                self.put(node, anchor, trouble)
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(Value::List(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::MappingStart(anchor, tag) => {
                self.start(Value::Map(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut open) = self.open.pop() else { return Ok(()) };
                open.node.end = span.end.into();
                merge(&mut open.node);
                self.put(open.node, open.anchor, None)
            }
            Event::Alias(anchor) => {
                let Some(mut node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Broken {
                        at: span.start.into(),
                        found: "an alias without an anchor before it".into(),
                    });
                };
                self.spend(node.cost, span.start.into())?;
                mark_shared(&mut node, span.start.into(), span.end.into());
                self.put(node, 0, None)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
        }
    }

    fn expects_key(&self) -> bool {
        self.open.last().is_some_and(|open| matches!(open.node.value, Value::Map(_)) && open.key.is_none())
    }

    fn spend(&mut self, cost: usize, at: Position) -> Result<(), Broken> {
        self.spent += cost;
        if self.spent > MAXIMUM_COST {
            return Err(Broken { at, found: "more than 16 MiB once aliases are written out".into() });
        }
        Ok(())
    }

    fn start(&mut self, value: Value, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), Broken> {
        if self.open.len() >= MAXIMUM_DEPTH {
            let found = format!("more than {MAXIMUM_DEPTH} levels of nesting");
            return Err(Broken { at: span.start.into(), found });
        }
        let mut node = Node::new(span, value);
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            node.value = Value::Strange(format!("the tag {tag}"));
        }
        self.open.push(Open { node, anchor, key: None });
        Ok(())
    }

    /// Puts a complete node where it belongs: into the collection that is open, or as the document.
    fn put(&mut self, mut node: Node, anchor: usize, trouble: Option<String>) -> Result<(), Broken> {
        self.spend(NODE_COST, node.start)?;
        if anchor > 0 {
            node.shared = true;
            self.spend(node.cost, node.start)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.document = Some(node);
            return Ok(());
        };
        parent.node.cost += node.cost;
        match (&mut parent.node.value, parent.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(_), None) => parent.key = Some((node, trouble)),
            (Value::Map(entries), Some((key, trouble))) => entries.push(entry(key, trouble, node)),
            _ => {}
        }
        Ok(())
    }
}

fn entry(key: Node, trouble: Option<String>, node: Node) -> Entry {
    let (text, trouble) = match key.value {
        Value::Text(text) => (text, None),
        _ => (String::new(), Some(trouble.unwrap_or_else(|| "a collection".into()))),
    };
    Entry { key: text, at: key.start, end: key.end, trouble, node }
}

/// Replaces merge keys (`<<: *common`) by what they stand for; what a map says itself comes first.
fn merge(node: &mut Node) {
    let Value::Map(entries) = &mut node.value else { return };
    if !entries.iter().any(|entry| entry.key == "<<") {
        return;
    }
    let (merged, own): (Vec<_>, Vec<_>) = std::mem::take(entries)
        .into_iter()
        .partition(|entry| entry.key == "<<" && matches!(entry.node.value, Value::Map(_) | Value::List(_)));
    *entries = own;
    let mut known: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for entry in merged {
        let sources = match entry.node.value {
            Value::List(items) => items,
            _ => vec![entry.node],
        };
        for mut addition in sources.into_iter().flat_map(|source| source.entries().to_vec()) {
            if known.insert(addition.key.clone()) {
                (addition.at, addition.end) = (entry.at, entry.end);
                addition.node.shared = true;
                entries.push(addition);
            }
        }
    }
}

/// Marks what an alias stands for; mistakes in it are reported where the alias stands.
fn mark_shared(node: &mut Node, start: Position, end: Position) {
    (node.start, node.end, node.shared) = (start, end, true);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| mark_shared(item, start, end)),
        Value::Map(entries) => {
            for entry in entries {
                (entry.at, entry.end) = (start, end);
                mark_shared(&mut entry.node, start, end);
            }
        }
        _ => {}
    }
}

/// What a scalar means: YAML 1.2's core schema, and `yes`, `no`, `on` and `off` as booleans, since kubectl
/// reads them so.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let tag = match tag {
        Some(tag) if tag.is_yaml_core_schema() => Some(tag.suffix.as_str()),
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Some("str"),
        Some(tag) => return Value::Strange(format!("the tag {tag}")),
        None => None,
    };
    let plain = plain_scalar(text);
    match tag {
        None if style == ScalarStyle::Plain => plain,
        None | Some("str") => Value::Text(text.into()),
        Some("int") if matches!(plain, Value::Integer(_)) => plain,
        Some("float") if matches!(plain, Value::Integer(_) | Value::Float(_)) => plain,
        Some("bool") if matches!(plain, Value::Boolean(_)) => plain,
        Some("null") if matches!(plain, Value::Null) => plain,
        Some(other) => Value::Strange(format!("the tag !!{other}")),
    }
}

fn plain_scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Boolean(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Boolean(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let radix =
        |prefix, radix| text.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, radix).ok());
    let integer = text.parse().ok().or_else(|| radix("0x", 16)).or_else(|| radix("0o", 8));
    if let Some(integer) = integer {
        return Value::Integer(integer);
    }
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if text.bytes().all(numeric)
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && let Ok(float) = text.parse()
    {
        return Value::Float(float);
    }
    Value::Text(text.into())
}
