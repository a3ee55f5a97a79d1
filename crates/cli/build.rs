//! Puts the todo application's manifests, and its component where it has been built, into the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Both are relative to the package, and the manifests' text is written out, not their place: what one clone built in a
    // shared target directory then holds for another.
    let manifests = Path::new("../../apps/todo/manifests");
    println!("cargo::rerun-if-changed={}", manifests.display());
    println!("cargo::rerun-if-env-changed=DUNLIN_TODO_WASM");

    let mut code = String::from("const MANIFESTS: &[(&str, &str)] = &[\n");
    let mut files: Vec<PathBuf> =
        fs::read_dir(manifests)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(code, "    ({name:?}, {:?}),", fs::read_to_string(file)?);
    }
    code.push_str("];\n");
    // `cargo xtask dist` names the component; other builds do without.
    match env::var("DUNLIN_TODO_WASM").ok().filter(|path| !path.is_empty()) {
        Some(path) => {
            println!("cargo::rerun-if-changed={path}");
            let _ = writeln!(code, "const TODO_WASM: Option<&[u8]> = Some(include_bytes!({path:?}));");
        }
        None => code.push_str("const TODO_WASM: Option<&[u8]> = None;\n"),
    }
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| io::Error::other("no OUT_DIR"))?;
    fs::write(out.join("built_in.rs"), code)
}
