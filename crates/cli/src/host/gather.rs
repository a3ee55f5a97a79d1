//! Which value each setting has, and where it comes from: flag, environment, file, default, in this order.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use toml::Spanned;

use crate::host::table::{SETTINGS, Takes};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment(String),
    File { name: String, line: usize },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => write!(formatter, "flag"),
            Self::Environment(variable) => write!(formatter, "environment {variable}"),
            Self::File { name, line } => write!(formatter, "{name}:{line}"),
            Self::Default => write!(formatter, "default"),
        }
    }
}

/// A setting's values and their origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

/// What was given by setting; settings that have no value are not there.
pub(crate) type Gathered = BTreeMap<&'static str, Given>;

/// Puts the sources together.
pub(crate) fn gather(
    flags: &BTreeMap<&str, Vec<String>>,
    environment: impl Fn(&str) -> Option<String>,
    file: &Gathered,
) -> Gathered {
    let given = |setting: &crate::host::table::Setting| {
        if let Some(values) = flags.get(setting.name) {
            return Some(Given { values: values.clone(), origin: Origin::Flag });
        }
        if let Some(text) = environment(&setting.variable()).filter(|text| !text.is_empty()) {
            let values = match setting.takes {
                Takes::Many => text.split(',').map(|value| value.trim().to_owned()).collect(),
                Takes::One | Takes::Switch => vec![text],
            };
            return Some(Given { values, origin: Origin::Environment(setting.variable()) });
        }
        let default = setting
            .default
            .map(|default| Given { values: vec![default.to_owned()], origin: Origin::Default });
        file.get(setting.name).cloned().or(default)
    };
    SETTINGS.iter().filter_map(|setting| Some((setting.name, given(setting)?))).collect()
}

/// Reads a file of settings.
///
/// # Errors
/// Not TOML, an unknown setting, or a value of the wrong kind, each with its place.
pub(crate) fn read_file(name: &str, text: &str) -> Result<Gathered, String> {
    type Table = BTreeMap<Spanned<String>, Spanned<toml::Value>>;
    let table: Table = toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| place(text, span.start)).unwrap_or_default();
        format!("{name}:{place} {}", error.message())
    })?;
    let mut gathered = Gathered::new();
    for (key, value) in table {
        let at = place(text, key.span().start);
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == key.get_ref()) else {
            return Err(format!("{name}:{at} {}", unknown(key.get_ref())));
        };
        let values = values(setting.takes, value.get_ref())
            .map_err(|wrong| format!("{name}:{at} {}: {wrong}", setting.name))?;
        let line = text.get(..key.span().start).unwrap_or_default().matches('\n').count() + 1;
        gathered.insert(setting.name, Given { values, origin: Origin::File { name: name.to_owned(), line } });
    }
    Ok(gathered)
}

fn unknown(key: &str) -> String {
    let nearest = SETTINGS
        .iter()
        .map(|setting| (strsim::damerau_levenshtein(setting.name, key), setting.name))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    match nearest {
        Some((_, name)) => format!("unknown setting {key:?}: did you mean {name:?}?"),
        None => format!("unknown setting {key:?}: `dunlin host --help` lists them"),
    }
}

fn values(takes: Takes, value: &toml::Value) -> Result<Vec<String>, toml::de::Error> {
    let wrong = || toml::de::Error::custom(format!("found {}, which is no value for it", value.type_str()));
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(is) => Ok(is.to_string()),
        _ => Err(wrong()),
    };
    match (takes, value) {
        (Takes::Many, toml::Value::Array(values)) => values.iter().map(one).collect(),
        (Takes::Many, toml::Value::Table(pairs)) => {
            pairs.iter().map(|(key, value)| Ok(format!("{key}={}", one(value)?))).collect()
        }
        _ => Ok(vec![one(value)?]),
    }
}

/// `line:column:` of a byte.
fn place(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{column}:", before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_before_the_environment_before_the_file_before_defaults() {
        let file = read_file("h.toml", "site = \"file\"\nhost = \"file\"\nweight = 7\n").unwrap();
        let environment = |variable: &str| {
            ["DUNLIN_SITE", "DUNLIN_HOST"].contains(&variable).then(|| "environment".to_owned())
        };
        let flags = [("site", vec!["flag".to_owned()])].into();
        let gathered = gather(&flags, environment, &file);
        let shown = |name: &str| {
            let given = &gathered[name];
            format!("{} {}", given.values.join(","), given.origin)
        };
        assert_eq!(shown("site"), "flag flag");
        assert_eq!(shown("host"), "environment environment DUNLIN_HOST");
        assert_eq!(shown("weight"), "7 h.toml:3");
        assert_eq!(shown("memory"), "4Gi default");
        assert_eq!(gathered.get("lattice"), None);
    }

    #[test]
    fn a_file_may_have_lists_and_tables() {
        let file = read_file("h", "nats = [\"a\", \"b\"]\nlabels = { zone = \"x\", gpu = true }\n").unwrap();
        assert_eq!(file["nats"].values, ["a", "b"]);
        assert_eq!(file["labels"].values, ["gpu=true", "zone=x"]);
    }

    #[test]
    fn mistakes_in_a_file_have_a_place() {
        for (text, expected) in [
            ("site = \"a\"\nsiet = \"b\"", "h:2:1: unknown setting \"siet\": did you mean \"site\"?"),
            ("site = ", "h:1:8: "),
            ("\n site = [\"a\"]", "h:2:2: site: found array, which is no value for it"),
        ] {
            let error = read_file("h", text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
