//! Which documents of a file are ours, and of what kind and name.

use crate::mistake::{did_you_mean, quoted};
use crate::names::is_dns_label;
use crate::tree::{Node, Value};
use crate::types::{API_VERSION, GROUP, Kind, ObjectReference};
use crate::walk::{Finding, describe};

/// One object of ours as it stands in a file.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) file: String,
    /// `items[0]` within a list, else empty.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// The name, if it is there and may be one.
    pub(crate) name: Option<String>,
    pub(crate) node: Node,
}

impl Document {
    pub(crate) fn reference(&self) -> Option<ObjectReference> {
        Some(ObjectReference { kind: self.kind, name: self.name.clone()? })
    }

    /// The path of a field within the file: `spec.sites`, or `items[0].spec.sites` in a list.
    pub(crate) fn field(&self, path: &str) -> String {
        match (self.path.is_empty(), path.is_empty()) {
            (true, _) => path.into(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{path}", self.path),
        }
    }
}

/// Sorts what a document holds into objects of ours, mistakes, and what is none of our business.
pub(crate) fn sort(
    file: &str,
    node: &Node,
    path: &str,
    documents: &mut Vec<Document>,
    findings: &mut Vec<Finding>,
) {
    match &node.value {
        Value::Null | Value::List(_) => return,
        Value::Map(_) => {}
        _ => {
            let allowed = "documents that are mappings with apiVersion and kind".to_owned();
            findings.push(finding(node, path, describe(node), Some(allowed), None));
            return;
        }
    }
    let text = |key| node.get(key).and_then(Node::text).unwrap_or_default();
    let (version, kind_name) = (text("apiVersion"), text("kind"));
    if kind_name == "List" && version == "v1" {
        for (index, item) in node.get("items").map(Node::items).unwrap_or_default().iter().enumerate() {
            let path =
                if path.is_empty() { format!("items[{index}]") } else { format!("{path}.items[{index}]") };
            sort(file, item, &path, documents, findings);
        }
        return;
    }
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == kind_name);
    let is_ours = version == GROUP || version.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'));
    if !is_ours {
        // A kind of ours under a version that is nearly ours, or none, is a slip; a foreign group is not.
        let near =
            version.is_empty() || !version.contains('/') || did_you_mean(version, [API_VERSION]).is_some();
        if kind.is_some() && near {
            let at = node.get("apiVersion").unwrap_or(node);
            let found = if version.is_empty() {
                "no apiVersion".into()
            } else {
                format!("the apiVersion {}", quoted(version))
            };
            findings.push(finding(at, &field(path, "apiVersion"), found, Some(API_VERSION.into()), None));
        }
        return;
    }
    let Some(kind) = kind else {
        let at = node.get("kind").unwrap_or(node);
        let found = if kind_name.is_empty() {
            "no kind".into()
        } else {
            format!("unknown kind {}", quoted(kind_name))
        };
        let hint = did_you_mean(kind_name, Kind::ALL.map(Kind::name));
        let allowed = Kind::ALL.map(Kind::name).join(", ");
        findings.push(finding(at, &field(path, "kind"), found, Some(allowed), hint));
        return;
    };
    let name = node.at(&["metadata", "name"]).and_then(Node::text).filter(|name| is_dns_label(name));
    documents.push(Document {
        file: file.into(),
        path: path.into(),
        kind,
        name: name.map(Into::into),
        node: node.clone(),
    });
}

fn field(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}.{name}") }
}

fn finding(at: &Node, path: &str, found: String, allowed: Option<String>, hint: Option<String>) -> Finding {
    Finding { at: at.start, path: path.into(), found, allowed, hint }
}
