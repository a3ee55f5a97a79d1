//! `dunlin completion`: what a shell needs to complete commands and options, and the names of what runs.

mod gather;
mod scripts;
mod wanted;

use std::process::ExitCode;

use anyhow::Result;
use clap_complete::Shell;

use self::scripts::with_names;
use self::wanted::wanted;
use crate::printer;

/// For which shell.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  source <(dunlin completion bash)\n  dunlin completion zsh > ~/.zfunc/_dunlin\n  \
    dunlin completion fish > ~/.config/fish/completions/dunlin.fish\n\n\
    In bash, zsh and fish the names of components, sites and hosts are completed as well: of the `dunlin dev` that runs, else of\n\
    the manifests in the current directory."
)]
pub(crate) struct Options {
    /// The shell.
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// None.
pub(crate) fn run(options: &Options, mut command: clap::Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, "dunlin", &mut script);
    printer::raw(with_names(options.shell, &String::from_utf8_lossy(&script)));
    Ok(ExitCode::SUCCESS)
}

/// What was typed so far.
#[derive(clap::Args)]
pub(crate) struct Words {
    /// The words of the line before the one that is to be completed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Prints the names that may come next, one a line; none if there are none, or they cannot be had at once.
///
/// # Errors
/// None: nobody would read it.
pub(crate) async fn names(words: &Words, command: &clap::Command) -> Result<ExitCode> {
    for name in gather::names(&wanted(command, &words.words)).await {
        printer::line(name);
    }
    Ok(ExitCode::SUCCESS)
}
