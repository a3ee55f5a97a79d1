//! What the parts log while `dunlin dev` has the terminal: one dim line each among what is shown, and the same only once.
//! Where standard error is no terminal, all of it goes there as it is.

use std::collections::VecDeque;
use std::io::IsTerminal;

use tokio::sync::mpsc;

use crate::printer;

/// So many lines wait to be shown; further ones are dropped.
const WAITING: usize = 64;
/// Among so many lines the same is not shown again.
const REMEMBERED: usize = 32;

/// Lines that come.
#[derive(Debug)]
pub(crate) struct Log {
    lines: Option<mpsc::Receiver<String>>,
    shown: VecDeque<String>,
}

impl Log {
    /// Begins to take in what is logged, if there is a terminal to show it on.
    pub(crate) fn begin() -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let lines = terminal.then(|| {
            let (sender, lines) = mpsc::channel(WAITING);
            printer::log_to(sender);
            lines
        });
        if lines.is_none() {
            printer::log_to_stderr();
        }
        Self { lines, shown: VecDeque::new() }
    }

    /// The next line to show; never, where there is no terminal.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            let line = match &mut self.lines {
                Some(lines) => lines.recv().await,
                None => None,
            };
            match line {
                Some(line) if self.is_new(&line) => return line,
                Some(_) => {}
                None => return std::future::pending().await,
            }
        }
    }

    /// Whether it was not shown lately: hosts say the same, and say it again with every attempt.
    fn is_new(&mut self, line: &str) -> bool {
        if self.shown.iter().any(|shown| shown == line) {
            return false;
        }
        if self.shown.len() >= REMEMBERED {
            self.shown.pop_front();
        }
        self.shown.push_back(line.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_is_shown_once() {
        let (sender, lines) = mpsc::channel(WAITING);
        let mut log = Log { lines: Some(lines), shown: VecDeque::new() };
        for line in ["a", "a", "b", "a", "c"] {
            sender.send(line.to_owned()).await.unwrap();
        }
        assert_eq!([log.next().await, log.next().await, log.next().await], ["a", "b", "c"]);
    }
}
