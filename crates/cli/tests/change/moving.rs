//! `dunlin move`: what it shows, what it writes, what it commits.

use expect_test::expect;

use crate::workbench::{Bench, TODO};

const MOVE: [&str; 6] = ["move", "todo", "gcp=0", "aws=2", "--directory", "app"];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    [&MOVE[..], more].concat()
}

#[test]
fn plain_it_shows_the_plan_and_writes_nothing() {
    let bench = Bench::new();
    let before = bench.state();
    expect![[r#"
        component/todo  spec.sites.aws.replicas  1 -> 2  (app/todo.yaml:13, 1d99531)
        component/todo  spec.sites.gcp.replicas  2 -> 0  (app/todo.yaml:11, 1d99531)
        component/todo by count: no lattice that runs here has it
          starts    1 in aws
          stays     1 in aws
          may stop  2 in gcp, each once 2 others have promised to stay
        warning redis stays in gcp: every call of the link "store" crosses sites
        app/todo.yaml
              gcp:
        -       replicas: 2 # home
        +       replicas: 0 # home
              aws:
        -       replicas: 1
        +       replicas: 2
            links:
        nothing is written yet: --write edits the files, --commit commits them, --push pushes, --pr asks for it to be merged
    "#]].assert_eq(&bench.text(&MOVE));
    assert_eq!(bench.state(), before);
}

#[test]
fn write_edits_the_file_alone() {
    let bench = Bench::new();
    let text = bench.text(&with(&["--write"]));
    assert!(text.contains("wrote app/todo.yaml"), "{text}");
    let expected = TODO
        .replace("replicas: 2 # home", "replicas: 0 # home")
        .replace("replicas: 1\n  links", "replicas: 2\n  links");
    assert_eq!(bench.read("app/todo.yaml"), expected, "comments and order stay");
    assert_eq!(bench.git(&["status", "--porcelain"]), " M app/todo.yaml");
    // Written twice, it says so; nothing is lost.
    let text = bench.text(&with(&["--write"]));
    assert!(text.contains("nothing to change"), "{text}");
}

#[test]
fn what_was_written_already_is_committed() {
    for (extent, staged) in
        [("--commit", false), ("--commit", true), ("--push", false), ("--push", true), ("--pr", false)]
    {
        let bench = Bench::new();
        bench.text(&with(&["--write"]));
        if staged {
            bench.git(&["add", "app/todo.yaml"]);
        }
        let text = bench.text(&with(&[extent]));
        assert!(text.contains("spec.sites.gcp.replicas  2 -> 0  (app/todo.yaml:11, 1d99531)"), "{text}");
        assert!(
            text.contains("revision ") && text.contains("todo: move from gcp to aws"),
            "{extent}: {text}"
        );
        let left = if extent == "--pr" { " M app/todo.yaml" } else { "" };
        assert_eq!(bench.git(&["status", "--porcelain"]), left, "{extent} {staged}");
        assert!(bench.read("app/todo.yaml").contains("replicas: 0 # home"));
        if extent == "--push" {
            assert!(bench.origin("app/todo.yaml").contains("replicas: 0 # home"));
        }
        if extent != "--pr" {
            let text = bench.text(&with(&[extent]));
            assert!(text.contains("nothing to change"), "{text}");
        }
    }
}

#[test]
fn what_was_written_stays_when_it_cannot_be_committed() {
    let bench = Bench::new();
    bench.text(&with(&["--write"]));
    bench.hook("mine/.git", "pre-commit", "exit 1");
    let before = bench.state();
    for extent in ["--commit", "--push"] {
        bench.fails(&with(&[extent]), 1);
        assert_eq!(bench.state(), before, "{extent}");
    }
}

#[test]
fn what_was_written_with_more_is_refused() {
    let bench = Bench::new();
    bench.text(&["move", "todo", "gcp=1", "aws=2", "--directory", "app", "--write"]);
    let before = bench.state();
    // Half of what was written, something else, and what the head says: none of them is what is in the file.
    for changes in [["gcp=1"].as_slice(), &["gcp=0", "aws=2"], &["gcp=2"]] {
        for extent in ["--commit", "--push", "--pr"] {
            let arguments = [&["move", "todo"], changes, &["--directory", "app", extent]].concat();
            let text = bench.fails(&arguments, 2);
            assert!(
                text.contains("app/todo.yaml has changes that are not committed"),
                "{arguments:?}: {text}"
            );
        }
    }
    assert_eq!(bench.state(), before);
    // What is changed elsewhere in the working tree is no matter.
    let text = bench.text(&["move", "shop", "gcp=1", "--directory", "app", "--commit"]);
    assert!(text.contains("nothing to change"), "{text}");
}

#[test]
fn two_at_once_commit_what_each_of_them_said() {
    let bench = Bench::new();
    // Long enough for the others to come in between.
    bench.hook("mine/.git", "pre-commit", "for i in 1 2 3 4 5 6 7 8; do git status >&2; done");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let bench = &bench;
        let one = |count: usize| {
            scope.spawn(move || {
                let (gcp, message) = (format!("gcp={count}"), format!("{count} in gcp"));
                bench.dunlin(&["move", "todo", &gcp, "--directory", "app", "--commit", "-m", &message])
            })
        };
        let threads: Vec<_> = (3..7).map(one).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let well = outcomes.iter().filter(|output| output.status.success()).count();
    assert_eq!(bench.git(&["status", "--porcelain"]), "", "{outcomes:?}");
    let commits = bench.git(&["log", "--format=%s", "main"]);
    assert!(well > 0 && commits.lines().count() == 1 + well, "{commits}: {outcomes:?}");
    for (place, subject) in commits.lines().enumerate().take(well) {
        let count = subject.split(' ').next().unwrap();
        let text = bench.git(&["show", &format!("HEAD~{place}:app/todo.yaml")]);
        assert!(text.contains(&format!("replicas: {count} # home")), "{subject}: {text}");
    }
    for output in outcomes.iter().filter(|output| !output.status.success()) {
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("changed while this was worked out; run the command again"), "{text}");
    }
}

#[test]
fn a_commit_of_somebody_else_meanwhile_is_not_taken_back() {
    let bench = Bench::new();
    let script = "unset GIT_INDEX_FILE; export GIT_INDEX_FILE=.git/theirs; git read-tree HEAD\n\
        blob=$(git show HEAD:app/todo.yaml | sed 's/replicas: 2 # home/replicas: 7 # home/' | git hash-object -w --stdin)\n\
        git update-index --cacheinfo 100644,$blob,app/todo.yaml\n\
        git update-ref refs/heads/main $(git commit-tree -p HEAD -m Theirs $(git write-tree)); exit 1";
    bench.hook("mine/.git", "pre-commit", script);
    bench.fails(&with(&["--commit"]), 1);
    assert_eq!(bench.git(&["log", "-1", "--format=%s"]), "Theirs");
    assert!(bench.read("app/todo.yaml").contains("replicas: 7 # home"), "what the head says is there");
}

#[test]
fn commit_commits_the_file_and_nothing_that_is_staged_beside_it() {
    let bench = Bench::new();
    bench.write("README", "staged\n");
    bench.git(&["add", "README"]);
    bench.write("app/redis.yaml", &format!("{}# not staged\n", bench.read("app/redis.yaml")));
    let text = bench.text(&with(&["--commit"]));
    let id = bench.git(&["rev-parse", "HEAD"]);
    assert!(text.contains(&format!("revision {}  todo: move from gcp to aws", &id[..7])), "{text}");
    expect![[r#"
        todo: move from gcp to aws

        gcp: 2 -> 0
        aws: 1 -> 2


        app/todo.yaml"#]]
    .assert_eq(&bench.git(&["log", "-1", "--format=%B", "--name-only"]));
    assert_eq!(bench.git(&["status", "--porcelain"]), "M  README\n M app/redis.yaml");
    let value: serde_json::Value = serde_json::from_str(&json(
        &bench,
        &["move", "todo", "gcp=all", "--directory", "app", "--commit", "-o", "json"],
    ))
    .unwrap();
    assert_eq!(value["done"]["revision"], bench.git(&["rev-parse", "HEAD"]), "{value:#}");
    assert!(bench.read("app/todo.yaml").contains("replicas: all # home"));
}

/// What a command prints for scripts, and nothing of what it says to people.
fn json(bench: &Bench, arguments: &[&str]) -> String {
    let output = bench.dunlin(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn json_has_the_plan() {
    let bench = Bench::new();
    let value: serde_json::Value = serde_json::from_str(&json(&bench, &with(&["--output", "json"]))).unwrap();
    expect![[r#"
        {
          "plan": {
            "files": [
              {
                "file": "app/todo.yaml",
                "lines": [
                  "      gcp:",
                  "-       replicas: 2 # home",
                  "+       replicas: 0 # home",
                  "      aws:",
                  "-       replicas: 1",
                  "+       replicas: 2",
                  "    links:"
                ]
              }
            ],
            "slots": {
              "todo": {
                "mayStop": [
                  "2 in gcp"
                ],
                "promises": 2,
                "short": [],
                "starts": [
                  "1 in aws"
                ],
                "stays": [
                  "1 in aws"
                ]
              }
            },
            "values": [
              {
                "after": 2,
                "before": 1,
                "field": "spec.sites.aws.replicas",
                "object": "component/todo",
                "source": {
                  "commit": "1d99531ea334ca43efc8518c3571aa5495033289",
                  "file": "app/todo.yaml",
                  "line": 13
                }
              },
              {
                "after": 0,
                "before": 2,
                "field": "spec.sites.gcp.replicas",
                "object": "component/todo",
                "source": {
                  "commit": "1d99531ea334ca43efc8518c3571aa5495033289",
                  "file": "app/todo.yaml",
                  "line": 11
                }
              }
            ],
            "warnings": [
              {
                "message": "redis stays in gcp: every call of the link \"store\" crosses sites",
                "reason": "CrossesSites"
              }
            ]
          }
        }"#]]
    .assert_eq(&format!("{value:#}"));
}

#[test]
fn a_message_of_ones_own_and_the_current_directory() {
    let bench = Bench::new();
    let output = bench.dunlin_with(&["move", "todo", "aws=3", "--commit", "-m", "Scale up"], |command| {
        command.current_dir(bench.mine().join("app"))
    });
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bench.git(&["log", "-1", "--format=%B"]), "Scale up");
}

#[test]
fn what_changes_nothing_is_not_committed() {
    let bench = Bench::new();
    let before = bench.state();
    // Not listed is none already; one is what is asked for where no number stands.
    for (component, change) in [("shop", "aws=0"), ("todo", "gcp=2"), ("todo", "aws=1")] {
        for extent in ["--commit", "--push", "--pr", "--write"] {
            let text = bench.text(&["move", component, change, "--directory", "app", extent]);
            assert!(text.contains("nothing to change"), "{component} {change}: {text}");
        }
    }
    assert_eq!(bench.state(), before);
    bench.text(&["move", "shop", "gcp=2", "aws=0", "--directory", "app", "--commit"]);
    assert_eq!(bench.git(&["log", "-1", "--format=%B"]), "shop: more replicas in gcp\n\ngcp: 1 -> 2");
    assert!(bench.read("app/todo.yaml").contains("sites: { gcp: { replicas: 2 } }"));
}

#[test]
fn outside_of_git_there_is_write() {
    let bench = Bench::new();
    let plain = bench.path("plain");
    std::fs::create_dir(&plain).unwrap();
    for name in ["lattice.yaml", "todo.yaml", "redis.yaml"] {
        std::fs::copy(bench.mine().join("app").join(name), plain.join(name)).unwrap();
    }
    let directory = plain.to_str().unwrap();
    let text = bench.fails(&["move", "todo", "aws=2", "--directory", directory, "--commit"], 2);
    assert!(text.contains("is in no Git repository; --write"), "{text}");
    bench.text(&["move", "todo", "aws=2", "--directory", directory, "--write"]);
    assert!(std::fs::read_to_string(plain.join("todo.yaml")).unwrap().contains("replicas: 2\n  links"));
}

#[test]
fn warnings_come_before_anything_is_done() {
    let bench = Bench::new();
    let text = bench.text(&["move", "todo", "gcp=0", "aws=0", "--directory", "app"]);
    assert!(text.contains("todo runs nowhere any more"), "{text}");
}

#[test]
fn shells_complete_it() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = bench.text(&["completion", shell]);
        assert!(text.contains("rollback") && text.contains("promote"), "{shell}");
    }
    bench.fails(&["completion", "tcsh"], 2);
}

#[test]
fn a_name_is_no_pattern() {
    let bench = Bench::new();
    bench.git(&["mv", "app/todo.yaml", "app/todo[1] x.yaml"]);
    bench.write("app/todo1 x.yaml", "# Another, which the pattern would match.\n");
    bench.git(&["add", "."]);
    bench.git(&["commit", "--quiet", "-m", "Rename"]);
    bench.write("app/todo1 x.yaml", "# Mine.\n");
    bench.text(&with(&["--commit"]));
    assert_eq!(bench.git(&["show", "--format=", "--name-only"]), "app/todo[1] x.yaml");
    assert_eq!(bench.git(&["status", "--porcelain"]), " M \"app/todo1 x.yaml\"");
    bench.text(&["rollback", "todo", "--directory", "app", "--commit"]);
    assert_eq!(bench.read("app/todo[1] x.yaml"), TODO);
}
