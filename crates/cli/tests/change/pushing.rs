//! `--push`: it arrives, is rebased once, or leaves everything as it was; where nobody can say, it says so.

use crate::workbench::Bench;

const PUSH: [&str; 7] = ["move", "todo", "gcp=0", "aws=2", "--directory", "app", "--push"];

#[test]
fn it_arrives() {
    let bench = Bench::new();
    let text = bench.text(&PUSH);
    assert!(text.contains("pushed to origin/main"), "{text}");
    assert!(bench.origin("app/todo.yaml").contains("replicas: 0 # home"));
    assert_eq!(bench.git(&["rev-parse", "HEAD"]), bench.git(&["rev-parse", "origin/main"]));
}

#[test]
fn somebody_else_was_faster() {
    let bench = Bench::new();
    bench.somebody_pushes("README", |_| "theirs\n".into());
    // Work of one's own, staged and not, stays as it is.
    bench.write("app/lattice.yaml", &format!("{}# staged\n", bench.read("app/lattice.yaml")));
    bench.git(&["add", "app/lattice.yaml"]);
    bench.write("app/redis.yaml", &format!("{}# not staged\n", bench.read("app/redis.yaml")));
    bench.write("notes", "not in git\n");
    let output = bench.dunlin(&[&PUSH[..], &["--output", "json"]].concat());
    assert!(output.status.success(), "{output:?}");
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let head = bench.git(&["rev-parse", "HEAD"]);
    assert_eq!(value["done"]["revision"], head, "the revision is that of the rebased commit: {value:#}");
    assert_eq!(value["done"]["pushed"]["rebasedOnto"], bench.git(&["rev-parse", "HEAD~1"]));
    assert_eq!(bench.git_in(&bench.path("origin.git"), &["rev-parse", "main"]), head);
    assert_eq!(bench.read("README"), "theirs\n", "their change is here");
    assert_eq!(bench.git(&["status", "--porcelain"]), "M  app/lattice.yaml\n M app/redis.yaml\n?? notes");
    assert_eq!(bench.git(&["worktree", "list"]).lines().count(), 1, "nothing is left aside");
}

#[test]
fn a_conflict_leaves_everything_as_it_was() {
    let bench = Bench::new();
    bench.somebody_pushes("app/todo.yaml", |text| text.replace("replicas: 2 # home", "replicas: 7 # home"));
    bench.write("README", "staged\n");
    bench.git(&["add", "README"]);
    let before = bench.state();
    let text = bench.fails(&PUSH, 1);
    for word in [
        "origin/main moved on",
        "Somebody",
        "both change app/todo.yaml",
        "git pull",
        "everything is as it was",
    ] {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
    // There is no rebase here that could go on.
    assert!(text.contains("CONFLICT") && !text.contains("hint:") && !text.contains("--continue"), "{text}");
    assert_eq!(bench.state(), before);
}

#[test]
fn a_protected_branch_suggests_a_pull_request() {
    let bench = Bench::new();
    let script = "while read old new ref; do case $ref in refs/heads/main) echo 'main is protected' >&2; exit 1;; esac; done";
    bench.hook("origin.git", "pre-receive", script);
    let before = bench.state();
    let text = bench.fails(&PUSH, 1);
    for word in ["main is protected", "--pr", "everything is as it was"] {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
    assert_eq!(bench.state(), before);
    let text = bench.text(&["move", "todo", "gcp=0", "aws=2", "--directory", "app", "--pr"]);
    assert!(text.contains("pushed branch dunlin/todo-move-from-gcp-to-aws-"), "{text}");
}

/// Notes in `seen` what the clone is like while somebody pushes to `main`, and does `more`.
fn notes(bench: &Bench, more: &str) {
    let script = format!(
        "unset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES; cd {}; \
         (git rev-parse main; git status --porcelain) > ../seen; {more}",
        bench.mine().display()
    );
    bench.hook("origin.git", "pre-receive", &script);
}

fn seen(bench: &Bench) -> String {
    std::fs::read_to_string(bench.path("seen")).unwrap().trim().to_owned()
}

#[test]
fn hosts_that_follow_the_clone_see_nothing_of_a_push_that_is_refused() {
    for behind in [false, true] {
        let bench = Bench::new();
        if behind {
            bench.somebody_pushes("README", |_| "theirs\n".into());
        }
        notes(&bench, "exit 1");
        let before = (bench.state(), bench.git(&["reflog", "main"]));
        let text = bench.fails(&PUSH, 1);
        assert!(text.contains("nothing was pushed, and everything is as it was"), "{text}");
        assert_eq!((bench.state(), bench.git(&["reflog", "main"])), before);
        if !behind {
            assert_eq!(seen(&bench), bench.git(&["rev-parse", "HEAD"]));
        }
    }
}

#[test]
fn the_clone_has_it_once_the_remote_has() {
    for (behind, more) in [(false, ""), (true, ""), (true, "git merge --quiet --ff-only origin/main")] {
        let bench = Bench::new();
        if behind {
            bench.somebody_pushes("README", |_| "theirs\n".into());
        }
        let former = bench.git(&["rev-parse", "HEAD"]);
        notes(&bench, more);
        let text = bench.text(&PUSH);
        assert!(!text.contains("does not have it yet"), "{text}");
        assert_eq!(seen(&bench), former, "while it is pushed, nothing here has moved");
        let head = bench.git(&["rev-parse", "HEAD"]);
        assert_eq!(bench.git_in(&bench.path("origin.git"), &["rev-parse", "main"]), head);
        // Whoever follows the branch holds what does not descend from what it followed.
        bench.git(&["merge-base", "--is-ancestor", &former, &head]);
        let steps = if more.is_empty() { 2 } else { 3 };
        assert_eq!(bench.git(&["reflog", "main"]).lines().count(), steps);
        assert_eq!(bench.git(&["status", "--porcelain"]), "");
    }
}

#[test]
fn a_clone_that_went_on_meanwhile_stays_as_it_is() {
    for (more, why) in [
        ("git commit -q --allow-empty -m Mine", "main moved on meanwhile"),
        ("git switch -q -c side", "main is not checked out any more"),
    ] {
        let bench = Bench::new();
        notes(&bench, more);
        let text = bench.text(&PUSH);
        for word in ["pushed to origin/main", why, "git pull --rebase"] {
            assert!(text.contains(word), "{word:?} is missing in:\n{text}");
        }
        assert!(bench.origin("app/todo.yaml").contains("replicas: 0 # home"));
        assert!(bench.read("app/todo.yaml").contains("replicas: 2 # home"));
        assert_eq!(bench.git(&["status", "--porcelain"]), "");
    }
}

#[test]
fn commits_of_ones_own_are_not_rewritten() {
    let bench = Bench::new();
    bench.write("app/redis.yaml", &format!("{}# mine\n", bench.read("app/redis.yaml")));
    bench.git(&["commit", "--quiet", "--all", "-m", "Mine"]);
    bench.somebody_pushes("README", |_| "theirs\n".into());
    let before = bench.state();
    let text = bench.fails(&PUSH, 1);
    for word in ["main has commits that are not there", "`git pull`", "everything is as it was"] {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
    assert_eq!(bench.state(), before);
}

#[test]
fn hooks_see_the_change_and_are_found_wherever_they_are() {
    let bench = Bench::new();
    bench.git(&["config", "core.hooksPath", ".hooks"]);
    bench.write(".git/info/exclude", ".hooks\nnotes\n");
    bench.write("notes", "not in Git");
    let hook = bench.mine().join(".hooks/pre-commit");
    std::fs::create_dir(hook.parent().unwrap()).unwrap();
    bench.program(&hook, "grep -q 'replicas: 0 # home' app/todo.yaml && test \"$(git diff --cached --name-only)\" = app/todo.yaml");
    bench.text(&PUSH);
    bench.program(&hook, "test -f notes || { echo 'no notes' >&2; exit 1; }");
    let before = bench.state();
    let again = ["move", "todo", "gcp=1", "--directory", "app"];
    let text = bench.fails(&[&again[..], &["--push"]].concat(), 1);
    for word in ["no notes", "in a working tree aside", "--commit", "everything is as it was"] {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
    assert_eq!(bench.state(), before);
    bench.text(&[&again[..], &["--commit"]].concat());
}

/// Breaks the connection of whoever pushes once `main` of the origin has moved, and does `more`.
fn breaks_off(bench: &Bench, more: &str) {
    let script = format!(
        "while read old new ref; do case $1,$ref in committed,refs/heads/main) {more} kill -9 $PPID;; esac; done"
    );
    bench.hook("origin.git", "reference-transaction", &script);
}

#[test]
fn a_push_that_broke_off_after_it_took_effect_arrived() {
    let bench = Bench::new();
    breaks_off(&bench, "");
    let text = bench.text(&PUSH);
    assert!(text.contains("pushed to origin/main"), "{text}");
    assert!(bench.origin("app/todo.yaml").contains("replicas: 0 # home"));
    assert!(bench.read("app/todo.yaml").contains("replicas: 0 # home"), "the commit stays");
}

#[test]
fn a_push_that_broke_off_under_somebody_elses_arrived() {
    let bench = Bench::new();
    let theirs = bench.path("theirs");
    // Before this one asks, somebody has put a commit on top of it.
    let more = format!(
        "rm hooks/reference-transaction; (unset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY \
         GIT_ALTERNATE_OBJECT_DIRECTORIES; cd {0} && git pull -q && git commit -q --allow-empty -m Theirs && git push -q);",
        theirs.display()
    );
    breaks_off(&bench, &more);
    let text = bench.text(&PUSH);
    assert!(text.contains("pushed to origin/main"), "{text}");
    let subjects = bench.git_in(&bench.path("origin.git"), &["log", "-2", "--format=%s", "main"]);
    assert_eq!(subjects, "Theirs\ntodo: move from gcp to aws");
}

#[test]
fn a_push_that_broke_off_before_leaves_everything_as_it_was() {
    let bench = Bench::new();
    bench.hook("origin.git", "pre-receive", "kill -9 $PPID");
    let before = bench.state();
    let text = bench.fails(&PUSH, 1);
    assert!(text.contains("did not arrive") && text.contains("everything is as it was"), "{text}");
    assert_eq!(bench.state(), before);
}

/// What is said, and that the branch has the commit, which a push would send.
fn not_known(bench: &Bench, text: &str) {
    for word in
        ["not known whether the commit arrived at origin/main", "git push origin main", "git ls-remote"]
    {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
    assert!(!text.contains("nothing was pushed") && !text.contains("as it was"), "{text}");
    assert_eq!(bench.git(&["log", "-1", "--format=%s"]), "todo: move from gcp to aws");
    assert!(bench.read("app/todo.yaml").contains("replicas: 0 # home"));
    assert_eq!(bench.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_push_whose_outcome_nobody_can_say_is_kept() {
    let bench = Bench::new();
    breaks_off(&bench, "mv \"$PWD\" \"$PWD.gone\";");
    not_known(&bench, &bench.fails(&PUSH, 1));
    std::fs::rename(bench.path("origin.git.gone"), bench.path("origin.git")).unwrap();
    std::fs::remove_file(bench.path("origin.git/hooks/reference-transaction")).unwrap();
    assert!(bench.origin("app/todo.yaml").contains("replicas: 0 # home"), "it had arrived");
    bench.git(&["push", "origin", "main"]);
}

#[test]
fn the_same_after_a_rebase() {
    let bench = Bench::new();
    bench.somebody_pushes("README", |_| "theirs\n".into());
    breaks_off(&bench, "");
    let text = bench.text(&PUSH);
    assert!(text.contains("rebased once") && text.contains("pushed to origin/main"), "{text}");

    let bench = Bench::new();
    bench.somebody_pushes("README", |_| "theirs\n".into());
    breaks_off(&bench, "mv \"$PWD\" \"$PWD.gone\";");
    not_known(&bench, &bench.fails(&PUSH, 1));
    assert_eq!(bench.read("README"), "theirs\n", "what was sent is what is here");
    let there = bench.git_in(&bench.path("origin.git.gone"), &["rev-parse", "main"]);
    assert_eq!(bench.git(&["rev-parse", "HEAD"]), there);
}

#[test]
fn an_origin_that_cannot_be_asked_gets_nothing() {
    for extent in ["--push", "--pr"] {
        let bench = Bench::new();
        std::fs::rename(bench.path("origin.git"), bench.path("gone.git")).unwrap();
        let before = (bench.state(), bench.git(&["reflog", "main"]));
        let arguments = [&PUSH[..6], &[extent]].concat();
        let text = bench.fails(&arguments, 1);
        for word in ["origin cannot be asked", "origin.git", "git remote -v", "everything is as it was"] {
            assert!(text.contains(word), "{word:?} is missing in:\n{text}");
        }
        assert!(!text.contains("not known"), "{text}");
        assert_eq!((bench.state(), bench.git(&["reflog", "main"])), before);
        std::fs::rename(bench.path("gone.git"), bench.path("origin.git")).unwrap();
        bench.text(&arguments);
    }
}

#[test]
fn what_is_committed_already_and_not_pushed_is_no_success() {
    let bench = Bench::new();
    let ahead = |bench: &Bench, arguments: &[&str], words: &[&str]| {
        let before = bench.state();
        let text = bench.fails(&[arguments, &["--directory", "app"]].concat(), 1);
        for word in words {
            assert!(text.contains(word), "{word:?} is missing in:\n{text}");
        }
        assert_eq!(bench.state(), before);
    };
    let one = "nothing to change here, but one commit of main is not at origin/main yet";
    let two = "nothing to change here, but 2 commits of main are not at origin/main yet";
    let arguments = ["move", "todo", "gcp=0", "aws=2"];
    let to = |extent: &'static str| [&arguments[..], &[extent]].concat();
    bench.text(&[&to("--commit")[..], &["--directory", "app"]].concat());
    ahead(&bench, &to("--push"), &[one, "`git push` brings it there"]);
    ahead(&bench, &to("--pr"), &[one, "`git push origin HEAD:refs/heads/BRANCH`"]);
    ahead(&bench, &["rollback", "todo", "--to", "HEAD", "--push"], &[one]);
    bench.text(&["move", "shop", "gcp=2", "--directory", "app", "--commit"]);
    // By what it said last, where it says nothing now.
    std::fs::rename(bench.path("origin.git"), bench.path("gone.git")).unwrap();
    ahead(&bench, &to("--push"), &[two, "`git push` brings them there"]);
    std::fs::rename(bench.path("gone.git"), bench.path("origin.git")).unwrap();
    bench.somebody_pushes("README", |_| "theirs\n".into());
    ahead(&bench, &to("--push"), &[two, "`git pull`, then `git push`"]);
    bench.git(&["pull", "--quiet", "--no-rebase"]);
    bench.git(&["push", "--quiet"]);
    let text = bench.text(&[&to("--push")[..], &["--directory", "app"]].concat());
    assert!(text.contains("nothing to change: the manifests say so already"), "{text}");
    // What was pushed from elsewhere counts, whatever was heard of it here.
    bench.git(&["update-ref", "refs/remotes/origin/main", "HEAD~1"]);
    bench.text(&[&to("--push")[..], &["--directory", "app"]].concat());
}

#[test]
fn commits_that_go_along_are_told() {
    let bench = Bench::new();
    bench.write("README", "mine\n");
    bench.git(&["commit", "--quiet", "--all", "-m", "Mine"]);
    let text = bench.text(&PUSH);
    assert!(text.contains("with one commit before it that was not pushed yet"), "{text}");
}

#[test]
fn a_file_that_both_changed_here_and_there_is_not_overwritten() {
    let bench = Bench::new();
    bench.somebody_pushes("README", |_| "theirs\n".into());
    bench.write("README", "mine, not committed\n");
    let before = bench.state();
    let text = bench.fails(&PUSH, 1);
    assert!(text.contains("commit or stash them") && text.contains("README"), "{text}");
    assert_eq!(bench.state(), before);
    assert_ne!(bench.origin("README"), "mine, not committed");
    assert!(bench.origin("app/todo.yaml").contains("replicas: 2 # home"), "nothing was pushed");
}
