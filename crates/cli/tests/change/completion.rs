//! Names of components and sites, as a shell completes them. What is asked for is in the tables of `completion::wanted`.

use std::process::Command;

use crate::workbench::Bench;

/// What a shell says that runs where the manifests are; nothing if there is no such shell.
fn run(bench: &Bench, shell: &str, arguments: &[&str]) -> Option<Vec<String>> {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_dunlin")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(shell);
    command.args(arguments).current_dir(bench.mine().join("app")).env("PATH", path);
    command.env("HOME", bench.path("")).env("XDG_RUNTIME_DIR", bench.path("runtime"));
    let output = command.output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// What bash would offer after these words, the last of which is being typed.
fn offered(bench: &Bench, words: &[&str]) -> Vec<String> {
    let script = "source <(dunlin completion bash); COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                  _dunlin_names dunlin \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    run(bench, "bash", &[&["--norc", "-c", script, "bash"], words].concat()).unwrap()
}

#[test]
fn names_are_offered_where_they_are_wanted() {
    let bench = Bench::new();
    assert_eq!(offered(&bench, &["dunlin", "move", ""]), ["shop", "todo"]);
    assert_eq!(offered(&bench, &["dunlin", "move", "to"]), ["todo"]);
    // Bash takes words apart at the sign.
    assert_eq!(offered(&bench, &["dunlin", "move", "todo", "gcp", "=", "0", ""]), ["aws="]);
    assert_eq!(offered(&bench, &["dunlin", "pin", "todo", ""]), ["shop"]);
    assert!(offered(&bench, &["dunlin", "move", "--comm"]).contains(&"--commit".to_owned()));
    assert!(offered(&bench, &["dunlin", "roll"]).contains(&"rollout".to_owned()));
}

/// Fish takes part where it is installed.
#[test]
fn names_are_offered_in_fish() {
    let bench = Bench::new();
    let script =
        "dunlin completion fish | source; complete -C 'dunlin move '; complete -C 'dunlin move todo gcp=0 '";
    let offered = run(&bench, "fish", &["--no-config", "-c", script]);
    assert!(offered.as_ref().is_none_or(|offered| offered == &["shop", "todo", "aws="]), "{offered:?}");
}
