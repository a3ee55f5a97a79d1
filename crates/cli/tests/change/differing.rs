//! `dunlin diff`, against a lattice that seems to run.

use crate::running;
use crate::workbench::Bench;

#[test]
fn a_file_that_cannot_be_read_holds_back_what_it_had() {
    for (prefix, git) in [("app/", true), ("app/", false), ("./", false)] {
        let bench = Bench::new();
        running::run(&bench, prefix, git);
        let broken = bench.read("app/todo.yaml").replace("  sites:\n    gcp:", "  sites: [\n    gcp:");
        bench.write("app/todo.yaml", &broken);
        let stays = |arguments: &[&str]| {
            let text = bench.fails(&[&["diff"], arguments].concat(), 2);
            assert!(
                text.contains("objects of this file stay as they were"),
                "{prefix} {arguments:?}: {text}"
            );
            for word in ["Held", "is removed", "leaves"] {
                assert!(!text.contains(word), "{prefix} {arguments:?}: {word:?} is in:\n{text}");
            }
            assert!(text.contains("say nothing that") || text.contains("says nothing that"), "{text}");
        };
        stays(&["--worktree"]);
        stays(&["app", "--worktree"]);
        stays(&["./app/", "--worktree"]);
        bench.git(&["commit", "--quiet", "--all", "-m", "Break it"]);
        bench.git(&["push", "--quiet"]);
        stays(&[]);
        stays(&["app"]);
        stays(&["app", "--revision", "main"]);
        stays(&["--git", "../origin.git", "--path", "app"]);
        // What is gone for good is told.
        bench.write("app/todo.yaml", "");
        let text = bench.fails(&["diff", "--worktree"], 2);
        assert!(text.contains("HeldEmpty") && text.contains("is removed"), "{text}");
    }
}

#[test]
fn more_replicas_are_no_move() {
    let bench = Bench::new();
    running::run(&bench, "app/", true);
    bench.text(&["move", "todo", "aws=3", "--directory", "app", "--write"]);
    let text = bench.fails(&["diff", "--worktree"], 1);
    assert!(text.contains("1 -> 3") && text.contains("more replicas: they start"), "{text}");
    assert!(!text.contains("moves:"), "{text}");
    bench.text(&["move", "todo", "gcp=0", "--directory", "app", "--write"]);
    let text = bench.fails(&["diff", "--worktree"], 1);
    assert_eq!(text.matches("moves: starts there first, then leaves").count(), 2, "{text}");
}
