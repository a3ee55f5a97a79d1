//! What a revision changes: the difference of two snapshots, object by object. Pure.

use std::collections::BTreeMap;
use std::fmt;

use dunlin_manifest::{Object, Replicas, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So many fields of one object are told; a revision that changes more says so.
const FIELDS: usize = 20;
/// Values are cut to so many characters.
const LONGEST: usize = 80;
/// So many objects are told of one revision.
const OBJECTS: usize = 100;

/// One thing that a revision changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The object, such as `component/todo`.
    pub object: String,
    /// How it changes.
    pub kind: ChangeKind,
    /// The fields that change, with their values before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// How an object changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// A component runs elsewhere, or more or less often.
    Moved,
    /// What runs is another: code, links, configuration, readiness, resources.
    Updated,
    /// Anything else: routes, labels, failover, a provider's sites.
    Changed,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Where it is, such as `sites.gcp.replicas` or `config.LOG_LEVEL`.
    pub path: String,
    /// What it was; missing if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is; missing if it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// All that differs, components first.
pub(crate) fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let mut all = Vec::new();
    objects("component", &before.components, &after.components, component_kind, &mut all);
    objects("provider", &before.providers, &after.providers, |_| ChangeKind::Changed, &mut all);
    let lattice = |snapshot: &Snapshot| -> BTreeMap<String, _> {
        snapshot.lattice.iter().map(|lattice| (lattice.name.clone(), lattice.clone())).collect()
    };
    objects("lattice", &lattice(before), &lattice(after), |_| ChangeKind::Changed, &mut all);
    all.truncate(OBJECTS);
    all
}

/// What a field of a component is about.
fn component_kind(path: &str) -> ChangeKind {
    match path.split('.').next().unwrap_or_default() {
        "sites" => ChangeKind::Moved,
        "image" | "links" | "config" | "readiness" | "resources" | "timeouts" | "maxConcurrency" => {
            ChangeKind::Updated
        }
        _ => ChangeKind::Changed,
    }
}

fn objects<S: Serialize + PartialEq>(
    word: &str,
    before: &BTreeMap<String, Object<S>>,
    after: &BTreeMap<String, Object<S>>,
    kind: impl Fn(&str) -> ChangeKind,
    all: &mut Vec<Change>,
) {
    for (name, object) in after {
        let reference = format!("{word}/{name}");
        let Some(old) = before.get(name) else {
            let fields = fields(&Value::Null, &spec(object))
                .into_iter()
                .filter(|field| field.path.starts_with("sites"));
            all.push(Change { object: reference, kind: ChangeKind::Added, fields: fields.collect() });
            continue;
        };
        if old == object {
            continue;
        }
        let mut by_kind: Vec<(ChangeKind, Vec<FieldChange>)> = Vec::new();
        for field in fields(&spec(old), &spec(object)) {
            let kind = kind(&field.path);
            match by_kind.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, fields)) => fields.push(field),
                None => by_kind.push((kind, vec![field])),
            }
        }
        // Labels and annotations are not told one by one.
        if by_kind.is_empty() {
            by_kind.push((ChangeKind::Changed, Vec::new()));
        }
        let change = |(kind, mut fields): (ChangeKind, Vec<FieldChange>)| {
            fields.truncate(FIELDS);
            Change { object: reference.clone(), kind, fields }
        };
        all.extend(by_kind.into_iter().map(change));
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        let object = format!("{word}/{name}");
        all.push(Change { object, kind: ChangeKind::Removed, fields: Vec::new() });
    }
}

fn spec<S: Serialize>(object: &Object<S>) -> Value {
    // Maps with text keys and plain values always serialize.
    serde_json::to_value(&object.spec).unwrap_or_default()
}

/// The fields in which two specifications differ, down to what is no map, in order.
fn fields(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut all = Vec::new();
    walk("", Some(before), Some(after), &mut all);
    all
}

fn walk(path: &str, before: Option<&Value>, after: Option<&Value>, all: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let map = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    match (map(before), map(after)) {
        (None, None) => {
            let told = |value: Option<&Value>| value.filter(|value| !value.is_null()).map(short);
            all.push(FieldChange { path: path.to_owned(), from: told(before), to: told(after) });
        }
        (old, new) => {
            let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
            let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(&path, old.get(key), new.get(key), all);
            }
        }
    }
}

/// A value in a few characters. Manifests name secrets and never hold them.
fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= LONGEST {
        return text;
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head}…")
}

impl fmt::Display for Change {
    /// `todo: move from gcp to aws`, `todo: update image`, `provider redis: new`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            self.object.strip_prefix("component/").map_or(self.object.replace('/', " "), str::to_owned);
        write!(f, "{name}: ")?;
        match self.kind {
            ChangeKind::Added => {
                f.write_str("new")?;
                let sites: Vec<_> =
                    sites(&self.fields).map(|(site, _, to)| format!("{site} {}", count(to))).collect();
                if sites.is_empty() { Ok(()) } else { write!(f, " ({})", sites.join(", ")) }
            }
            ChangeKind::Removed => f.write_str("removed"),
            ChangeKind::Moved => moved(f, &self.fields),
            ChangeKind::Updated => write!(f, "update {}", listed(&self.fields)),
            ChangeKind::Changed if self.fields.is_empty() => f.write_str("labels or annotations"),
            ChangeKind::Changed => f.write_str(&listed(&self.fields)),
        }
    }
}

/// Sites among changed fields, with the replicas before and after.
fn sites(fields: &[FieldChange]) -> impl Iterator<Item = (&str, Option<&str>, Option<&str>)> {
    fields.iter().filter_map(|field| {
        let site = field.path.strip_prefix("sites.")?.strip_suffix(".replicas")?;
        Some((site, field.from.as_deref(), field.to.as_deref()))
    })
}

fn count(replicas: Option<&str>) -> &str {
    replicas.unwrap_or("0")
}

fn moved(f: &mut fmt::Formatter<'_>, fields: &[FieldChange]) -> fmt::Result {
    let number = |replicas: Option<&str>| match count(replicas) {
        "all" => Replicas::MAXIMUM + 1,
        text => text.parse().unwrap_or(0),
    };
    let names = |left: bool| -> Vec<&str> {
        sites(fields)
            .filter(|(_, from, to)| (number(*to) < number(*from)) == left && number(*to) != number(*from))
            .map(|(site, ..)| site)
            .collect()
    };
    let (from, to) = (names(true), names(false));
    let counts: Vec<_> =
        sites(fields).map(|(site, from, to)| format!("{site} {} → {}", count(from), count(to))).collect();
    match (from.is_empty(), to.is_empty()) {
        (false, false) => {
            write!(f, "move from {} to {} ({})", from.join(", "), to.join(", "), counts.join(", "))
        }
        _ if counts.is_empty() => f.write_str(&listed(fields)),
        _ => f.write_str(&counts.join(", ")),
    }
}

fn listed(fields: &[FieldChange]) -> String {
    let told = |field: &FieldChange| match (&field.from, &field.to) {
        (Some(from), Some(to)) => format!("{} {from} → {to}", field.path),
        (None, Some(to)) => format!("{} {to}", field.path),
        _ => format!("{} gone", field.path),
    };
    fields.iter().map(told).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use dunlin_manifest::{File, read};
    use expect_test::{Expect, expect};

    use super::*;

    fn snapshot(objects: &[&str]) -> Snapshot {
        let lattice = "kind: Lattice\nmetadata: { name: l }\nspec: { sites: { aws: {}, gcp: {} } }\n";
        let documents = std::iter::once(&lattice)
            .chain(objects)
            .map(|text| format!("apiVersion: dunlin.dev/v1alpha1\n{text}"));
        let text = documents.collect::<Vec<_>>().join("\n---\n");
        let reading = read(&[File { path: "all.yaml".into(), text }]);
        assert_eq!(reading.mistakes, []);
        reading.snapshot
    }

    fn todo(sites: &str, rest: &str) -> String {
        format!(
            "kind: WasmComponent\nmetadata: {{ name: todo }}\nspec: {{ image: \"example.com/todo:1\", sites: {{ {sites} }}, {rest} }}\n"
        )
    }

    fn check(before: &[&str], after: &[&str], expected: Expect) {
        let changes = changes(&snapshot(before), &snapshot(after));
        let told: Vec<_> = changes.iter().map(|change| format!("{:?} | {change}", change.kind)).collect();
        expected.assert_eq(&told.join("\n"));
    }

    #[test]
    fn every_kind_of_change_in_words() {
        let one = todo("gcp: { replicas: 2 }, aws: { replicas: 0 }", "");
        check(&[&one], &[&one], expect![""]);
        check(&[], &[&one], expect!["Added | todo: new (aws 0, gcp 2)"]);
        check(&[&one], &[], expect!["Removed | todo: removed"]);
        let moved = todo("gcp: { replicas: 0 }, aws: { replicas: 2 }", "");
        check(&[&one], &[&moved], expect!["Moved | todo: move from gcp to aws (aws 0 → 2, gcp 2 → 0)"]);
        let more = todo("gcp: { replicas: 3 }, aws: { replicas: 0 }", "");
        check(&[&one], &[&more], expect!["Moved | todo: gcp 2 → 3"]);
        let gone = todo("aws: {}", "");
        check(&[&one], &[&gone], expect!["Moved | todo: move from gcp to aws (aws 0 → all, gcp 2 → 0)"]);
        let labelled = todo("gcp: { replicas: 2, hostLabels: { disk: ssd } }, aws: { replicas: 0 }", "");
        check(&[&one], &[&labelled], expect!["Moved | todo: sites.gcp.hostLabels.disk ssd"]);
        let both = todo(
            "gcp: { replicas: 0 }, aws: { replicas: 2 }",
            "http: { path: /a }, config: { LOG_LEVEL: { value: debug } }",
        );
        check(
            &[&one],
            &[&both],
            expect![[r#"
            Updated | todo: update config.LOG_LEVEL.value debug
            Changed | todo: http.path /a, http.remote Allow
            Moved | todo: move from gcp to aws (aws 0 → 2, gcp 2 → 0)"#]],
        );
        let long = todo(
            "gcp: { replicas: 2 }, aws: { replicas: 0 }",
            &format!("config: {{ A: {{ value: {} }} }}", "x".repeat(200)),
        );
        let told = changes(&snapshot(&[&one]), &snapshot(&[&long]));
        assert_eq!(told[0].fields[0].to.as_ref().unwrap().chars().count(), LONGEST + 1);
    }

    #[test]
    fn providers_and_labels() {
        let redis = |url: &str| {
            format!(
                "kind: WasmProvider\nmetadata: {{ name: redis }}\nspec: {{ keyvalue: {{ redis: {{}} }}, sites: {{ gcp: {{ url: \"{url}\" }} }} }}\n"
            )
        };
        let (old, new) = (redis("redis://a:6379"), redis("redis://b:6379"));
        check(&[], &[&old], expect!["Added | provider redis: new"]);
        check(
            &[&old],
            &[&new],
            expect!["Changed | provider redis: sites.gcp.url redis://a:6379 → redis://b:6379"],
        );
        let one = todo("gcp: {}", "");
        let labelled = one.replace("name: todo", "name: todo, labels: { team: a }");
        check(&[&one], &[&labelled], expect!["Changed | todo: labels or annotations"]);
    }
}
