//! Objects that get back what they said, in every style that people write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use dunlin_manifest::{EditError, Kind, ObjectReference, line_of, object_in, objects_in, restore, set_image};
use expect_test::{Expect, expect};

const HEAD: &str = "# an application\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo }\nspec:\n";
const TAIL: &str =
    "---\n# another\napiVersion: dunlin.dev/v1alpha1\nkind: WasmProvider\nmetadata: { name: redis }\n";

fn todo() -> ObjectReference {
    ObjectReference { kind: Kind::WasmComponent, name: "todo".into() }
}

/// Gives the component, whose spec is `now`, the spec `then`, and shows what became of it.
fn check(now: &str, then: &str, expected: Expect) {
    let text = format!("{HEAD}{now}{TAIL}");
    // Other objects were different as well, and the file began otherwise.
    let former =
        format!("{TAIL}---\n{}{then}", HEAD.replace("# an application", "# a former\n# application"));
    match restore(&text, &former, &todo()) {
        Ok(edited) => {
            let middle = edited.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(TAIL)).unwrap();
            let barred: String = middle.lines().map(|line| format!("|{line}\n")).collect();
            expected.assert_eq(&barred);
        }
        Err(error) => expected.assert_eq(&error.to_string()),
    }
}

#[test]
fn values_change_and_comments_stay() {
    check(
        "  image: todo:2   # released\n  sites:\n    gcp: { replicas: 0 } # home\n    aws: { replicas: 2 }\n  timeouts: { request: 5s }\n",
        "  image: 'todo:1'\n  sites:\n    gcp: { replicas: 2 }\n    aws: { replicas: all }\n  timeouts: { request: \"9s\" }\n",
        expect![[r#"
            |  image: 'todo:1'   # released
            |  sites:
            |    gcp: { replicas: 2 } # home
            |    aws: { replicas: all }
            |  timeouts: { request: "9s" }
        "#]],
    );
}

#[test]
fn what_went_comes_back_as_it_was_written_and_where() {
    check(
        "  image: todo:1\n\n  # Where it runs.\n  sites:\n    aws:\n      replicas: 2 # away\n  http: { path: / }\n",
        "  image: todo:1\n  # Where it runs.\n  sites:\n    # home\n    gcp:\n      replicas: 2 # two\n      hostLabels: { disk: ssd }\n    aws:\n      replicas: 1\n  links:\n    out:\n      egress:\n        hosts:\n          - a.example # first\n  http: { path: / }\n",
        expect![[r#"
            |  image: todo:1
            |
            |  # Where it runs.
            |  sites:
            |    # home
            |    gcp:
            |      replicas: 2 # two
            |      hostLabels: { disk: ssd }
            |    aws:
            |      replicas: 1 # away
            |  links:
            |    out:
            |      egress:
            |        hosts:
            |          - a.example # first
            |  http: { path: / }
        "#]],
    );
}

#[test]
fn what_came_goes_and_its_neighbours_stay() {
    check(
        "  image: todo:1\n  config:\n    # why\n    LEVEL: { value: info }\n    MORE: { value: x } # more\n  sites: { gcp: { replicas: 2 }, aws: { replicas: 1 }, azure: {} }\n",
        "  image: todo:1\n  config:\n    LEVEL: { value: info }\n  sites: { aws: { replicas: 1 } }\n",
        expect![[r#"
            |  image: todo:1
            |  config:
            |    # why
            |    LEVEL: { value: info }
            |  sites: { aws: { replicas: 1 } }
        "#]],
    );
    check(
        "  image: todo:1\n  sites: { gcp: {} }\n  config:\n    A:\n      value: |\n        one\n        two\n    B: { value: b }\n",
        "  image: todo:1\n  sites: {}\n  config:\n    B: { value: b }\n",
        expect![[r#"
            |  image: todo:1
            |  sites: {}
            |  config:
            |    B: { value: b }
        "#]],
    );
}

#[test]
fn other_shapes() {
    check(
        "  image: todo:1\n  sites:\n    gcp:\n      replicas: 2\n",
        "  image: todo:1\n  sites: { gcp: {} }\n",
        expect![[r#"
            |  image: todo:1
            |  sites:
            |    gcp: {}
        "#]],
    );
    check(
        "  image: todo:1\n  sites: {}\n",
        "  image: todo:1\n  sites:\n    gcp:\n      replicas: 2\n    aws:\n",
        expect![[r#"
            |  image: todo:1
            |  sites: { aws: null, gcp: { replicas: 2 } }
        "#]],
    );
    check(
        "  image: todo:1\n  config:\n    A:\n      value: |\n        one\n        two\n  sites: {}\n",
        "  image: todo:1\n  config:\n    A:\n      value: >-\n        three\n  sites: {}\n",
        expect![[r#"
            |  image: todo:1
            |  config:
            |    A:
            |      value: three
            |  sites: {}
        "#]],
    );
}

#[test]
fn what_is_shared_is_left_alone() {
    check(
        "  image: todo:1\n  sites: { gcp: &two { replicas: 2 }, aws: *two }\n",
        "  image: todo:1\n  sites: { gcp: { replicas: 1 }, aws: { replicas: 2 } }\n",
        expect!["line 7: written with a YAML anchor or alias; edit it by hand"],
    );
    // Where it was shared before, it is written out.
    check(
        "  image: todo:1\n  sites: { gcp: { replicas: 1 } }\n",
        "  image: todo:1\n  sites:\n    gcp: &two { replicas: 2 }\n    aws: *two\n",
        expect![[r#"
            |  image: todo:1
            |  sites: { gcp: { replicas: 2 }, aws: { replicas: 2 } }
        "#]],
    );
}

#[test]
fn json_stays_json() {
    let text = |spec: serde_json::Value| {
        let document = serde_json::json!({ "apiVersion": "dunlin.dev/v1alpha1", "kind": "WasmComponent", "metadata": { "name": "todo" }, "spec": spec });
        serde_json::to_string_pretty(&document).unwrap()
    };
    let now =
        serde_json::json!({ "image": "todo:2", "sites": { "aws": { "replicas": 2 } }, "suspend": true });
    let then = serde_json::json!({ "image": "todo:1", "sites": { "aws": { "replicas": 1 }, "gcp": { "replicas": "all" } } });
    let edited = restore(&text(now), &text(then.clone()), &todo()).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&edited).unwrap()["spec"], then, "{edited}");
}

#[test]
fn an_object_that_is_not_there_is_named() {
    let text = format!("{HEAD}  image: todo:1\n");
    let missing = |name: &str| ObjectReference { kind: Kind::WasmComponent, name: name.into() };
    let found = restore(&text, TAIL, &missing("todo"));
    assert_eq!(found, Err(EditError::NotFound { object: missing("todo"), found: vec![] }));
    assert!(matches!(restore("a: [", &text, &missing("todo")), Err(EditError::Broken { .. })));
}

#[test]
fn images_keep_their_quotes() {
    for (image, expected) in [("todo:1 # tag", "t@d # tag"), ("\"todo:1\"", "\"t@d\""), ("'todo:1'", "'t@d'")]
    {
        let edited = set_image(&format!("{HEAD}  image: {image}\n"), "todo", "t@d").unwrap();
        assert_eq!(edited, format!("{HEAD}  image: {expected}\n"));
    }
    let shared = format!("{HEAD}  image: &image todo:1\n");
    assert_eq!(set_image(&shared, "todo", "t@d"), Err(EditError::Shared { line: 6 }));
}

#[test]
fn lines_of_fields() {
    let text = format!("{HEAD}  image: todo:1\n  sites:\n    gcp:\n      replicas: 2\n{TAIL}");
    for (path, line) in [
        (&["spec", "sites", "gcp", "replicas"][..], 9),
        (&["spec", "sites", "aws", "replicas"], 7),
        (&["spec", "http", "path"], 5),
        (&["nothing"], 2),
    ] {
        assert_eq!(line_of(&text, &todo(), path), Some(line), "{path:?}");
    }
    assert_eq!(line_of(TAIL, &todo(), &[]), None);
    assert_eq!(object_in(&text, &todo()).unwrap()["spec"]["sites"]["gcp"]["replicas"], 2);
    let names: Vec<_> = objects_in(&text).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["WasmComponent/todo", "WasmProvider/redis"]);
}
