//! Edits in place, in every style that people write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use dunlin_manifest::{EditError, Kind, ObjectReference, Replicas, set_replicas};
use expect_test::{Expect, expect};

/// Edits the component `todo`, whose sites are written as `sites`, and shows what became of them.
fn check(sites: &str, changes: &[(&str, u32)], expected: Expect) {
    let before = "# a comment\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent # todo\nmetadata: { name: todo }\nspec:\n  image: todo # é\n";
    let after = "  http: { path:   / } # kept\n---\napiVersion: v1\nkind: Secret\n";
    let text = format!("{before}{sites}{after}");
    let changes: Vec<_> =
        changes.iter().map(|(site, count)| ((*site).to_owned(), Replicas::Count(*count))).collect();
    match set_replicas(&text, "todo", &changes) {
        Ok(edited) => {
            let middle = edited.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            // The bar keeps the indentation of the first line, which the macro would take for its own.
            let barred: String = middle.unwrap_or(&edited).lines().map(|line| format!("|{line}\n")).collect();
            expected.assert_eq(&barred);
        }
        Err(error) => expected.assert_eq(&error.to_string()),
    }
}

#[test]
fn numbers() {
    check(
        "  sites: { gcp: { replicas: 2 }, aws: { replicas: 1 } }       # a number\n",
        &[("gcp", 0), ("aws", 3)],
        expect![[r#"
            |  sites: { gcp: { replicas: 0 }, aws: { replicas: 3 } }       # a number
        "#]],
    );
    check(
        "  sites:\n    gcp: { replicas: 2 } # home\n    # away\n    aws:\n      replicas: all   # everywhere\n",
        &[("aws", 2), ("gcp", 10)],
        expect![[r#"
            |  sites:
            |    gcp: { replicas: 10 } # home
            |    # away
            |    aws:
            |      replicas: 2   # everywhere
        "#]],
    );
    check(
        "  sites: { gcp: { replicas: \"all\", hostLabels: { disk: ssd } } }\n",
        &[("gcp", 1)],
        expect![[r#"
            |  sites: { gcp: { replicas: 1, hostLabels: { disk: ssd } } }
        "#]],
    );
    check(
        "  sites: {\"gcp\": {\"replicas\": 2}, 'aws': {'replicas': 1}}\n",
        &[("gcp", 1), ("aws", 0)],
        expect![[r#"
            |  sites: {"gcp": {"replicas": 1}, 'aws': {'replicas': 0}}
        "#]],
    );
}

#[test]
fn sites_without_replicas() {
    check(
        "  sites: { gcp: {}, aws: { hostLabels: { disk: ssd } } }\n",
        &[("gcp", 1), ("aws", 2)],
        expect![[r#"
            |  sites: { gcp: { replicas: 1 }, aws: { hostLabels: { disk: ssd }, replicas: 2 } }
        "#]],
    );
    check(
        "  sites:\n    gcp:   # home\n    aws: ~\n",
        &[("gcp", 1), ("aws", 2)],
        expect![[r#"
            |  sites:
            |    gcp: { replicas: 1 }   # home
            |    aws: { replicas: 2 }
        "#]],
    );
    check(
        "  sites:\n    gcp:\n      hostLabels:\n        disk: ssd # fast\n",
        &[("gcp", 1)],
        expect![[r#"
            |  sites:
            |    gcp:
            |      hostLabels:
            |        disk: ssd # fast
            |      replicas: 1
        "#]],
    );
}

#[test]
fn sites_that_are_missing() {
    check(
        "  sites: { gcp: { replicas: 2 } }\n",
        &[("aws", 1)],
        expect![[r#"
            |  sites: { gcp: { replicas: 2 }, aws: { replicas: 1 } }
        "#]],
    );
    check(
        "  sites: { gcp: { replicas: 2 }, }\n",
        &[("aws", 1)],
        expect![[r#"
            |  sites: { gcp: { replicas: 2 }, aws: { replicas: 1 }, }
        "#]],
    );
    check(
        "  sites: {\n    gcp: { replicas: 2 }, # home\n  }\n",
        &[("aws", 1)],
        expect![[r#"
            |  sites: {
            |    gcp: { replicas: 2 }, aws: { replicas: 1 }, # home
            |  }
        "#]],
    );
    check(
        "  sites:\n    gcp: { replicas: 2 } # home\n",
        &[("aws", 1)],
        expect![[r#"
            |  sites:
            |    gcp: { replicas: 2 } # home
            |    aws: { replicas: 1 }
        "#]],
    );
    check(
        "  sites:\n    gcp:\n        replicas: 2 # home\n\n  # the rest\n",
        &[("aws", 1)],
        expect![[r#"
            |  sites:
            |    gcp:
            |        replicas: 2 # home
            |    aws:
            |        replicas: 1
            |
            |  # the rest
        "#]],
    );
    check(
        "  sites:\n    gcp:\n",
        &[("aws", 1)],
        expect![[r#"
            |  sites:
            |    gcp:
            |    aws: { replicas: 1 }
        "#]],
    );
    check(
        "  sites: {}\n",
        &[("aws", 1), ("gcp", 0)],
        expect![[r#"
            |  sites: { aws: { replicas: 1 }, gcp: { replicas: 0 } }
        "#]],
    );
    check(
        "  sites:\n",
        &[("aws", 1)],
        expect![[r#"
            |  sites: { aws: { replicas: 1 } }
        "#]],
    );
    check(
        "",
        &[("aws", 1)],
        expect![[r#"
            |# a comment
            |apiVersion: dunlin.dev/v1alpha1
            |kind: WasmComponent # todo
            |metadata: { name: todo }
            |spec:
            |  image: todo # é
            |  http: { path:   / } # kept
            |  sites: { aws: { replicas: 1 } }
            |---
            |apiVersion: v1
            |kind: Secret
        "#]],
    );
    check(
        "  sites: {\"gcp\": {\"replicas\": 2}}\n",
        &[("aws", 1)],
        expect![[r#"
            |  sites: {"gcp": {"replicas": 2}, aws: { replicas: 1 }}
        "#]],
    );
    check(
        "  sites: { gcp: { replicas: 2 } }\n",
        &[("no", 1)],
        expect![[r#"
            |  sites: { gcp: { replicas: 2 }, "no": { replicas: 1 } }
        "#]],
    );
}

#[test]
fn what_is_shared_is_left_alone() {
    check(
        "  sites: { gcp: &two { replicas: 2 }, aws: *two }\n",
        &[("aws", 1)],
        expect!["line 7: written with a YAML anchor or alias; edit it by hand"],
    );
    check(
        "  sites: { gcp: &two { replicas: 2 }, aws: { <<: *two } }\n",
        &[("aws", 1)],
        expect!["line 7: written with a YAML anchor or alias; edit it by hand"],
    );
    check(
        "  sites: { gcp: { replicas: &two 2 }, aws: { replicas: *two } }\n",
        &[("gcp", 1)],
        expect!["line 7: written with a YAML anchor or alias; edit it by hand"],
    );
    check(
        "  sites: &all { gcp: { replicas: 2 } }\n",
        &[("gcp", 1)],
        expect!["line 7: written with a YAML anchor or alias; edit it by hand"],
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_stay() {
    let text = "\u{feff}apiVersion: dunlin.dev/v1alpha1\r\nkind: WasmComponent\r\nmetadata: { name: todo }\r\nspec:\r\n  sites:\r\n    gcp: { replicas: 2 }\r\n";
    let edited =
        set_replicas(text, "todo", &[("gcp".into(), Replicas::Count(1)), ("aws".into(), Replicas::Count(3))])
            .unwrap();
    let expected = text.replace("replicas: 2 }\r\n", "replicas: 1 }\r\n    aws: { replicas: 3 }\r\n");
    assert_eq!(edited, expected);
}

#[test]
fn lists_and_one_liners() {
    let text = "{apiVersion: v1, kind: List, items: [{apiVersion: dunlin.dev/v1alpha1, kind: WasmComponent, metadata: {name: todo}, spec: {sites: {gcp: {replicas: 2}}}}]}";
    let edited =
        set_replicas(text, "todo", &[("gcp".into(), Replicas::Count(0)), ("aws".into(), Replicas::Count(2))])
            .unwrap();
    assert_eq!(edited, text.replace("{replicas: 2}", "{replicas: 0}, aws: { replicas: 2 }"));
}

#[test]
fn refusals() {
    let text = "apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: { name: todo }\nspec: { sites: {} }\n";
    let edit = |text: &str, name: &str, count: u32| {
        set_replicas(text, name, &[("gcp".into(), Replicas::Count(count))])
    };
    let object = |name: &str| ObjectReference { kind: Kind::WasmComponent, name: name.into() };
    assert_eq!(
        edit(text, "tood", 1),
        Err(EditError::NotFound { object: object("tood"), found: vec!["todo".into()] })
    );
    assert_eq!(
        edit(&format!("{text}---\n{text}"), "todo", 1),
        Err(EditError::Twice { object: object("todo") })
    );
    assert_eq!(edit(text, "todo", 1001), Err(EditError::TooMany { found: 1001 }));
    assert!(matches!(edit("a: [", "todo", 1), Err(EditError::Broken { line: 1 | 2, .. })));
    assert!(matches!(
        edit(&text.replace("{ sites: {} }", "{ sites: [gcp] }"), "todo", 1),
        Err(EditError::Unsupported { .. })
    ));
}
