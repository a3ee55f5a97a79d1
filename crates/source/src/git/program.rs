//! Programs of the user's that a look starts: `git` and `ssh`. They never prompt, and what they complain of is kept.

use std::io::{self, Read};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::bound::Bound;

/// Variables that would lead a program to another repository than the one that is meant.
const MISLEADING: [&str; 11] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];
/// Bytes of complaints that are kept: their end, where programs say what they died of.
const COMPLAINTS: usize = 4096;
/// How long complaints are waited for after the program has ended; something it left behind may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// A program that runs, by its ends.
pub(super) struct Program {
    pub(super) input: ChildStdin,
    pub(super) output: ChildStdout,
    pub(super) complaints: Complaints,
}

/// What a program wrote to its standard error.
pub(super) struct Complaints {
    text: Arc<Mutex<Vec<u8>>>,
    over: Receiver<()>,
}

/// Starts `command`; `bound` holds it and kills it in time.
pub(super) fn start(mut command: Command, bound: &Bound) -> io::Result<Program> {
    for variable in MISLEADING {
        command.env_remove(variable);
    }
    // English, because the end of its words is looked at for what to do next.
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: Ctrl-C is for us, and it can be ended with all that it started.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn()?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    bound.hold(child);
    let (Some(input), Some(output), Some(errors)) = (input, output, errors) else {
        return Err(io::Error::other("its pipes are missing"));
    };
    Ok(Program { input, output, complaints: Complaints::listen(errors) })
}

impl Complaints {
    fn listen(mut errors: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let (said, over) = channel();
        let kept = Arc::clone(&text);
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(bytes @ 1..) = errors.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..bytes]);
                let surplus = kept.len().saturating_sub(COMPLAINTS);
                kept.drain(..surplus);
            }
            let _ = said.send(());
        });
        Self { text, over }
    }

    /// Its lines that say something, joined; empty if there are none.
    pub(super) fn words(&self) -> String {
        let _ = self.over.recv_timeout(LAST_WORDS);
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().map(str::trim).filter(|line| line.chars().any(char::is_alphanumeric));
        let lines: Vec<&str> = lines.collect();
        // The last ones: the first may be a banner.
        let first = lines.len().saturating_sub(6);
        lines[first..].join("; ").chars().filter(|char| !char.is_control()).collect()
    }
}
