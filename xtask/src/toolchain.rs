//! The toolchain for guests: which of the two ways can build WebAssembly here, and how to get one.
//!
//! Either rustup's `wasm32-wasip2` target, which makes components by itself; or any `rustc` that has the
//! source of its standard library beside it (Debian's `rustc-web` with `rust-web-src`): that builds core
//! modules for `wasm32-unknown-unknown`, which are then encoded as components here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::shell::{cargo, is_there, root, run, say};

/// The packages of Debian that hold a `rustc` and the source of its standard library.
const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// How a guest is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// With the target `wasm32-wasip2`, as rustup installs it.
    Wasip2,
    /// With the standard library built from source for `wasm32-unknown-unknown`, then encoded.
    Web,
}

/// A way together with what it needs, found on this machine.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// Nothing beyond cargo.
    Wasip2,
    /// A compiler with its library's source, and a linker.
    Web { rustc: PathBuf, linker: PathBuf },
}

impl Toolchain {
    /// Finds a toolchain, the forced one if a way is given; installs one where that is possible.
    pub(crate) fn find(forced: Option<Way>) -> Result<Self> {
        if let Some(found) = Self::look(forced)? {
            return Ok(found);
        }
        install(forced)?;
        match Self::look(forced)? {
            Some(found) => Ok(found),
            None => bail!("no toolchain for WebAssembly components: {}", advice(forced)),
        }
    }

    fn look(forced: Option<Way>) -> Result<Option<Self>> {
        if forced != Some(Way::Web) && has_wasip2() {
            return Ok(Some(Self::Wasip2));
        }
        if forced == Some(Way::Wasip2) {
            return Ok(None);
        }
        let Some((rustc, sysroot)) = rustc_with_source() else { return Ok(None) };
        let linker = linker(&sysroot).context(
            "no linker for WebAssembly: neither rust-lld in a Rust toolchain nor wasm-ld on the path; \
             `apt-get install lld` has one",
        )?;
        Ok(Some(Self::Web { rustc, linker }))
    }

    /// The way this is.
    pub(crate) fn way(&self) -> Way {
        match self {
            Self::Wasip2 => Way::Wasip2,
            Self::Web { .. } => Way::Web,
        }
    }

    /// The target triple, which is also the folder cargo builds into.
    pub(crate) fn target(&self) -> &'static str {
        match self {
            Self::Wasip2 => "wasm32-wasip2",
            Self::Web { .. } => "wasm32-unknown-unknown",
        }
    }

    /// `cargo build --release` for this toolchain, in the workspace at `folder`.
    pub(crate) fn build(&self, folder: &Path) -> Command {
        let mut command = cargo();
        command.current_dir(folder);
        // Flags and wrappers meant for the host's own code would only harm here.
        for name in ["RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_BUILD_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
            command.env_remove(name);
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", flags());
        command.args(["build", "--release", "--locked", "--target", self.target()]);
        if let Self::Web { rustc, linker } = self {
            // The source of the library is built with the compiler that it belongs to, which stable
            // compilers allow only when asked like this.
            command.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            command.args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
        }
        command
    }
}

/// Paths of this machine stay out of the component: panics would carry them.
fn flags() -> OsString {
    let mut flags = OsString::from("--remap-path-prefix=");
    flags.push(root());
    flags.push("=dunlin");
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    if let Some(home) = home {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(home);
        flags.push("=cargo");
    }
    flags
}

/// Whether rustup, or whoever provides the compiler, has the target with its standard library.
fn has_wasip2() -> bool {
    ask(Path::new("rustc"), &["--print", "target-libdir", "--target", "wasm32-wasip2"])
        .and_then(|folder| std::fs::read_dir(folder).ok())
        .is_some_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        })
}

/// The first compiler on the path, and its sysroot, that has the source of its standard library.
fn rustc_with_source() -> Option<(PathBuf, PathBuf)> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("rustc")).filter(|rustc| rustc.is_file()).find_map(
        |rustc| {
            let sysroot = PathBuf::from(ask(&rustc, &["--print", "sysroot"])?);
            sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file().then_some((rustc, sysroot))
        },
    )
}

/// A linker for WebAssembly: the compiler's own, the active toolchain's, or LLVM's on the path.
fn linker(sysroot: &Path) -> Option<PathBuf> {
    let active = ask(Path::new("rustc"), &["--print", "sysroot"]).map(PathBuf::from);
    let own = [Some(sysroot.to_path_buf()), active].into_iter().flatten().flat_map(|sysroot| {
        let hosts = std::fs::read_dir(sysroot.join("lib/rustlib")).into_iter().flatten().flatten();
        hosts.map(|host| host.path().join("bin/rust-lld")).collect::<Vec<_>>()
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system: Vec<PathBuf> = std::env::split_paths(&path)
        .flat_map(|folder| ["rust-lld", "wasm-ld"].map(|name| folder.join(name)))
        .collect();
    // Debian's rust-lld may be a link that leads nowhere; `is_file` follows it.
    own.chain(system).find(|linker| linker.is_file())
}

/// What `rustc` answers, if it is there and succeeds.
fn ask(rustc: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(rustc).args(arguments).current_dir(root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Installs Debian's packages where we are root, saying so; elsewhere says what to install.
fn install(forced: Option<Way>) -> Result<()> {
    if forced != Some(Way::Wasip2) && is_there("apt-get") && is_root() {
        say(&format!("installing {} with apt-get", DEBIAN_PACKAGES.join(" and ")));
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        run(apt.args(["update", "--quiet", "--quiet"]))?;
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "--yes", "--quiet", "--quiet"]);
        return run(apt.arg("--no-install-recommends").args(DEBIAN_PACKAGES));
    }
    // A Rust toolchain is its owner's, and others may build with it: it is not changed here, only what to do is said.
    bail!("no toolchain for WebAssembly components: {}", advice(forced))
}

fn is_root() -> bool {
    let user = Command::new("id").arg("-u").output();
    user.is_ok_and(|user| user.stdout.trim_ascii() == b"0")
}

fn advice(forced: Option<Way>) -> String {
    let debian = format!("`apt-get install {}`", DEBIAN_PACKAGES.join(" "));
    match forced {
        Some(Way::Wasip2) => "run `rustup target add wasm32-wasip2`".to_owned(),
        Some(Way::Web) => format!("run {debian} on Debian, or `rustup component add rust-src`"),
        None => format!("run `rustup target add wasm32-wasip2` (or, on Debian, {debian})"),
    }
}
