//! `cargo xtask demo`: from a clean machine to two sites that answer.

use std::process::Command;

use anyhow::Result;

use crate::guests;
use crate::shell::{cargo, root, run, say, target};

/// What is handed on to `dunlin dev`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments for `dunlin dev`, such as `-- --sites a,b,c --hosts 3`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Builds the guests and the command, then becomes `dunlin dev apps/todo`.
pub(crate) fn run_demo(options: &Options) -> Result<()> {
    guests::run(&guests::Options::only("todo"))?;
    say("building dunlin");
    run(cargo().args(["build", "--locked", "--package", "dunlin"]))?;
    let todo = guests::folder().join("todo.wasm");
    let mut dunlin = Command::new(target().join("debug/dunlin"));
    dunlin.current_dir(root()).args(["dev", "apps/todo"]);
    dunlin.arg("--wasm").arg(format!("todo={}", todo.display())).args(&options.arguments);
    become_program(&mut dunlin)
}

/// Hands this process over, so that signals and keys reach `dunlin` directly.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<()> {
    run(command)
}
