//! The values that a component reads through `wasi:config`, with the secrets they name put in.

use std::collections::BTreeMap;

use dunlin_manifest::{ConfigValue, WasmComponent};

use crate::secrets::{Consumer, SecretError, SecretFiles};

/// Why one value could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("config {key}: {source}")]
pub struct ConfigError {
    /// The key in `spec.config`.
    pub key: String,
    /// What is wrong with the secret it names.
    pub source: SecretError,
}

/// Every value of `spec.config`, for [`dunlin_manifest::identity`] and for the component.
///
/// # Errors
/// All values that could not be resolved, not only the first.
pub fn resolve_config(
    component: &str,
    spec: &WasmComponent,
    secrets: &SecretFiles,
) -> Result<BTreeMap<String, String>, Vec<ConfigError>> {
    let consumer = Consumer::Component(component.into());
    let mut errors = Vec::new();
    let mut values = BTreeMap::new();
    for (key, value) in &spec.config {
        let resolved = match value {
            ConfigValue::Value(text) => Ok(text.clone()),
            ConfigValue::Secret(reference) => secrets.get(&consumer, &reference.name, &reference.key),
        };
        match resolved {
            Ok(text) => drop(values.insert(key.clone(), text)),
            Err(source) => errors.push(ConfigError { key: key.clone(), source }),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}
