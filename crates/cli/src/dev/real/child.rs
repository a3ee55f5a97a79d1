//! A process of `dunlin dev --real`: it ends with it, and it can be killed, frozen and thawed meanwhile.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// A running process; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// How much of a log is shown of a process that did not start.
const TAIL: u64 = 2_000;

impl Process {
    /// Starts `program` so that it ends with this process, however that ends. What it prints goes to `log`.
    ///
    /// # Errors
    /// The log cannot be written, or the program cannot be started.
    pub(crate) fn start(
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        log: &Path,
    ) -> Result<Self> {
        let open = || -> std::io::Result<(File, File)> {
            let file = File::options().create(true).append(true).open(log)?;
            Ok((file.try_clone()?, file))
        };
        let (output, errors) = open().with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(std::env::current_exe().context("cannot find myself")?);
        command.arg("with-parent").arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        // A terminal's Ctrl-C is for `dunlin dev` alone, which ends the others in order.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until `ready` gives something.
    ///
    /// # Errors
    /// It ends before, or `limit` passes; with what it printed last.
    pub(crate) async fn wait_until<T>(
        &mut self,
        limit: Duration,
        mut ready: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T> {
        const LOOK: Duration = Duration::from_millis(10);
        let waiting = async {
            loop {
                if let Some(value) = ready().await {
                    return Some(value);
                }
                if !self.runs() {
                    return None;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => anyhow::bail!("it ended at once; it said:\n{}", self.said()),
            Err(_) => anyhow::bail!("it was not ready within {limit:?}; it said:\n{}", self.said()),
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Asks it to end, and ends it if it has not after `limit`.
    pub(crate) async fn stop(mut self, limit: Duration) {
        // A frozen process hears nothing until it goes on.
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        let ended = async {
            while self.runs() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // Whether it ended by itself or not, it ends now.
        let _ = tokio::time::timeout(limit, ended).await;
        self.end();
    }

    /// Stops it where it stands: its connections stay, its answers do not come.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn end(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ = (self.child.kill(), self.child.wait());
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // As above.
            let _ = kill_process(id, signal);
        }
    }

    fn said(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        read().unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
