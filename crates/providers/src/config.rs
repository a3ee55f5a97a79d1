//! The configuration capability: what a component reads through `wasi:config`, resolved before it starts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One resolved value.
#[derive(Clone, PartialEq, Eq)]
pub enum ConfigValue {
    /// Written in the manifest.
    Plain(String),
    /// Read from a secret; never shown.
    Secret(String),
}

impl ConfigValue {
    /// The value itself, for the component that may have it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        match self {
            Self::Plain(value) | Self::Secret(value) => value,
        }
    }
}

impl fmt::Debug for ConfigValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => formatter.debug_tuple("Plain").field(value).finish(),
            // Not even its length.
            Self::Secret(_) => formatter.write_str("Secret(..)"),
        }
    }
}

/// The configuration of one component: fixed for as long as it runs, cheap to clone, and silent about secrets when
/// it is printed for debugging.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigStore {
    values: Arc<BTreeMap<String, ConfigValue>>,
}

impl ConfigStore {
    /// A store of these values.
    #[must_use]
    pub fn new(values: BTreeMap<String, ConfigValue>) -> Self {
        Self { values: Arc::new(values) }
    }

    /// The value of `key`, or `None`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(ConfigValue::reveal)
    }

    /// All keys with their values, in order of the keys.
    pub fn get_all(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.reveal()))
    }
}

impl FromIterator<(String, ConfigValue)> for ConfigStore {
    fn from_iter<I: IntoIterator<Item = (String, ConfigValue)>>(values: I) -> Self {
        Self::new(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_values_and_hides_secrets() {
        let store: ConfigStore = [
            ("LOG_LEVEL".to_owned(), ConfigValue::Plain("info".into())),
            ("API_KEY".to_owned(), ConfigValue::Secret("hunter2".into())),
        ]
        .into_iter()
        .collect();
        assert_eq!(store.get("API_KEY"), Some("hunter2"));
        assert_eq!(store.get("api_key"), None);
        assert_eq!(store.get_all().collect::<Vec<_>>(), [("API_KEY", "hunter2"), ("LOG_LEVEL", "info")]);
        let shown = format!("{store:?} {store:#?}");
        assert!(
            shown.contains("info") && shown.contains("Secret(..)") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
