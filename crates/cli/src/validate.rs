//! `dunlin validate`: every mistake in manifests, with its place, before a commit.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use dunlin_providers::logging::escape;

use crate::printer::{self, BAD, GOOD, INVALID, Output, WrongInput, styled};
use crate::words::counted;

/// What to check.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  dunlin validate apps/todo\n  dunlin validate . --output json")]
pub(crate) struct Options {
    /// The directory of manifests.
    directory: PathBuf,
    /// Text for people or JSON for scripts.
    #[arg(long, short, default_value = "text")]
    output: Output,
}

/// Reads the directory as a host would and reports.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let (files, reading) =
        dunlin_source::read_directory(&options.directory).map_err(|error| WrongInput(error.to_string()))?;
    let code = if reading.mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(INVALID) };
    if options.output == Output::Json {
        printer::json(&reading.mistakes)?;
        return Ok(code);
    }
    for mistake in &reading.mistakes {
        printer::line(format!("{} {}", styled(BAD, "mistake"), escape(&mistake.to_string())));
    }
    let snapshot = &reading.snapshot;
    if reading.mistakes.is_empty() {
        printer::line(format!(
            "{} {} and {} in {}",
            styled(GOOD, "valid"),
            counted(snapshot.components.len(), "component"),
            counted(snapshot.providers.len(), "provider"),
            counted(files.len(), "file")
        ));
    }
    Ok(code)
}
