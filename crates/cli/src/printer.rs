//! The one place that prints: colour on terminals only, results on standard output, the rest on standard error.

use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use serde::Serialize;

/// Exit code of wrong input: bad arguments (clap's own), invalid manifests.
pub(crate) const INVALID: u8 = 2;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// An error whose cause is what the user gave; ends with [`INVALID`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongInput(pub(crate) String);

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();

/// Sends what the parts have to say of themselves to standard error: warnings of the host and the agent, or what
/// `DUNLIN_LOG` says (`info`, `debug`, `dunlin_lattice=trace`, …). Mistakes and conditions are shown by the commands.
pub(crate) fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}

/// As [`log_to_stderr`], line by line and without times, to somebody who shows it. What finds no room is dropped.
pub(crate) fn log_to(lines: tokio::sync::mpsc::Sender<String>) {
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_writer(move || Lines(lines.clone()))
        .with_target(false)
        .with_ansi(false)
        .without_time()
        .init();
}

fn filter() -> tracing_subscriber::EnvFilter {
    let chosen = tracing_subscriber::EnvFilter::try_from_env("DUNLIN_LOG");
    chosen.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,dunlin_host=warn,dunlin_agent=warn"))
}

/// Takes in one record at a time, as the log writes them.
struct Lines(tokio::sync::mpsc::Sender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        // Whoever shows them may be slow, or gone.
        let _ = self.0.try_send(text.trim().to_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As [`log_to_stderr`] for `dunlin host`, which says more by itself: what `filter` names, as text or as JSON.
///
/// # Errors
/// A filter or format that is none.
pub(crate) fn log_as_told(filter: &str, format: &str) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|error| WrongInput(format!("log: found {filter:?}: {error}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match format {
        "text" => log.init(),
        "json" => log.json().init(),
        other => return Err(WrongInput(format!("log-format: found {other:?}; expected text or json")).into()),
    }
    Ok(())
}

/// Text in a style; the stream drops the style where it is no terminal.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A URL as it may be shown. What stands before an `@` is left out, even where it is not clear that it is a secret.
pub(crate) fn without_credentials(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => url.to_owned(),
    }
}

/// A line of the result.
pub(crate) fn line(text: impl std::fmt::Display) {
    // Nobody reads any more (`| head`): nothing to do about it, and nothing to say it to.
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Text of the result without a line's end, shown at once.
pub(crate) fn raw(text: impl std::fmt::Display) {
    let mut output = anstream::stdout();
    let _ = write!(output, "{text}").and_then(|()| output.flush());
}

/// A line about the work, not the result.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The result as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<ExitCode> {
    line(serde_json::to_string_pretty(value)?);
    Ok(ExitCode::SUCCESS)
}

/// An error with its causes; the exit code tells wrong input from failure.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    note(format!("{} {error}", styled(BAD.bold(), "error:")));
    for cause in error.chain().skip(1) {
        note(format!("  {} {cause}", styled(DIM, "because")));
    }
    if error.is::<WrongInput>() { ExitCode::from(INVALID) } else { ExitCode::FAILURE }
}

/// Rows as aligned columns, two spaces between them. Styles do not count as width.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, full)| format!("{cell}{}", " ".repeat(full - width(cell))));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// Aligned columns of rows that come one after the other: they only grow.
#[derive(Debug)]
pub(crate) struct Columns {
    widths: Vec<usize>,
}

impl Columns {
    /// Columns that are at least so wide.
    pub(crate) fn of(widths: &[usize]) -> Self {
        Self { widths: widths.to_vec() }
    }

    /// The next row.
    pub(crate) fn row(&mut self, cells: &[String]) -> String {
        self.widths.resize(self.widths.len().max(cells.len()), 0);
        let cells = cells.iter().zip(&mut self.widths).map(|(cell, full)| {
            *full = width(cell).max(*full);
            format!("{cell}{}", " ".repeat(*full - width(cell)))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// Characters that show, without escape sequences.
fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_credentials() {
        for (url, expected) in [
            ("https://me:token@example.com/a", "https://example.com/a"),
            ("https://me:to@k/en@example.com/a", "https://example.com/a"),
            ("https://example.com/a", "https://example.com/a"),
            ("git@example.com:a/b", "git@example.com:a/b"),
            ("/srv/a", "/srv/a"),
        ] {
            assert_eq!(without_credentials(url), expected);
        }
    }

    #[test]
    fn columns_align_whatever_the_style() {
        let rows = vec![vec![styled(BOLD, "a"), "x".into()], vec!["long".into(), "y".into()]];
        let plain: Vec<_> =
            table(&rows).iter().map(|row| anstream::adapter::strip_str(row).to_string()).collect();
        assert_eq!(plain, ["a     x", "long  y"]);
    }
}
