//! `dunlin credentials show`: what is in a file, in words.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::printer::{self, BOLD, Output, WrongInput, styled};

/// Which files.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  dunlin credentials show credentials/hosts/gcp/gcp-1.creds\n  \
    dunlin credentials show credentials/hub/hub.conf --output json")]
pub(super) struct Show {
    /// Credentials (.creds), tokens, certificates, keys or configurations.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Explains each of them.
///
/// # Errors
/// A file cannot be read or holds no credential.
pub(super) fn show(options: &Show, output: Output) -> Result<ExitCode> {
    let mut all = Vec::new();
    for file in &options.files {
        let shown = dunlin_credentials::show(file).map_err(|error| WrongInput(error.to_string()))?;
        all.push((file, shown));
    }
    if output == Output::Json {
        let named: Vec<_> =
            all.iter().map(|(file, shown)| serde_json::json!({ "file": file, "holds": shown })).collect();
        return printer::json(&named);
    }
    for (file, shown) in all {
        printer::line(styled(BOLD, file.display()));
        shown.iter().for_each(printer::line);
    }
    Ok(ExitCode::SUCCESS)
}
