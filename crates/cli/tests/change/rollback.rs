//! `dunlin rollback`: the object's fields, not the head.

use expect_test::expect;

use crate::running;
use crate::workbench::{Bench, TODO};

/// Commits a change of a file, and gives its short id.
fn commit(bench: &Bench, name: &str, change: impl Fn(String) -> String) -> String {
    bench.write(name, &change(bench.read(name)));
    bench.git(&["commit", "--quiet", "--all", "-m", "Change"]);
    bench.git(&["rev-parse", "--short=7", "HEAD"])
}

#[test]
fn the_last_change_of_an_object_goes_and_what_came_since_stays() {
    let bench = Bench::new();
    bench.text(&["move", "todo", "gcp=0", "aws=2", "--directory", "app", "--commit"]);
    let moved = bench.git(&["rev-parse", "--short=7", "HEAD"]);
    commit(&bench, "app/todo.yaml", |text| {
        text.replace("shop:1", "shop:2").replace("# The application.", "# Ours.")
    });
    commit(&bench, "README", |_| "else\n".into());
    let text = bench.text(&["rollback", "todo", "--directory", "app"]);
    expect![[r#"
        component/todo  spec.sites.aws.replicas  2 -> 1  (app/todo.yaml:13, a0ae9a2)
        component/todo  spec.sites.gcp.replicas  0 -> 2  (app/todo.yaml:11, a0ae9a2)
        component/todo by count: no lattice that runs here has it
          starts    2 in gcp
          stays     1 in aws
          may stop  1 in aws, each once 3 others have promised to stay
        app/todo.yaml
              gcp:
        -       replicas: 0 # home
        +       replicas: 2 # home
              aws:
        -       replicas: 2
        +       replicas: 1
            links:
        nothing is written yet: --write edits the files, --commit commits them, --push pushes, --pr asks for it to be merged
    "#]].assert_eq(&text);
    let text = bench.text(&["rollback", "todo", "--directory", "app", "--commit"]);
    assert!(text.contains(&format!("todo: undo {moved}")), "{text}");
    let expected = TODO.replace("shop:1", "shop:2").replace("# The application.", "# Ours.");
    assert_eq!(bench.read("app/todo.yaml"), expected);
    assert_eq!(bench.read("README"), "else\n");
    // The change of the rollback is the last one now: once more is forward again.
    bench.text(&["rollback", "todo", "--directory", "app", "--commit"]);
    assert!(bench.read("app/todo.yaml").contains("replicas: 0 # home"));
}

#[test]
fn to_a_revision() {
    let bench = Bench::new();
    let first = bench.git(&["rev-parse", "HEAD"]);
    commit(&bench, "app/todo.yaml", |text| text.replace("todo:1", "todo:2"));
    commit(&bench, "app/todo.yaml", |text| text.replace("todo:2", "todo:3"));
    bench.text(&["rollback", "component/todo", "--to", &first[..9], "--directory", "app", "--write"]);
    assert_eq!(bench.read("app/todo.yaml"), TODO);
    let text = bench.fails(&["rollback", "todo", "--to", "nothing", "--directory", "app"], 2);
    assert!(text.contains("no commit \"nothing\"") && text.contains("git log --oneline --all"), "{text}");
    bench.write(
        "app/queue.yaml",
        &bench.read("app/todo.yaml").replace("todo", "queue").replace("shop", "mail"),
    );
    bench.git(&["add", "."]);
    bench.git(&["commit", "--quiet", "-m", "Queue"]);
    let text = bench.fails(&["rollback", "queue", "--to", &first[..9], "--directory", "app"], 2);
    assert!(
        text.contains("component/queue is not in") && text.contains("git log --oneline -- app"),
        "{text}"
    );
}

#[test]
fn without_a_name_all_that_the_last_commit_changed() {
    let bench = Bench::new();
    let redis = bench.read("app/redis.yaml");
    bench.write("app/redis.yaml", &redis.replace("6379", "6380"));
    commit(&bench, "app/todo.yaml", |text| text.replace("todo:1", "todo:2").replace("shop:1", "shop:2"));
    commit(&bench, "app/todo.yaml", |text| text.replace("# Beside it.", "# Beside."));
    bench.text(&["rollback", "--directory", "app", "--commit"]);
    assert_eq!(bench.read("app/redis.yaml"), redis);
    assert_eq!(bench.read("app/todo.yaml"), TODO.replace("# Beside it.", "# Beside."));
    let subject = bench.git(&["log", "-1", "--format=%s"]);
    assert!(subject.starts_with("shop, todo, redis: undo "), "{subject}");
}

#[test]
fn what_cannot_be_rolled_back_says_so() {
    let bench = Bench::new();
    let text = bench.fails(&["rollback", "todo", "--directory", "app"], 2);
    assert!(text.contains("nothing to go back to") && text.contains("git revert"), "{text}");
    let text = bench.fails(&["rollback", "--directory", "app"], 2);
    assert!(text.contains("more than a change of fields"), "{text}");
    let text = bench.fails(&["rollback", "tood", "--directory", "app"], 2);
    assert!(
        text.contains("component/tood is not in the head") && text.contains("did you mean \"todo\"?"),
        "{text}"
    );
    let text = bench.fails(&["rollback", "queue", "--directory", "app"], 2);
    assert!(
        text.contains("component/queue is not in the head")
            && text.contains(
                "none of the last 500 commits had it; there is lattice/todo, provider/redis, component/todo"
            ),
        "{text}"
    );
    let text = bench.fails(&["rollback", "thing/todo", "--directory", "app"], 2);
    assert!(text.contains("unknown kind"), "{text}");
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    let broken = |text: String| text.replace("  sites:\n    gcp:", "  sites: [\n    gcp:");
    let arguments: [&[&str]; 3] = [&["rollback", "todo"], &["rollback"], &["rollback", "todo", "--commit"]];
    let refused = |bench: &Bench, words: &[&str]| {
        let before = bench.state();
        for arguments in arguments {
            let text = bench.fails(&[arguments, &["--directory", "app"]].concat(), 2);
            for word in words {
                assert!(text.contains(word), "{arguments:?}: {word:?} is missing in:\n{text}");
            }
        }
        assert_eq!(bench.state(), before);
    };
    let changed = || {
        let bench = Bench::new();
        commit(&bench, "app/todo.yaml", |text| text.replace("todo:1", "todo:2").replace("shop:1", "shop:2"));
        bench
    };
    let bench = changed();
    commit(&bench, "app/todo.yaml", broken);
    refused(&bench, &["component/", "app/todo.yaml:1"]);
    commit(&bench, "app/todo.yaml", |text| text.replace("sites: [", "sites:"));
    refused(&bench, &["component/", "app/todo.yaml:1", "--to"]);

    // In the working tree alone, as bytes that are no text, or half merged.
    let bench = changed();
    std::fs::write(bench.mine().join("app/todo.yaml"), [0xff, 0xfe]).unwrap();
    let text = bench.fails(&["rollback", "todo", "--directory", "app"], 2);
    assert!(text.contains("app/todo.yaml:1:1") && text.contains("UTF-8"), "{text}");
    let bench = changed();
    bench.git(&["branch", "side", "HEAD~1"]);
    bench.git(&["switch", "--quiet", "side"]);
    commit(&bench, "app/todo.yaml", |text| text.replace("todo:1", "todo:3"));
    let mut merge = std::process::Command::new("git");
    merge.args(["-c", "user.name=A", "-c", "user.email=a@example.com", "merge", "--quiet", "main"]);
    assert!(!merge.current_dir(bench.mine()).output().unwrap().status.success(), "it conflicts");
    for arguments in
        [["rollback", "todo"].as_slice(), &["move", "todo", "gcp=1"], &["rollback", "todo", "--commit"]]
    {
        let text = bench.fails(&[arguments, &["--directory", "app"]].concat(), 2);
        assert!(text.contains("a merge is under way") && text.contains("git merge --abort"), "{text}");
    }
}

#[test]
fn the_top_of_a_repository_has_a_name() {
    let bench = Bench::new();
    let first = bench.git(&["rev-parse", "HEAD"]);
    let text = bench.fails(&["rollback", "nope", "--to", &first, "--directory", "."], 2);
    assert!(text.contains("`git log --oneline -- .`"), "{text}");
}

fn says(bench: &Bench, arguments: &[&str], words: &[&str]) {
    let before = bench.state();
    let text = bench.fails(&[arguments, &["--directory", "app"]].concat(), 2);
    for word in words {
        assert!(text.contains(word), "{arguments:?}: {word:?} is missing in:\n{text}");
    }
    assert_eq!(bench.state(), before);
}

#[test]
fn what_went_is_told_with_the_commit_that_brings_it_back() {
    let bench = Bench::new();
    let first = bench.git(&["rev-parse", "--short=7", "HEAD"]);
    let removed = commit(&bench, "app/todo.yaml", |text| text.split("---\n").nth(1).unwrap().to_owned());
    commit(&bench, "app/todo.yaml", |text| text.replace("shop:1", "shop:2"));
    let way = format!("{removed} removed it: `git revert {removed}` brings it back");
    says(&bench, &["rollback", "todo"], &["component/todo is not in the head", &way]);
    says(&bench, &["rollback", "todo", "--to", &first], &["component/todo is not in", &way]);
    says(&bench, &["rollback", "todo", "--commit", "--to", &first], &[&way]);
    // Brought back it is older than that.
    commit(&bench, "app/todo.yaml", |text| format!("{}---\n{text}", TODO.split("---\n").next().unwrap()));
    let back = bench.git(&["rev-parse", "--short=7", "HEAD"]);
    let way = format!("`dunlin rollback component/todo --to {first}`");
    let brought = format!("was brought back by {back}");
    says(&bench, &["rollback", "todo"], &[&brought, &way, &removed]);
    let text = bench.text(&["rollback", "component/todo", "--to", &first, "--directory", "app"]);
    assert!(text.contains("nothing to change"), "{text}");
}

#[test]
fn what_went_by_a_merge_is_found_as_well() {
    let bench = Bench::new();
    bench.git(&["switch", "--quiet", "-c", "side"]);
    commit(&bench, "app/todo.yaml", |text| text.split("---\n").nth(1).unwrap().to_owned());
    bench.git(&["switch", "--quiet", "main"]);
    bench.git(&["merge", "--quiet", "--no-ff", "-m", "Merge", "side"]);
    let merged = bench.git(&["rev-parse", "--short=7", "HEAD"]);
    says(&bench, &["rollback", "todo"], &[&format!("{merged} removed it")]);
}

#[test]
fn a_head_that_cannot_be_read_names_the_commit_that_wrote_it() {
    let bench = Bench::new();
    let first = bench.git(&["rev-parse", "HEAD"]);
    let broken =
        commit(&bench, "app/todo.yaml", |text| text.replace("  sites:\n    gcp:", "  sites: [\n    gcp:"));
    commit(&bench, "app/todo.yaml", |text| text.replace("todo:1", "todo:2"));
    let way = format!("mend it, or take back the commit that wrote it: `git revert {broken}`");
    says(&bench, &["rollback", "todo"], &["not read: ", "app/todo.yaml:", &way]);
    says(&bench, &["rollback", "todo", "--to", &first], &["not read: ", &way]);
    says(&bench, &["rollback", "nope"], &["not read: ", "mend it first"]);
    // In the working tree alone there is no such commit.
    let bench = Bench::new();
    commit(&bench, "app/todo.yaml", |text| text.replace("todo:1", "todo:2"));
    bench.write("app/todo.yaml", "a: [");
    says(&bench, &["rollback", "todo"], &["not read: ", "mend it first"]);
    bench.write("app/todo.yaml", "");
    says(&bench, &["rollback", "todo"], &["but in the head", "`git diff HEAD`"]);
}

#[test]
fn a_mistake_that_was_taken_back_is_no_way_back() {
    let bench = Bench::new();
    let first = bench.git(&["rev-parse", "--short=7", "HEAD"]);
    commit(&bench, "app/todo.yaml", |text| text.replace("todo:1", "todo:2"));
    commit(&bench, "app/todo.yaml", |text| text.replace("replicas: 2 # home", "replicsa: 2 # home"));
    commit(&bench, "app/todo.yaml", |text| text.replace("replicsa: 2 # home", "replicas: 2 # home"));
    let way = "`dunlin rollback component/todo --to REVISION`";
    says(&bench, &["rollback", "todo"], &["replicsa", "the last change, is no better", way]);
    bench.text(&["rollback", "todo", "--to", &first, "--directory", "app", "--commit"]);
    assert_eq!(bench.read("app/todo.yaml"), TODO);
}

#[test]
fn what_runs_is_not_new_where_the_head_is_mistaken() {
    let bench = Bench::new();
    commit(&bench, "app/todo.yaml", |text| text.replace("todo:1", "todo:2"));
    running::run(&bench, "app/", true);
    commit(&bench, "app/todo.yaml", |text| text.replace("replicas: 2 # home", "replicas: two # home"));
    let text = bench.text(&["rollback", "todo", "--directory", "app"]);
    assert!(!text.contains("is new") && text.contains("+       replicas: 2 # home"), "{text}");
    let first = bench.git(&["rev-parse", "HEAD~2"]);
    let text = bench.text(&["rollback", "todo", "--to", &first, "--directory", "app", "--commit"]);
    assert!(!text.contains("is new") && text.contains("todo:2 -> registry.example.com/todo:1"), "{text}");
}

#[test]
fn links_are_followed_as_hosts_follow_them() {
    let bench = Bench::new();
    bench.git(&["mv", "app/todo.yaml", "app/todo.shared"]);
    std::os::unix::fs::symlink("todo.shared", bench.mine().join("app/todo.yaml")).unwrap();
    bench.git(&["add", "."]);
    bench.git(&["commit", "--quiet", "-m", "Share"]);
    let changed = commit(&bench, "app/todo.shared", |text| text.replace("todo:1", "todo:2"));
    let text = bench.text(&["rollback", "todo", "--directory", "app", "--commit"]);
    assert!(text.contains(&format!("todo: undo {changed}")), "{text}");
    assert_eq!(bench.read("app/todo.shared"), TODO);
    assert!(bench.mine().join("app/todo.yaml").is_symlink());
}
