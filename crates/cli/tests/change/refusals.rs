//! What is in the way of a commit: each thing by name, with the way out, and nothing touched.

use crate::workbench::{Bench, said};

const COMMIT: [&str; 7] = ["move", "todo", "gcp=0", "aws=2", "--directory", "app", "--commit"];

fn refused(bench: &Bench, arguments: &[&str], code: i32, words: &[&str]) {
    let (before, text) = (bench.state(), bench.read("app/todo.yaml"));
    let said = bench.fails(arguments, code);
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in:\n{said}");
    }
    assert_eq!(bench.state(), before);
    assert_eq!(bench.read("app/todo.yaml"), text);
}

#[test]
fn a_file_that_has_changes_of_its_own() {
    let bench = Bench::new();
    bench.write("app/todo.yaml", &format!("{}# mine\n", bench.read("app/todo.yaml")));
    refused(&bench, &COMMIT, 2, &["app/todo.yaml has changes that are not committed", "commit or stash"]);
    bench.git(&["add", "app/todo.yaml"]);
    refused(&bench, &COMMIT, 2, &["commit or stash"]);
    bench.git(&["rm", "--quiet", "--cached", "app/todo.yaml"]);
    bench.git(&["commit", "--quiet", "-m", "Forget it"]);
    refused(&bench, &COMMIT, 2, &["app/todo.yaml is not in Git yet", "git add"]);
    bench.write(".gitignore", "todo.yaml\n");
    refused(&bench, &COMMIT, 2, &["is ignored by Git"]);
}

#[test]
fn no_branch_no_commit_and_something_under_way() {
    let bench = Bench::new();
    bench.git(&["switch", "--quiet", "--detach"]);
    refused(&bench, &COMMIT, 2, &["detached HEAD", "git switch"]);
    bench.git(&["switch", "--quiet", "main"]);
    bench.git(&["bisect", "start"]);
    refused(&bench, &COMMIT, 2, &["a bisection is under way", "git bisect reset"]);
    bench.git(&["bisect", "reset"]);
    bench.somebody_pushes("README", |_| "theirs\n".into());
    bench.write("README", "mine\n");
    bench.git(&["commit", "--quiet", "--all", "-m", "Mine"]);
    let merge = std::process::Command::new("git")
        .args(["pull", "--no-rebase", "--quiet"])
        .current_dir(bench.mine())
        .output();
    assert!(!merge.unwrap().status.success(), "it conflicts");
    refused(&bench, &COMMIT, 2, &["a merge is under way", "git merge --abort"]);
}

#[test]
fn a_hook_that_refuses_is_shown_as_it_said() {
    let bench = Bench::new();
    bench.hook("mine/.git", "pre-commit", "echo 'no moves on fridays' >&2; exit 1");
    bench.write("README", "staged\n");
    bench.git(&["add", "README"]);
    refused(&bench, &COMMIT, 1, &["no moves on fridays", "git commit failed", "as they were"]);
}

#[test]
fn files_that_cannot_be_put_back_do_not_hide_what_git_said() {
    let bench = Bench::new();
    let script = "rm app/todo.yaml; mkdir -p app/todo.yaml/x; echo 'no moves on fridays' >&2; exit 1";
    bench.hook("mine/.git", "pre-commit", script);
    let text = bench.fails(&COMMIT, 1);
    for word in ["no moves on fridays", "still in app/todo.yaml", "git checkout HEAD -- app/todo.yaml"] {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
}

#[test]
fn a_hook_that_lets_pass_and_a_signature_that_fails_are_the_users() {
    let bench = Bench::new();
    bench.hook("mine/.git", "commit-msg", "echo 'Reviewed-by: a hook' >> \"$1\"");
    // A hook finds git as the user has it.
    bench.hook("mine/.git", "pre-commit", "test -n \"$(git diff --cached --name-only -- '*.yaml')\"");
    bench.text(&COMMIT);
    assert!(bench.git(&["log", "-1", "--format=%B"]).contains("Reviewed-by: a hook"));
    bench.git(&["config", "commit.gpgsign", "true"]);
    bench.git(&["config", "gpg.program", "/bin/false"]);
    let arguments = ["move", "todo", "aws=5", "--directory", "app", "--commit"];
    refused(&bench, &arguments, 1, &["git commit failed", "gpg failed to sign"]);
}

#[test]
fn one_of_many() {
    let bench = Bench::new();
    for name in ["staging", "production"] {
        bench.write(&format!("{name}/todo.yaml"), &bench.read("app/todo.yaml"));
    }
    let words =
        ["component/todo is in 3 files: ", "app/todo.yaml, ", "production/todo.yaml, ", "--directory"];
    for arguments in [["move", "todo", "gcp=0"].as_slice(), &["rollback", "todo"], &["pin", "todo"]] {
        refused(&bench, &[arguments, &["--write"]].concat(), 2, &words);
    }
}

#[test]
fn what_diff_does_not_find() {
    let bench = Bench::new();
    refused(&bench, &["diff", "nowhere"], 2, &["there is no directory nowhere"]);
    refused(&bench, &["diff", "--git", "nowhere"], 2, &["there is no repository ", "/mine/nowhere"]);
    // From here, and found.
    refused(&bench, &["diff", "--git", "../origin.git", "--path", "app"], 2, &["no `dunlin dev` runs"]);
    refused(&bench, &["diff"], 2, &["nothing to compare with", "no `dunlin dev` runs"]);
}

#[test]
fn names_as_plans_print_them() {
    let bench = Bench::new();
    bench.text(&["move", "component/todo", "gcp=0", "--directory", "app", "--commit"]);
    refused(
        &bench,
        &["move", "provider/redis", "gcp=0", "--directory", "app"],
        2,
        &["provider/redis is no component"],
    );
    let text = bench.text(&["move", "todo", "gcp=1", "--directory", "app/../app"]);
    assert!(text.contains("\napp/todo.yaml\n") && !text.contains(".."), "{text}");
}

#[test]
fn no_upstream_to_push_to() {
    let bench = Bench::new();
    bench.git(&["switch", "--quiet", "-c", "side"]);
    let arguments = ["move", "todo", "gcp=0", "aws=2", "--directory", "app", "--push"];
    refused(&bench, &arguments, 2, &["branch side has no upstream", "git push --set-upstream origin side"]);
}

#[test]
fn wrong_names() {
    let bench = Bench::new();
    refused(
        &bench,
        &["move", "tood", "gcp=1", "--directory", "app"],
        2,
        &["no component \"tood\" in app: did you mean \"todo\"?", "there is shop, todo"],
    );
    refused(
        &bench,
        &["move", "todo", "gpc=1", "--directory", "app"],
        2,
        &["unknown site \"gpc\": did you mean \"gcp\"?", "aws, gcp"],
    );
    refused(&bench, &["move", "todo", "gcp=1", "gcp=2", "--directory", "app"], 2, &["named twice"]);
    refused(
        &bench,
        &["move", "queue", "gcp=1", "--directory", "app"],
        2,
        &["no component \"queue\" in app; there is"],
    );
    std::os::unix::fs::symlink("../README", bench.mine().join("app/queue.yaml")).unwrap();
    let words =
        ["no component \"queue\"", "not read: app/queue.yaml", "a link that leads out of the directory"];
    refused(&bench, &["move", "queue", "gcp=1", "--directory", "app"], 2, &words);
    std::fs::remove_file(bench.mine().join("app/queue.yaml")).unwrap();
    let nowhere =
        bench.dunlin_with(&["move", "todo", "gcp=1"], |command| command.current_dir(bench.path("runtime")));
    assert!(
        nowhere.status.code() == Some(2) && said(&nowhere).contains("name them with --directory"),
        "{nowhere:?}"
    );
    refused(&bench, &["move", "todo", "gcp=1", "--write", "--commit"], 2, &["cannot be used with"]);
    bench.write("app/todo.yaml", &bench.read("app/todo.yaml").replace("readiness:", "rediness:"));
    refused(&bench, &["move", "todo", "gcp=1", "--directory", "app"], 2, &["has a mistake", "readiness"]);
}
