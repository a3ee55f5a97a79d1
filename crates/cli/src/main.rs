//! The `dunlin` command.

mod addresses;
mod ask;
mod calls;
mod change;
mod check;
mod client;
mod completion;
mod control;
mod credentials;
mod dev;
mod discovery;
mod git;
mod history;
mod host;
mod logs;
mod nats;
mod parent;
mod printer;
mod rollout;
mod status;
mod trace;
mod validate;
mod waiting;
mod whom;
mod words;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Runs one WebAssembly application across clusters in several clouds.
#[derive(Parser)]
#[command(name = "dunlin", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  dunlin dev                         two sites on this machine, with a todo application\n  \
    dunlin dev ./manifests             your own application\n  dunlin status --watch              what runs where, and why\n  \
    dunlin move todo gcp=0 aws=2       what it would mean to move todo; --commit does it\n  \
    dunlin rollout todo                wait until what runs is what Git says\n\n\
    Exit codes: 0 well, 1 failed, 2 wrong input; check, diff and rollout say more in their own --help"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs sites and hosts on this machine and follows a directory of manifests or a Git repository.
    Dev(dev::Options),
    /// Runs one host: the process that a cluster runs.
    Host(host::Options),
    /// Shows sites, hosts, components, providers, links and conditions.
    Status(status::Options),
    /// Shows the last revisions: who, when, what changed, how it went, how long it took.
    History(history::Options),
    /// Follows a component from the commit to its replicas: where it is declared, what each host did with it and why.
    Trace(trace::Options),
    /// Waits until components are as Git says, and shows the steps.
    Rollout(rollout::Options),
    /// Shows what components log, from all sites.
    Logs(logs::Options),
    /// Shows calls in words as they pass, from all sites.
    Calls(calls::Options),
    /// Makes and explains who may speak on the lattice.
    Credentials(credentials::Options),
    /// Walks the whole path (hub, leaves, certificates, permissions, clocks, providers, ingress) and says what is wrong.
    Check(check::Options),
    /// Tells what the `nats` command needs to look at the bus.
    Nats(nats::Options),
    /// Moves a component to other sites: shows what it would mean, and commits it when told to.
    Move(change::moving::Options),
    /// Shows what the repository's head would change in what runs here.
    Diff(change::diff::Options),
    /// Gives objects the fields that they had before their last change; shows it, and commits it when told to.
    Rollback(change::rollback::Options),
    /// Writes digests behind the tags of images.
    Pin(change::pin::Options),
    /// Takes an image with its digest from one directory of manifests to another.
    Promote(change::promote::Options),
    /// Stops a site, a host or a server of `dunlin dev` at once, as a power cut would.
    #[command(after_help = control::KILL)]
    Kill(control::Options),
    /// Starts a site, a host or a server of `dunlin dev` again.
    #[command(after_help = control::REVIVE)]
    Revive(control::Options),
    /// Freezes a site, a host or a server of `dunlin dev --real` where it stands.
    #[command(after_help = control::FREEZE)]
    Freeze(control::Options),
    /// Lets a frozen site, host or server of `dunlin dev --real` go on.
    #[command(after_help = control::THAW)]
    Thaw(control::Options),
    /// Checks manifests and reports every mistake with its place.
    Validate(validate::Options),
    /// Prints the JSON Schema of the manifests, for editors.
    #[command(after_help = "Examples:\n  dunlin schema > dunlin.schema.json\n\n\
        An editor finds it by a first line such as `# yaml-language-server: $schema=dunlin.schema.json`.")]
    Schema,
    /// Prints what a shell needs to complete commands and options.
    Completion(completion::Options),
    /// Prints names that may come next on a command line, for the scripts of `dunlin completion`.
    #[command(hide = true)]
    Names(completion::Words),
    /// Becomes another program that ends with the one that started this.
    #[command(hide = true)]
    WithParent(parent::Options),
}

/// All commands and options, as the library knows them.
fn command() -> clap::Command {
    Arguments::command()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A host logs as its settings say, which are read first; `dunlin dev` among what it shows.
    if !matches!(arguments.command, Command::Host(_) | Command::Dev(_)) {
        printer::log_to_stderr();
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return printer::failure(&anyhow::Error::from(error).context("cannot start threads")),
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Dev(options) => dev::run(options, dev::Log::begin()).await,
            Command::Host(options) => host::run(options).await,
            Command::Status(options) => status::run(options).await,
            Command::History(options) => history::run(options).await,
            Command::Trace(options) => trace::run(options).await,
            Command::Rollout(options) => rollout::run(options).await,
            Command::Logs(options) => logs::run(options).await,
            Command::Calls(options) => calls::run(options).await,
            Command::Credentials(options) => credentials::run(&options),
            Command::Check(options) => check::run(options).await,
            Command::Nats(options) => nats::run(&options),
            Command::Move(options) => change::moving::run(options).await,
            Command::Diff(options) => change::diff::run(options).await,
            Command::Rollback(options) => change::rollback::run(options).await,
            Command::Pin(options) => change::pin::run(options).await,
            Command::Promote(options) => change::promote::run(options).await,
            Command::Kill(options) => control::kill(&options).await,
            Command::Revive(options) => control::revive(&options).await,
            Command::Freeze(options) => control::freeze(&options).await,
            Command::Thaw(options) => control::thaw(&options).await,
            Command::Validate(options) => validate::run(&options),
            Command::WithParent(options) => parent::become_program(&options),
            Command::Completion(options) => completion::run(&options, command()),
            Command::Names(words) => completion::names(&words, &command()).await,
            Command::Schema => printer::json(&dunlin_manifest::json_schema()),
        }
    });
    // Work on the blocking threads (a compilation, say) is not worth waiting for.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| printer::failure(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an example runs, up to what is said about it or done with its output.
    fn words(line: &str) -> Option<Vec<&str>> {
        let line = line.trim().strip_prefix("dunlin ")?;
        let end = ["  ", " | ", " && ", " > ", "\\", "…"].iter().filter_map(|mark| line.find(mark)).min();
        let known = line.get(..end.unwrap_or(line.len()))?;
        // Whoever goes on in the next line, or leaves out the rest, is not complete.
        (!line.contains('\\') && !line.contains('…')).then(|| known.split_whitespace().collect())
    }

    fn check(command: &clap::Command, path: &str, tried: &mut usize) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.starts_with("Examples:\n  "), "{path} has no examples: {help}");
        assert!(help.contains(path), "the examples of {path} are of another command: {help}");
        assert!(command.get_about().is_some(), "{path}");
        for words in help.lines().filter_map(words) {
            let parsed = Arguments::try_parse_from(["dunlin"].into_iter().chain(words.iter().copied()));
            assert!(parsed.is_ok(), "an example of {path}, {words:?}: {}", parsed.err().unwrap());
            *tried += 1;
        }
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            check(below, &format!("{path} {}", below.get_name()), tried);
        }
    }

    #[test]
    fn every_command_has_examples_that_are_right() {
        let mut tried = 0;
        check(&command(), "dunlin", &mut tried);
        assert!(tried > 60, "{tried}");
    }
}
