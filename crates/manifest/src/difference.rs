//! What two desired states say differently, field by field.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::print::document;
use crate::types::{Kind, Object, ObjectReference, Snapshot};

/// One field that two states say differently; defaults count as said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The object that it belongs to.
    pub object: ObjectReference,
    /// The keys that lead to it: `spec`, `sites`, `gcp`, `replicas`. Empty where the whole object came or went.
    pub path: Vec<String>,
    /// What it was; nothing where it was not there.
    pub before: Option<Json>,
    /// What it is; nothing where it is gone.
    pub after: Option<Json>,
}

/// All differences: the lattice, the components, the providers, each by name and field.
#[must_use]
pub fn differences(before: &Snapshot, after: &Snapshot) -> Vec<Difference> {
    let (old, new) = (objects(before), objects(after));
    let mut names: Vec<&ObjectReference> = old.iter().chain(&new).map(|(object, _)| object).collect();
    names.sort();
    names.dedup();
    let mut all = Vec::new();
    for object in names {
        let find = |side: &[(ObjectReference, Json)]| {
            side.iter().find(|(found, _)| found == object).map(|(_, json)| json.clone())
        };
        match (find(&old), find(&new)) {
            (Some(old), Some(new)) => fields(object, &mut Vec::new(), Some(&old), Some(&new), &mut all),
            (before, after) => {
                all.push(Difference { object: object.clone(), path: Vec::new(), before, after });
            }
        }
    }
    all
}

fn objects(snapshot: &Snapshot) -> Vec<(ObjectReference, Json)> {
    fn one<S: Serialize>(kind: Kind, object: &Object<S>) -> (ObjectReference, Json) {
        (ObjectReference { kind, name: object.name.clone() }, document(kind, object))
    }
    let lattice = snapshot.lattice.iter().map(|object| one(Kind::Lattice, object));
    let components = snapshot.components.values().map(|object| one(Kind::WasmComponent, object));
    let providers = snapshot.providers.values().map(|object| one(Kind::WasmProvider, object));
    lattice.chain(components).chain(providers).collect()
}

fn fields(
    object: &ObjectReference,
    path: &mut Vec<String>,
    before: Option<&Json>,
    after: Option<&Json>,
    all: &mut Vec<Difference>,
) {
    if before == after {
        return;
    }
    let none = Map::new();
    // What came or went as a whole is told by its fields.
    let inner = match (before, after) {
        (Some(Json::Object(before)), Some(Json::Object(after))) => Some((before, after)),
        (None, Some(Json::Object(after))) if !after.is_empty() => Some((&none, after)),
        (Some(Json::Object(before)), None) if !before.is_empty() => Some((before, &none)),
        _ => None,
    };
    let Some((before, after)) = inner else {
        let (before, after) = (before.cloned(), after.cloned());
        return all.push(Difference { object: object.clone(), path: path.clone(), before, after });
    };
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        path.push(key.clone());
        fields(object, path, before.get(key), after.get(key), all);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, read};

    const FORMER: &str = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { a: {}, b: {} } }\n---\n\
        apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo }\nspec:\n  image: r.io/todo:1\n  \
        sites: { a: { replicas: 2 } }\n  http: { path: / }\n";

    fn snapshot(text: &str) -> Snapshot {
        let reading = read(&[File { path: "all.yaml".into(), text: text.into() }]);
        assert_eq!(reading.mistakes, vec![]);
        reading.snapshot
    }

    #[test]
    fn fields_that_changed_came_and_went() {
        let latter = FORMER
            .replace("{ a: { replicas: 2 } }", "{ a: { replicas: 0 }, b: {} }")
            .replace("todo:1", "todo:2")
            .replace("  http: { path: / }\n", "");
        let told: Vec<_> = differences(&snapshot(FORMER), &snapshot(&latter))
            .into_iter()
            .map(|found| {
                let word = |value: Option<Json>| value.map_or("-".to_owned(), |value| value.to_string());
                let path = found.path.join(".");
                format!("{} {path} {} -> {}", found.object, word(found.before), word(found.after))
            })
            .collect();
        expect_test::expect![[r#"
            WasmComponent/todo spec.http.path "/" -> -
            WasmComponent/todo spec.http.remote "Allow" -> -
            WasmComponent/todo spec.image "r.io/todo:1" -> "r.io/todo:2"
            WasmComponent/todo spec.sites.a.replicas 2 -> 0
            WasmComponent/todo spec.sites.b.replicas - -> "all""#]]
        .assert_eq(&told.join("\n"));
        assert_eq!(differences(&snapshot(FORMER), &snapshot(FORMER)), vec![]);
    }

    #[test]
    fn objects_that_came_and_went() {
        let without = FORMER.split("---\n").next().unwrap_or_default();
        let [went] = &differences(&snapshot(FORMER), &snapshot(without))[..] else { panic!("one") };
        assert_eq!((went.object.to_string().as_str(), went.path.len()), ("WasmComponent/todo", 0));
        assert!(went.before.is_some() && went.after.is_none());
    }
}
