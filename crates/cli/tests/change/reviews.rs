//! `--pr`: a branch of its own, pushed, and asked for; what is checked out stays as it is.

use crate::workbench::{Bench, said};

const ASK: [&str; 7] = ["move", "todo", "gcp=0", "aws=2", "--directory", "app", "--pr"];

/// The branches that the origin has beside `main`.
fn asked_for(bench: &Bench) -> Vec<String> {
    let all = bench.git_in(&bench.path("origin.git"), &["branch", "--list", "--format=%(refname:short)"]);
    all.lines().filter(|name| *name != "main").map(str::to_owned).collect()
}

#[test]
fn a_branch_is_pushed_and_nothing_else_is_touched() {
    let bench = Bench::new();
    bench.write("README", "staged\n");
    bench.git(&["add", "README"]);
    let (head, status) = (bench.git(&["rev-parse", "HEAD"]), bench.git(&["status", "--porcelain"]));
    let text = bench.text(&ASK);
    let branches = asked_for(&bench);
    assert_eq!(branches.len(), 1, "{branches:?}");
    // A path is no page on the web: whoever keeps it has to be told.
    assert!(text.contains(&format!("git request-pull origin/main origin {}", branches[0])), "{text}");
    assert_eq!((bench.git(&["rev-parse", "HEAD"]), bench.git(&["status", "--porcelain"])), (head, status));
    assert!(bench.read("app/todo.yaml").contains("replicas: 2 # home"));
    let there = bench.git_in(&bench.path("origin.git"), &["show", &format!("{}:app/todo.yaml", branches[0])]);
    assert!(there.contains("replicas: 0 # home"), "{there}");
    assert_eq!(bench.git(&["worktree", "list"]).lines().count(), 1, "nothing is left aside");
    let text = bench.fails(&ASK, 2);
    assert!(text.contains("was asked for before") && text.contains("git branch -D"), "{text}");
    // The one here forgotten, the one there is not; it has another time.
    bench.git(&["branch", "--quiet", "-D", &branches[0]]);
    let output = bench.dunlin_with(&ASK, |command| command.env("GIT_COMMITTER_DATE", "2026-02-02T03:04:05Z"));
    let (text, way) = (said(&output), format!("git push origin --delete {}", branches[0]));
    assert!(
        output.status.code() == Some(1) && text.contains("asked for before") && text.contains(&way),
        "{text}"
    );
    bench.git(&["push", "--quiet", "origin", "--delete", &branches[0]]);
    bench.text(&ASK);
}

#[test]
fn a_remote_may_be_a_path_from_here() {
    let bench = Bench::new();
    bench.git(&["remote", "set-url", "origin", "../origin.git"]);
    bench.text(&ASK);
    assert_eq!(asked_for(&bench).len(), 1);
    bench.text(&["move", "todo", "gcp=0", "aws=2", "--directory", "app", "--push"]);
    bench.git(&["remote", "set-url", "origin", "../nowhere.git"]);
    let text = bench.fails(&["move", "todo", "gcp=9", "--directory", "app", "--pr"], 1);
    assert!(!text.contains("`git push` shows why"), "{text}");
}

#[test]
fn a_forge_is_asked_by_its_own_command_or_by_its_page() {
    let bench = Bench::new();
    // The origin is pushed to by its path, and called by its name on the web, token and all.
    bench.git(&["remote", "set-url", "origin", "https://me:token@github.com/team/app.git"]);
    bench.git(&["config", "remote.origin.pushurl", bench.path("origin.git").to_str().unwrap()]);
    let text = bench.text(&ASK);
    let branch = asked_for(&bench).remove(0);
    assert!(!text.contains("token"), "{text}");
    assert!(
        text.contains(&format!(
            "ask for it to be merged at https://github.com/team/app/compare/main...{branch}?expand=1"
        )),
        "{text}"
    );
    bench.git(&["branch", "--quiet", "-D", &branch]);
    bench.git_in(&bench.path("origin.git"), &["branch", "--quiet", "-D", &branch]);

    let programs = bench.path("programs");
    std::fs::create_dir(&programs).unwrap();
    bench.program(&programs.join("gh"), "echo \"$@\" > ../asked; echo https://github.com/team/app/pull/7");
    let search = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = bench.dunlin_with(&ASK, |command| command.env("PATH", &search));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("pull request https://github.com/team/app/pull/7"), "{}", said(&output));
    let asked = std::fs::read_to_string(bench.path("asked")).unwrap();
    assert!(
        asked.starts_with(&format!(
            "pr create --base main --head {branch} --title todo: move from gcp to aws"
        )),
        "{asked}"
    );

    bench.git(&["branch", "--quiet", "-D", &branch]);
    bench.git_in(&bench.path("origin.git"), &["branch", "--quiet", "-D", &branch]);
    bench.program(&programs.join("gh"), "echo 'not logged in' >&2; exit 4");
    let output = bench.dunlin_with(&ASK, |command| command.env("PATH", &search));
    let text = said(&output);
    assert!(
        output.status.success() && text.contains("not logged in") && text.contains("/compare/main..."),
        "{text}"
    );
}

#[test]
fn gitlab_is_asked_by_its_command() {
    let bench = Bench::new();
    bench.git(&["remote", "set-url", "origin", "git@gitlab.example.com:group/app.git"]);
    bench.git(&["config", "remote.origin.pushurl", bench.path("origin.git").to_str().unwrap()]);
    let programs = bench.path("programs");
    std::fs::create_dir(&programs).unwrap();
    let page = "https://gitlab.example.com/group/app/-/merge_requests/3";
    let script =
        format!("for word; do echo \"$word\"; done > ../asked; echo '!3 todo (dunlin/todo)'; echo ' {page}'");
    bench.program(&programs.join("glab"), &script);
    let search = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = bench.dunlin_with(&ASK, |command| command.env("PATH", &search));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(&format!("pull request {page}")), "{}", said(&output));
    let branch = asked_for(&bench).remove(0);
    // Title and description as options, or it would ask for them.
    assert_eq!(
        std::fs::read_to_string(bench.path("asked")).unwrap(),
        format!(
            "mr\ncreate\n--yes\n--target-branch\nmain\n--source-branch\n{branch}\n--title\n\
             todo: move from gcp to aws\n--description\ngcp: 2 -> 0\naws: 1 -> 2\n"
        )
    );
}

#[test]
fn a_remote_without_a_name_is_its_own_url() {
    let bench = Bench::new();
    let origin = bench.path("origin.git");
    bench.git(&["config", "branch.main.remote", origin.to_str().unwrap()]);
    let text = bench.text(&ASK);
    assert!(text.contains("pushed branch dunlin/") && asked_for(&bench).len() == 1, "{text}");
}

#[test]
fn a_refusal_leaves_no_branch() {
    let bench = Bench::new();
    bench.hook("origin.git", "pre-receive", "echo 'nobody may push' >&2; exit 1");
    let before = bench.state();
    let text = bench.fails(&ASK, 1);
    assert!(text.contains("nobody may push") && text.contains("everything is as it was"), "{text}");
    assert_eq!(bench.state(), before);
    bench.hook("mine/.git", "pre-commit", "echo 'badly written' >&2; exit 1");
    let text = bench.fails(&ASK, 1);
    assert!(text.contains("badly written"), "{text}");
    assert_eq!(bench.state(), before);
}

#[test]
fn a_branch_of_which_nobody_can_say_whether_it_arrived_stays() {
    let script = |more: &str| {
        format!(
            "while read old new ref; do case $1,$ref in committed,refs/heads/dunlin/*) {more} kill -9 $PPID;; esac; done"
        )
    };
    let bench = Bench::new();
    bench.hook("origin.git", "reference-transaction", &script(""));
    let text = bench.text(&ASK);
    assert!(text.contains("pushed branch dunlin/") && asked_for(&bench).len() == 1, "it arrived: {text}");

    let bench = Bench::new();
    bench.hook("origin.git", "reference-transaction", &script("mv \"$PWD\" \"$PWD.gone\";"));
    let text = bench.fails(&ASK, 1);
    let branch = bench.git(&["branch", "--list", "--format=%(refname:short)", "dunlin/*"]);
    for word in
        ["not known whether branch", &format!("git push --set-upstream origin {branch}"), "git branch -D"]
    {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
    assert!(!text.contains("nothing was asked for"), "{text}");
}
