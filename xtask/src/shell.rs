//! Running other programs: what is run is shown, a failure names the command.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // As cargo says now: in a shared target directory this may have been built from another clone.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Where cargo builds: `CARGO_TARGET_DIR`, else `target` in the root.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs this, else the one on the path.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What cargo told this program of itself is not for the builds it starts: some of them (ring's) would begin anew.
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"]
                .iter()
                .any(|own| name.starts_with(own))
        });
        if ours {
            command.env_remove(name);
        }
    }
    command
}

/// Says what is being done, on standard error, so that a command's own output stays clean.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "\x1b[1m▸ {text}\x1b[0m");
}

/// Runs to the end with the terminal handed through.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", words(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", words(command));
    }
    Ok(())
}

/// Runs to the end, passes every line of standard output on and gives it to `line` as well.
pub(crate) fn run_reading(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {}", words(command)))?;
    let output = child.stdout.take().context("no standard output")?;
    for text in BufReader::new(output).split(b'\n') {
        let text = String::from_utf8_lossy(&text?).into_owned();
        writeln!(std::io::stdout(), "{text}")?;
        line(&text);
    }
    Ok(child.wait()?.success())
}

/// Whether `program` can be started from the path.
pub(crate) fn is_there(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// The command as one would type it.
fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
