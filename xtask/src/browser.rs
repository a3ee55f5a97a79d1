//! The todo application as a browser sees it: the page and the TodoBackend checks, against two real sites.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{cargo, is_there, root, run, run_reading, say, target};
use crate::tally::Tally;
use crate::{guests, tools};

/// Starts `dunlin dev` on free ports and runs the suites of `apps/todo/tests` against it.
pub(crate) fn test(tally: &mut Tally) -> Result<()> {
    if !is_there("npm") {
        tools::debian("npm", "npm")?;
    }
    if !is_there("chromium") && !is_there("google-chrome") {
        tools::debian("chromium", "chromium")?;
    }
    let folder = root().join("apps/todo/tests");
    if !folder.join("node_modules").is_dir() {
        say("installing what the browser tests need");
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    }
    // The same build as that of the tests: another selection of packages would build the engine once more.
    run(cargo().args(["test", "--workspace", "--locked", "--no-run", "--quiet"]))?;
    let mut suites = Command::new("npm");
    suites
        .args(["test", "--silent"])
        .current_dir(&folder)
        .env("DUNLIN", target().join("debug/dunlin"))
        .env("DUNLIN_GUESTS", guests::folder());
    let mut said = Tally::default();
    let well = run_reading(&mut suites, |line| said.node_line(line))?;
    tally.add(&said);
    if well { Ok(()) } else { bail!("{} checks failed in the browser", said.failed.max(1)) }
}
