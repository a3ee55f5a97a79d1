//! Tools that the checks need, installed where a package manager is there, named plainly where not.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, is_there, root, run, say, target};

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

/// The nats-server that tests and demo start: the one that `DUNLIN_NATS_SERVER` names, the path's, or one that is
/// installed here, from its Go module where Go is there, else from the distribution's package.
pub(crate) fn nats_server() -> Result<PathBuf> {
    const MODULE: &str = "github.com/nats-io/nats-server/v2@v2.14.9";
    if let Some(named) = std::env::var_os("DUNLIN_NATS_SERVER") {
        return Ok(named.into());
    }
    let folder = target().join("tools/bin");
    let installed = folder.join("nats-server");
    if let Some(found) = on_path("nats-server").or_else(|| installed.is_file().then(|| installed.clone())) {
        return Ok(found);
    }
    if is_there("go") {
        say("installing nats-server with go");
        run(Command::new("go").args(["install", MODULE]).env("GOBIN", &folder).current_dir(root()))?;
        return Ok(installed);
    }
    debian("nats-server", "nats-server")?;
    on_path("nats-server").context("nats-server was installed, but is not on the path")
}

/// The redis-server that tests and demo start: the one that `DUNLIN_REDIS_SERVER` names, the path's, or the
/// distribution's package, installed here.
pub(crate) fn redis_server() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("DUNLIN_REDIS_SERVER") {
        return Ok(named.into());
    }
    debian("redis-server", "redis-server")?;
    on_path("redis-server").context("redis-server was installed, but is not on the path")
}

/// The registry of images that tests start: the one that `DUNLIN_REGISTRY_SERVER` names, the path's, or one that is
/// installed here, from the distribution's package, else from its Go module.
pub(crate) fn registry_server() -> Result<PathBuf> {
    const MODULE: &str = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2";
    if let Some(named) = std::env::var_os("DUNLIN_REGISTRY_SERVER") {
        return Ok(named.into());
    }
    let folder = target().join("tools/bin");
    let installed = folder.join("registry");
    let known = || on_path("docker-registry").or_else(|| installed.is_file().then(|| installed.clone()));
    if let Some(found) = known() {
        return Ok(found);
    }
    if debian("docker-registry", "docker-registry").is_ok()
        && let Some(found) = known()
    {
        return Ok(found);
    }
    if !is_there("go") {
        bail!("a registry is missing: install docker-registry (Debian's package) or Go, which builds one");
    }
    say("installing a registry with go");
    run(Command::new("go").args(["install", MODULE]).env("GOBIN", &folder).current_dir(root()))?;
    Ok(installed)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn cargo_bin(program: &str) -> bool {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join(".cargo")))
        .is_some_and(|home| home.join("bin").join(program).is_file())
}
