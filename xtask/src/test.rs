//! `cargo xtask test`: everything that is checked, in an order that fails early, summed up at the end.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::shell::{cargo, root, run, run_reading, say, target};
use crate::tally::Tally;
use crate::{browser, guests, rules, tools};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs one step alone: rules, format, guests, clippy, deny, application, rust or browser.
    #[arg(long, value_name = "STEP")]
    only: Option<String>,
}

type Step = fn(&mut Tally) -> Result<()>;

const STEPS: [(&str, Step); 8] = [
    ("rules", |tally| tally.whole(rules::run())),
    ("format", format),
    ("guests", |_| guests::run(&guests::Options::default())),
    ("clippy", clippy),
    ("deny", deny),
    ("application", application),
    ("rust", rust),
    ("browser", browser::test),
];

/// Runs the steps, all of them even if one fails, and prints the sum as the last line.
///
/// # Errors
/// Names the steps that failed.
pub(crate) fn run_steps(options: &Options) -> Result<()> {
    let chosen = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    if !STEPS.iter().any(|(name, _)| chosen(name)) {
        let names: Vec<_> = STEPS.iter().map(|(name, _)| *name).collect();
        bail!("there is no such step; choose one of {}", names.join(", "));
    }
    trim_target()?;
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    for (name, step) in STEPS.iter().filter(|(name, _)| chosen(name)) {
        say(name);
        let begun = Instant::now();
        let outcome = step(&mut tally);
        say(&format!("{name}: {} s", begun.elapsed().as_secs()));
        if let Err(error) = outcome {
            say(&format!("{name} failed: {error:#}"));
            broken.push(*name);
        }
    }
    if !broken.is_empty() {
        say(&format!("failed: {}", broken.join(", ")));
    }
    writeln!(std::io::stdout(), "{tally}")?;
    if broken.is_empty() { Ok(()) } else { std::process::exit(1) }
}

/// Workspaces beside the root's, whose code runs as WebAssembly.
const GUEST_WORKSPACES: [&str; 2] = ["apps/todo/Cargo.toml", "guests/Cargo.toml"];

fn format(tally: &mut Tally) -> Result<()> {
    tally.whole(run(cargo().args(["fmt", "--all", "--check"])))?;
    for workspace in GUEST_WORKSPACES {
        tally.whole(run(cargo().args(["fmt", "--all", "--check", "--manifest-path", workspace])))?;
    }
    Ok(())
}

fn clippy(tally: &mut Tally) -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    tally.whole(run(&mut clippy))
}

/// Licences, bans and sources always; advisories only where their database can be fetched.
fn deny(tally: &mut Tally) -> Result<()> {
    tools::cargo_deny()?;
    let mut deny = cargo();
    deny.args(["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]);
    tally.whole(run(&mut deny))
}

/// The todo component's pure parts, natively.
fn application(tally: &mut Tally) -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--locked", "--manifest-path", GUEST_WORKSPACES[0]]);
    counted(tally, test.env("CARGO_TARGET_DIR", target().join("guest-build/native")))
}

fn rust(tally: &mut Tally) -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .env("DUNLIN_GUESTS", guests::folder())
        .env("DUNLIN_NATS_SERVER", tools::nats_server()?)
        .env("DUNLIN_REDIS_SERVER", tools::redis_server()?)
        .env("DUNLIN_REGISTRY_SERVER", tools::registry_server()?);
    counted(tally, &mut test)?;
    ssh(tally)
}

/// Git over SSH to a real server, where there is one: it is not installed for this, since installing it starts it for
/// everybody.
fn ssh(tally: &mut Tally) -> Result<()> {
    // The second is what it wants to have when it is started; the service makes it.
    if !["/usr/sbin/sshd", "/run/sshd"].iter().all(|path| Path::new(path).exists()) {
        say("no SSH server: Git over SSH is tried with a stand-in alone");
        return Ok(());
    }
    let mut test = cargo();
    test.args(["test", "--workspace", "--locked", "--test", "git", "a_real_server", "--", "--ignored"]);
    counted(tally, &mut test)
}

/// Runs a command that prints as `cargo test` does and adds up what it says.
fn counted(tally: &mut Tally, command: &mut Command) -> Result<()> {
    let mut said = Tally::default();
    let well = run_reading(command, |line| said.cargo_line(line))?;
    tally.add(&said);
    if well {
        Ok(())
    } else {
        bail!("{} tests failed; run one again with `cargo test -p CRATE NAME`", said.failed.max(1))
    }
}

/// A target directory that is shared across runs must not grow for ever: past the bound it starts afresh.
fn trim_target() -> Result<()> {
    const BOUND: u64 = 24 << 30;
    let target = target();
    if target == root().join("target") || !target.is_dir() {
        return Ok(());
    }
    let size = folder_size(&target);
    if size > BOUND {
        say(&format!("the target directory holds {} GiB; starting afresh", size >> 30));
        for part in ["debug", "release", "tmp"] {
            let part = target.join(part);
            // This program runs from `debug`; an open file may be removed while it runs.
            if part.is_dir() {
                std::fs::remove_dir_all(part)?;
            }
        }
    }
    Ok(())
}

fn folder_size(folder: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => folder_size(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}
