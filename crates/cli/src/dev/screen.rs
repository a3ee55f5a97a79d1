//! What `dunlin dev` shows: progress, the table, and one live line below everything else.

use std::io::IsTerminal;

use crate::printer::{self, BAD, BOLD, DIM, styled};
use crate::words::{counted, thousands};

/// The terminal, or a plain stream of lines where there is none.
#[derive(Debug)]
pub(crate) struct Screen {
    live: Option<String>,
    terminal: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { live: None, terminal: std::io::stdout().is_terminal() }
    }

    /// Prints a line above the live one.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) {
        if self.live.is_some() {
            printer::raw("\r\x1b[2K");
        }
        printer::line(text);
        if let Some(live) = &self.live {
            printer::raw(live);
        }
    }

    /// Replaces the live line; on anything but a terminal there is none.
    pub(crate) fn set_live(&mut self, text: String) {
        if self.terminal && self.live.as_ref() != Some(&text) {
            printer::raw(format!("\r\x1b[2K{text}"));
            self.live = Some(text);
        }
    }

    /// Takes the live line away.
    pub(crate) fn clear_live(&mut self) {
        if self.live.take().is_some() {
            printer::raw("\r\x1b[2K");
        }
    }
}

/// A row of the table: a dim label in front.
pub(crate) fn labelled(label: &str, text: &str) -> String {
    format!("{} {text}", styled(DIM, format!("  {label:<5}")))
}

/// The live line: keys, and how many requests there were.
pub(crate) fn live(keys: bool, component: Option<&str>, requests: u64, failed: u64) -> String {
    let counts = format!("{}, ", counted(requests, "request"));
    let failures = format!("{} failed", thousands(failed));
    let failures = if failed > 0 { styled(BAD, failures) } else { failures };
    if !keys {
        return format!("  {counts}{failures}");
    }
    let key = |key: &str, what: &str| format!("{} {what}", styled(BOLD, key));
    let keys = [
        component.map(|component| key("m", &format!("move {component}"))),
        Some(key("k", "kill a site")),
        Some(key("r", "revive")),
        Some(key("l", "logs")),
        Some(key("q", "quit")),
    ];
    let keys: Vec<_> = keys.into_iter().flatten().collect();
    format!("  {} {}            {counts}{failures}", styled(DIM, "keys"), keys.join(" · "))
}

/// As much as fits into one line of the terminal behind so many other columns: a live line that wraps could not be
/// replaced.
pub(crate) fn cut(words: &str, behind: usize) -> String {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    // A terminal that does not know its width says 0.
    let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    shortened(words, columns.unwrap_or(80).max(20).saturating_sub(behind + 1))
}

fn shortened(words: &str, length: usize) -> String {
    if words.chars().count() <= length {
        return words.to_owned();
    }
    let head: String = words.chars().take(length.saturating_sub(1)).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_too_long_says_so() {
        for (length, expected) in [(5, "words"), (4, "wor…"), (1, "…")] {
            assert_eq!(super::shortened("words", length), expected);
        }
    }
}
