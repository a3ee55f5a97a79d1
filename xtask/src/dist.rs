//! `cargo xtask dist`: a stripped release archive with its checksums.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::guests;
use crate::shell::{cargo, root, run, say, target};

/// Builds the release and packs it as `target/dist/dunlin-<version>-<platform>.tar.gz`, beside `SHA256SUMS`.
///
/// # Errors
/// A build or a packing program that failed, by name.
pub(crate) fn run_dist() -> Result<()> {
    guests::run(&guests::Options::only("todo"))?;
    say("building the release");
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "dunlin"]);
    run(build.env("DUNLIN_TODO_WASM", guests::folder().join("todo.wasm")))?;

    let name = format!("dunlin-{}-{}", env!("CARGO_PKG_VERSION"), platform()?);
    let dist = target().join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(target().join("release/dunlin"), folder.join("dunlin"))?;
    for file in ["LICENSE", "README.md", "CHANGELOG.md"] {
        std::fs::copy(root().join(file), folder.join(file)).with_context(|| format!("{file} is missing"))?;
    }
    let archive = format!("{name}.tar.gz");
    // The same input gives the same archive, byte for byte.
    let order = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"];
    run(Command::new("tar")
        .args(order)
        .args(["--use-compress-program=gzip -n9", "-cf", &archive, &name])
        .current_dir(&dist))?;
    let mut sums = String::new();
    let output = Command::new("sha256sum").arg(&archive).current_dir(&dist).output();
    let output = output.context("sha256sum is missing; it is in coreutils")?;
    if !output.status.success() {
        bail!("sha256sum failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    sums.write_str(&String::from_utf8_lossy(&output.stdout))?;
    std::fs::write(dist.join("SHA256SUMS"), sums)?;
    let size = std::fs::metadata(dist.join(&archive))?.len();
    say(&format!("{} ({:.1} MiB)", dist.join(archive).display(), size as f64 / f64::from(1 << 20)));
    Ok(())
}

/// The platform's name as rustc gives it, such as `x86_64-unknown-linux-gnu`.
fn platform() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc is missing")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}
