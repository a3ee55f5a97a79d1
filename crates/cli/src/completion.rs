//! `dunlin completion`: what a shell needs to complete commands and options.

use std::process::ExitCode;

use anyhow::Result;
use clap_complete::Shell;

use crate::printer;

/// For which shell.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  source <(dunlin completion bash)\n  dunlin completion zsh > ~/.zfunc/_dunlin\n  \
    dunlin completion fish > ~/.config/fish/completions/dunlin.fish"
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
    printer::raw(String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
