//! Processes that end with the one that started them, however that ends.

use std::process::ExitCode;

use anyhow::Result;

/// Makes the system end this process when the one that started it ends, also if that is killed.
///
/// # Errors
/// The system refuses, or the parent has ended already.
pub(crate) fn end_with_parent() -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        let parent = getppid();
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended in between, and somebody else taken its place.
        if getppid() != parent {
            anyhow::bail!("the process that started this one has ended");
        }
    }
    Ok(())
}

/// A program to become, which ends with the process that started this one.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
    command: Vec<std::ffi::OsString>,
}

/// Becomes the program.
///
/// # Errors
/// It cannot be started.
pub(crate) fn become_program(options: &Options) -> Result<ExitCode> {
    end_with_parent()?;
    let mut words = options.command.iter();
    let mut command =
        std::process::Command::new(words.next().map(std::ffi::OsString::as_os_str).unwrap_or_default());
    Err(std::os::unix::process::CommandExt::exec(command.args(words)).into())
}
