//! Builds the WebAssembly components: the test guests and the todo application.
//!
//! Cargo decides what is stale; a component is made again when its module or the way has changed.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use wit_component::ComponentEncoder;

use crate::shell::{self, root, say, target};
use crate::toolchain::{Toolchain, Way};

/// Every component, by the workspace that it is built in.
const WORKSPACES: [(&str, &[&str]); 2] = [
    ("apps/todo", &["todo"]),
    (
        "guests",
        &[
            "hello",
            "hello-p3",
            "hostile",
            "hostile-p3",
            "keyvalue",
            "keyvalue2",
            "calls",
            "configured",
            "outbound",
            "greeter",
            "importer",
            "unlinked",
        ],
    ),
];

/// Which components, and how.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Build this one only; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Build in this way, instead of the first that the machine has.
    #[arg(long)]
    way: Option<Way>,
}

impl Options {
    /// One component, in whichever way there is.
    pub(crate) fn only(name: &str) -> Self {
        Self { only: vec![name.to_owned()], way: None }
    }

    fn names(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// Where the components are: `<name>.wasm` in this folder.
pub(crate) fn folder() -> PathBuf {
    target().join("guests")
}

/// Builds what the options name.
pub(crate) fn run(options: &Options) -> Result<()> {
    let known: Vec<&str> = WORKSPACES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    if let Some(unknown) = options.only.iter().find(|only| !known.contains(&only.as_str())) {
        bail!("no guest is called {unknown}; there are: {}", known.join(", "));
    }
    let toolchain = Toolchain::find(options.way)?;
    // A folder of its own: the guests' profile and compiler differ from the host's.
    let build = target().join("guest-build");
    std::fs::create_dir_all(folder()).with_context(|| format!("cannot make {}", folder().display()))?;
    for (workspace, names) in WORKSPACES {
        let names: Vec<&str> = names.iter().copied().filter(|name| options.names(name)).collect();
        if names.is_empty() {
            continue;
        }
        say(&format!("building {} for {}", names.join(", "), toolchain.target()));
        let mut command = toolchain.build(&root().join(workspace));
        command.env("CARGO_TARGET_DIR", &build);
        command.args(names.iter().flat_map(|name| ["--package", name]));
        shell::run(&mut command)?;
        for name in names {
            let module = format!("{}.wasm", name.replace('-', "_"));
            finish(&toolchain, name, &build.join(toolchain.target()).join("release").join(module))?;
        }
    }
    Ok(())
}

/// Makes the component of `name` from what cargo built, unless it is there already.
fn finish(toolchain: &Toolchain, name: &str, built: &Path) -> Result<()> {
    let component = folder().join(format!("{name}.wasm"));
    let stamp = folder().join(format!(".{name}.stamp"));
    let state = state(toolchain.way(), built)?;
    if component.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == state) {
        return Ok(());
    }
    let module = std::fs::read(built)?;
    let bytes = match toolchain.way() {
        Way::Wasip2 => module,
        Way::Web => ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .and_then(|encoder| encoder.encode())
            .with_context(|| format!("cannot make a component of {}", built.display()))?,
    };
    // Whoever reads it meets the old component or the new one, never half of one.
    let partial = folder().join(format!(".{name}.partial"));
    std::fs::write(&partial, &bytes).with_context(|| format!("cannot write {}", partial.display()))?;
    std::fs::rename(&partial, &component)?;
    std::fs::write(&stamp, state)?;
    say(&format!("{}  {} KB", component.display(), bytes.len().div_ceil(1024)));
    Ok(())
}

/// Tells one state of what cargo built from another.
fn state(way: Way, built: &Path) -> Result<String> {
    let metadata =
        std::fs::metadata(built).with_context(|| format!("cargo did not make {}", built.display()))?;
    let changed = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    Ok(format!("{way:?} {} {changed}\n", metadata.len()))
}
