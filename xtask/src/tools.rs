//! Tools that the checks need, installed where a package manager is there, named plainly where not.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{cargo, is_there, run, say};

/// Makes sure that `cargo deny` can be called.
pub(crate) fn cargo_deny() -> Result<()> {
    if is_there("cargo-deny") || cargo_bin("cargo-deny") {
        return Ok(());
    }
    say("installing cargo-deny");
    let mut install = cargo();
    install.args(["install", "--locked", "--quiet", "cargo-deny@0.20.2", "--no-default-features"]);
    // A development build does for one check, and is there in a third of the time.
    run(install.arg("--debug").env_remove("CARGO_TARGET_DIR"))
}

/// Makes sure that `program` is on the path, from Debian's `package` where that can be installed.
pub(crate) fn debian(program: &str, package: &str) -> Result<()> {
    if is_there(program) {
        return Ok(());
    }
    if !is_there("apt-get") {
        bail!("{program} is missing: install it with your package manager (Debian calls it {package})");
    }
    say(&format!("installing {package}"));
    let install = |command: &mut Command| {
        run(command.args(["install", "--yes", "--quiet", package]).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    if install(&mut Command::new("apt-get")).is_ok() {
        return Ok(());
    }
    // A fresh machine has no package lists yet.
    run(Command::new("apt-get").args(["update", "--quiet"]))?;
    install(&mut Command::new("apt-get"))
}

fn cargo_bin(program: &str) -> bool {
    std::env::var_os("CARGO_HOME")
        .map(std::path::PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".cargo")))
        .is_some_and(|home| home.join("bin").join(program).is_file())
}
