//! What is done to the repository: set up, demo, test, bench, dist; and its rules as code.

mod bench;
mod browser;
mod demo;
mod dist;
mod guests;
mod rules;
mod shell;
mod tally;
mod test;
mod toolchain;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Everything there is to do in this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Sets everything up and runs two sites with the todo application: the main job.
    Demo(demo::Options),
    /// Sets everything up and runs every check and test.
    Test(test::Options),
    /// Measures, always side by side with something known.
    Bench(bench::Options),
    /// Makes a stripped release archive with checksums in `target/dist`.
    Dist,
    /// Builds the WebAssembly components that the tests and the demo run.
    Guests(guests::Options),
    /// Checks the repository's own rules.
    Rules,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Demo(options) => demo::run_demo(&options),
        Task::Test(options) => test::run_steps(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Dist => dist::run_dist(),
        Task::Guests(options) => guests::run(&options),
        Task::Rules => rules::run(),
    }
}
