//! The reference page of the manifest, generated from the schema.

use std::fmt::Write;

use serde_json::Value;

use crate::formats;
use crate::schema;
use crate::types::{API_VERSION, Kind};

/// The reference page in Markdown: every field of every kind with its type, default and meaning.
#[must_use]
pub fn reference_page() -> String {
    let mut page = format!(
        "# Manifest reference\n\n\
        What `{API_VERSION}` knows, generated from the types in `crates/manifest`; a test fails when this page is\n\
        stale. For editors there is a [JSON Schema](dunlin.schema.json). Fields marked *required* must be given.\n\
        `<name>` stands for a name of your choice.\n"
    );
    for kind in Kind::ALL {
        let document = schema::of(kind);
        let meaning = document["description"].as_str().unwrap_or_default();
        let _ = write!(page, "\n## {kind}\n\n{}\n\n", one_line(meaning));
        page.push_str("| field | type | default | meaning |\n| --- | --- | --- | --- |\n");
        row(&mut page, "metadata.name", &document["properties"]["metadata"]["properties"]["name"], true);
        let labels = &document["properties"]["metadata"]["properties"]["labels"];
        row(
            &mut page,
            "metadata.labels.<name>",
            &with_meaning(&labels["additionalProperties"], labels),
            false,
        );
        fields(&mut page, "spec", &document["properties"]["spec"]);
    }
    page
}

fn fields(page: &mut String, path: &str, schema: &Value) {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.contains(&name.into()));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        descend(page, &path, field, required(name));
    }
}

fn descend(page: &mut String, path: &str, field: &Value, required: bool) {
    row(page, path, field, required);
    fields(page, path, field);
    let values = &field["additionalProperties"];
    if values.is_object() {
        let path = format!("{path}.<name>");
        // A map to plain values has nothing to add to its own row.
        if values["properties"].as_object().is_some_and(|fields| !fields.is_empty()) {
            fields(page, &path, values);
        }
    }
}

fn row(page: &mut String, path: &str, field: &Value, required: bool) {
    let default = match &field["default"] {
        _ if required => "*required*".to_owned(),
        Value::Null => String::new(),
        Value::Object(_) | Value::Array(_) => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    let mut meaning = one_line(field["description"].as_str().unwrap_or_default());
    let bound = |name: &str| field[name].as_str();
    if let (Some(least), Some(most)) = (bound("x-dunlin-at-least"), bound("x-dunlin-at-most")) {
        let _ = write!(meaning, " From {least} to {most}.");
    }
    if let (Some(minimum), Some(maximum)) = (field["minimum"].as_u64(), field["maximum"].as_u64()) {
        let _ = write!(meaning, " From {minimum} to {maximum}.");
    }
    if field.get("x-dunlin-not-yet").is_some() {
        meaning.push_str(" **Not in this version yet.**");
    }
    let _ = writeln!(page, "| `{path}` | {} | {default} | {} |", type_of(field), meaning.trim());
}

fn type_of(field: &Value) -> String {
    let format = field["format"].as_str().and_then(formats::find);
    if let Some(format) = format {
        return format.title.into();
    }
    if let Some(choices) = field["enum"].as_array() {
        let choices: Vec<_> =
            choices.iter().filter_map(Value::as_str).map(|choice| format!("`{choice}`")).collect();
        return choices.join(" or ");
    }
    match field["type"].as_str() {
        Some("integer") => "whole number".into(),
        Some("boolean") => "`true` or `false`".into(),
        Some("string") => "text".into(),
        Some("array") => format!("list of {}", type_of(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => {
            let value = type_of(&field["additionalProperties"]);
            if value == "mapping" { "mapping by name".into() } else { format!("mapping of name to {value}") }
        }
        _ => "mapping".into(),
    }
}

fn with_meaning(schema: &Value, owner: &Value) -> Value {
    let mut schema = schema.clone();
    schema["description"] = owner["description"].clone();
    schema
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
