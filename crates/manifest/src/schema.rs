//! The JSON Schema of every kind, generated from the types.
//!
//! Beside the standard keywords it has three of ours: `x-dunlin-not-yet` marks fields whose function comes
//! with a later version, `x-dunlin-at-least` and `x-dunlin-at-most` bound times and amounts of memory.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::formats;
use crate::types::{API_VERSION, Kind, Lattice, Metadata, WasmComponent, WasmProvider};

/// Fields of `metadata` that Kubernetes writes or uses, and that say nothing to us.
const KUBERNETES_METADATA: [&str; 10] = [
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "generateName",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "managedFields",
    "ownerReferences",
];

/// The schema of a whole object of this kind.
pub(crate) fn of(kind: Kind) -> &'static Value {
    static SCHEMAS: LazyLock<[Value; 3]> = LazyLock::new(|| Kind::ALL.map(document));
    match kind {
        Kind::Lattice => &SCHEMAS[0],
        Kind::WasmComponent => &SCHEMAS[1],
        Kind::WasmProvider => &SCHEMAS[2],
    }
}

/// The JSON Schema (draft 2020-12) of everything that a file may hold, for editors.
#[must_use]
pub fn json_schema() -> Value {
    let kinds: Vec<Value> =
        Kind::ALL.iter().map(|kind| json!({ "$ref": format!("#/$defs/{kind}") })).collect();
    let mut definitions: Map<String, Value> =
        Kind::ALL.iter().map(|kind| (kind.name().to_owned(), of(*kind).clone())).collect();
    definitions.insert(
        "List".into(),
        json!({
            "type": "object",
            "description": "Several objects in one document.",
            "properties": {
                "apiVersion": { "const": "v1" },
                "kind": { "const": "List" },
                "metadata": true,
                "items": { "type": "array", "items": { "oneOf": kinds } }
            },
            "required": ["apiVersion", "kind", "items"]
        }),
    );
    let mut one_of = kinds;
    one_of.push(json!({ "$ref": "#/$defs/List" }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": API_VERSION,
        "description": "What Git says to Dunlin.",
        "oneOf": one_of,
        "$defs": definitions
    })
}

fn document(kind: Kind) -> Value {
    let spec = match kind {
        Kind::Lattice => schema_for::<Lattice>(),
        Kind::WasmComponent => schema_for::<WasmComponent>(),
        Kind::WasmProvider => schema_for::<WasmProvider>(),
    };
    let mut metadata = schema_for::<Metadata>();
    metadata["description"] = "The object's name and what tools know it by.".into();
    metadata["additionalProperties"] = false.into();
    if let Some(properties) = metadata["properties"].as_object_mut() {
        properties.extend(KUBERNETES_METADATA.map(|field| (field.to_owned(), Value::Bool(true))));
    }
    json!({
        "type": "object",
        "description": spec["description"],
        "properties": {
            "apiVersion": { "type": "string", "const": API_VERSION },
            "kind": { "type": "string", "const": kind.name() },
            "metadata": metadata,
            "spec": spec,
            "status": true
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false
    })
}

fn schema_for<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(tidy).transform(&mut schema);
    let mut value = schema.to_value();
    if let Some(root) = value.as_object_mut() {
        root.remove("title");
    }
    value
}

/// Says things the way Kubernetes and editors have them: a field that may be left out is not `null`, and a
/// form of ours has a pattern.
fn tidy(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&"null".into()));
        if let [Value::Object(only)] = choices.as_mut_slice() {
            let only = std::mem::take(only);
            object.remove("anyOf");
            for (keyword, value) in only {
                object.entry(keyword).or_insert(value);
            }
        }
    }
    // Rust's integer types are not JSON Schema's formats.
    if object.get("format").and_then(Value::as_str).is_some_and(|name| name.starts_with("uint")) {
        object.remove("format");
    }
    let format = object.get("format").and_then(Value::as_str).and_then(formats::find);
    if let Some(pattern) = format.and_then(|format| format.pattern) {
        object.insert("pattern".into(), pattern.into());
    }
    if let Some(names) = object.get_mut("propertyNames").and_then(Value::as_object_mut) {
        let format = names.get("format").and_then(Value::as_str).and_then(formats::find);
        if let Some(pattern) = format.and_then(|format| format.pattern) {
            names.insert("pattern".into(), pattern.into());
        }
    }
}
