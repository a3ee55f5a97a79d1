//! Prints a snapshot as YAML that reads back the same.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use crate::types::{API_VERSION, Kind, Metadata, Object, Snapshot};

/// The snapshot as YAML, one document per object: the lattice, the components, the providers, each by name.
///
/// Reading the text gives an equal snapshot; defaults are written out.
#[must_use]
pub fn print(snapshot: &Snapshot) -> String {
    let mut documents = Vec::new();
    documents.extend(snapshot.lattice.as_ref().map(|lattice| document(Kind::Lattice, lattice)));
    documents.extend(snapshot.components.values().map(|component| document(Kind::WasmComponent, component)));
    documents.extend(snapshot.providers.values().map(|provider| document(Kind::WasmProvider, provider)));
    let mut text = String::new();
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        block(&mut text, document, 0);
    }
    text
}

/// One object as it is printed.
pub(crate) fn document<S: Serialize>(kind: Kind, object: &Object<S>) -> Value {
    let Object { name, labels, annotations, spec, origin: _ } = object;
    let metadata = Metadata { name: name.clone(), labels: labels.clone(), annotations: annotations.clone() };
    // Texts as keys, plain values: serializing to a value cannot fail.
    json!({
        "apiVersion": API_VERSION,
        "kind": kind.name(),
        "metadata": serde_json::to_value(metadata).unwrap_or_default(),
        "spec": serde_json::to_value(spec).unwrap_or_default(),
    })
}

/// Writes a mapping or list in block style; `depth` counts the levels around it.
fn block(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let _ = write!(text, "{indent}{}:", scalar(key));
                nested(text, value, depth + 1);
            }
        }
        Value::Array(items) => {
            for item in items {
                let _ = write!(text, "{indent}-");
                nested(text, item, depth + 1);
            }
        }
        _ => {}
    }
}

fn nested(text: &mut String, value: &Value, depth: usize) {
    let _ = match value {
        Value::Object(fields) if fields.is_empty() => writeln!(text, " {{}}"),
        Value::Array(items) if items.is_empty() => writeln!(text, " []"),
        Value::Object(_) | Value::Array(_) => {
            text.push('\n');
            block(text, value, depth);
            Ok(())
        }
        Value::String(string) => writeln!(text, " {}", scalar(string)),
        other => writeln!(text, " {other}"),
    };
}

/// A text, plain where every reader of YAML takes it for that text, else in double quotes.
pub(crate) fn scalar(text: &str) -> String {
    let plain = text.len() <= 100
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte))
        && !text.ends_with(':')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        return text.into();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        let _ = match character {
            '"' => write!(quoted, "\\\""),
            '\\' => write!(quoted, "\\\\"),
            '\n' => write!(quoted, "\\n"),
            '\t' => write!(quoted, "\\t"),
            // Control characters, line separators and the byte order mark mean something else when bare.
            _ if character.is_control()
                || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                write!(quoted, "\\u{:04x}", u32::from(character))
            }
            _ => write!(quoted, "{character}"),
        };
    }
    quoted.push('"');
    quoted
}
