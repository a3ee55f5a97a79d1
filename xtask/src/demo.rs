//! `cargo xtask demo`: from a clean machine to two sites that answer.

use std::process::Command;

use anyhow::Result;

use crate::shell::{cargo, root, run, say, target};
use crate::{guests, tools};

/// What is handed on to `dunlin dev`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments for `dunlin dev`, such as `-- --sites a,b,c --hosts 3`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Builds the guests and the command, then becomes `dunlin dev apps/todo`, with `--real` where that is possible.
pub(crate) fn run_demo(options: &Options) -> Result<()> {
    guests::run(&guests::Options::only("todo"))?;
    say("building dunlin");
    run(cargo().args(["build", "--locked", "--package", "dunlin"]))?;
    let todo = guests::folder().join("todo.wasm");
    let mut dunlin = Command::new(target().join("debug/dunlin"));
    dunlin.current_dir(root()).args(["dev", "apps/todo"]);
    dunlin.arg("--wasm").arg(format!("todo={}", todo.display()));
    real_where_possible(&mut dunlin);
    dunlin.args(&options.arguments);
    become_program(&mut dunlin)
}

/// Real NATS and Redis where they are found or can be installed; what is missing is said, and stands in.
fn real_where_possible(dunlin: &mut Command) {
    match tools::nats_server() {
        Ok(server) => dunlin.arg("--real").env("DUNLIN_NATS_SERVER", server),
        Err(error) => {
            return say(&format!("no nats-server, so all runs in one process on its own bus: {error:#}"));
        }
    };
    match tools::redis_server() {
        Ok(server) => drop(dunlin.env("DUNLIN_REDIS_SERVER", server)),
        Err(error) => say(&format!("no redis-server, so an embedded store stands in: {error:#}")),
    }
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
