//! What of a commit is read, and what not.

use std::os::unix::fs::symlink;

use crate::common::{Host, LATTICE, component, image, repository, unreadable, wait};

#[tokio::test]
async fn what_does_not_belong_is_passed_over_and_what_cannot_be_read_is_reported() {
    let repository = repository();
    for folder in [".github", "node_modules", "target", "deep"] {
        let name = if folder == "deep" { "deep" } else { "x" };
        repository.write(&format!("{folder}/x.yaml"), component(name, "a"));
    }
    repository.write("target/CACHEDIR.TAG", "Signature");
    repository.write(".hidden.yaml", "a: [");
    repository.write("package.json", "[");
    repository.write("binary.yaml", [0xff, 0xfe, 0x00]);
    repository.write("large.yaml", vec![b'#'; (1 << 20) + 1]);
    repository.write("hidden/.data/mounted.yml", component("mounted", "a"));
    let link = |target: &str, name: &str| symlink(target, repository.path().join(name)).unwrap();
    link("/etc/passwd", "absolute.yaml");
    link("../outside.yaml", "escape.yaml");
    link("nowhere.yaml", "dangling.yaml");
    link("deep", "directory.yaml");
    link("hidden/.data/mounted.yml", "mounted.yaml");
    link("mounted.yaml", "deep/twice.yaml");
    link("loop.yaml", "loop.yaml");
    // A submodule is another repository.
    let head = repository.head();
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},module.yaml")]);
    repository.git(&["add", "--all", "--", ":!module.yaml"]);
    repository.git(&["commit", "--quiet", "--message", "All sorts"]);
    let state = Host::of_path(&repository.path()).start().await.borrow().clone();
    assert_eq!(state.snapshot.components.keys().collect::<Vec<_>>(), ["deep", "mounted", "todo"]);
    let mistakes: Vec<String> = state.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        mistakes,
        [
            "absolute.yaml:1:1: a link that leads out of the repository: put the file itself there",
            "binary.yaml:1:1: not UTF-8 at byte 0 (allowed: UTF-8)",
            "dangling.yaml:1:1: a link to nowhere.yaml, which is no file of this commit",
            "deep/twice.yaml:1:1: a link to deep/mounted.yaml, which is no file of this commit",
            "directory.yaml:1:1: a link to deep, which is no file of this commit",
            "escape.yaml:1:1: a link that leads out of the repository: put the file itself there",
            "large.yaml:1:1: more than 1 MiB: spread the objects over several files (allowed: 1 MiB for one file)",
            "loop.yaml:1:1: a link that leads to links without end",
        ]
    );
}

#[tokio::test]
async fn a_link_may_lead_out_of_the_directory_but_not_out_of_the_commit() {
    let repository = repository();
    repository.write("base/todo.yaml", component("todo", "base"));
    repository.write("live/lattice.yaml", LATTICE);
    symlink("../base/todo.yaml", repository.path().join("live/todo.yaml")).unwrap();
    repository.commit("Share a file");
    let mut host = Host::of_path(&repository.path());
    host.settings.path = "live".into();
    assert_eq!(image(&host.start().await.borrow()), Some("base"));
}

#[tokio::test]
async fn too_much_in_all_is_refused_as_a_whole() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    for number in 0..17 {
        repository.write(&format!("much/{number}.yaml"), "#".repeat(1 << 20));
    }
    repository.commit("Add much");
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    let said = unreadable(&state);
    assert!(image(&state) == Some("one") && said.contains("more than 16 MiB of YAML"), "{said}");
}

#[tokio::test]
async fn too_many_files_are_refused_as_a_whole() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    for number in 0..1000 {
        repository.write(&format!("many/{number}.yaml"), "");
    }
    repository.commit("Add many");
    let state = wait(&mut receiver, |state| !state.conditions.is_empty()).await;
    let said = unreadable(&state);
    assert!(image(&state) == Some("one") && said.contains("more than 1000 YAML files"), "{said}");
}
