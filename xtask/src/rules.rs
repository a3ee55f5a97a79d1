//! The repository's own rules, as code: arrows between crates, size and shape of files, words that must not stand.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{root, say};

/// Which of our crates each of our crates may depend on. ARCHITECTURE.md draws the same picture.
const ARROWS: &[(&str, &[&str])] = &[
    ("manifest", &[]),
    ("providers", &[]),
    ("placement", &["manifest"]),
    ("source", &["manifest"]),
    ("lattice", &["manifest"]),
    ("credentials", &["lattice", "manifest"]),
    ("runtime", &["providers"]),
    ("agent", &["lattice", "manifest", "placement"]),
    ("host", &["agent", "lattice", "manifest", "placement", "providers", "runtime", "source"]),
    ("testkit", &[]),
    ("cli", &["agent", "credentials", "host", "lattice", "manifest", "placement", "providers", "source"]),
];

/// The one file that may load machine code that was not just compiled.
const UNSAFE_FILE: &str = "crates/runtime/src/";

const LONGEST_FILE: usize = 450;

/// Checks every rule and names every offence.
///
/// # Errors
/// The list of offences, one a line: where, and what to do.
pub(crate) fn run() -> Result<()> {
    let mut offences = Vec::new();
    for (name, allowed) in ARROWS {
        arrows(name, allowed, &mut offences)?;
    }
    let mut unsafe_files = Vec::new();
    for file in tracked()? {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        if file.ends_with(".rs") {
            shape(&file, &text, &mut offences);
            if text.contains(concat!("allow(unsafe", "_code)")) {
                unsafe_files.push(file.clone());
            }
        }
        if file.ends_with(".md") {
            links(&file, &text, &mut offences);
        }
        words(&file, &text, &mut offences);
    }
    if unsafe_files.len() > 1 || unsafe_files.iter().any(|file| !file.starts_with(UNSAFE_FILE)) {
        offences.push(format!(
            "unsafe code belongs in one file of {UNSAFE_FILE} alone, not in {}",
            unsafe_files.join(", ")
        ));
    }
    if offences.is_empty() {
        say("the rules of the repository hold");
        return Ok(());
    }
    bail!("rules are broken:\n  {}", offences.join("\n  "))
}

/// The files that git tracks or would track.
fn tracked() -> Result<Vec<String>> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .context("the rules need git to list the files")?;
    Ok(String::from_utf8_lossy(&listing.stdout).lines().map(str::to_owned).collect())
}

fn arrows(name: &str, allowed: &[&str], offences: &mut Vec<String>) -> Result<()> {
    let file = root().join("crates").join(name).join("Cargo.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let normal = text.split("[dev-dependencies]").next().unwrap_or_default();
    for line in normal.lines() {
        let Some(rest) = line.strip_prefix("dunlin-") else { continue };
        let target: String = rest.chars().take_while(|letter| letter.is_ascii_lowercase()).collect();
        if !allowed.contains(&target.as_str()) {
            offences.push(format!("crates/{name}/Cargo.toml: must not depend on {target} (arrows point one way, see ARCHITECTURE.md)"));
        }
    }
    Ok(())
}

fn shape(file: &str, text: &str, offences: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        offences.push(format!(
            "{file}: {lines} lines; is there more than one idea in it? (at most {LONGEST_FILE})"
        ));
    }
    let says_what_for = text.lines().take(12).any(|line| line.starts_with("//!"));
    if !says_what_for && !file.starts_with("guests/") {
        offences.push(format!("{file}: begin with a `//!` line that says what it is for"));
    }
    for stub in [concat!("todo", "!("), concat!("unimplemented", "!(")] {
        if text.contains(stub) {
            offences.push(format!("{file}: {stub} stands for work that is not done"));
        }
    }
}

/// What a page points at within the repository must be there.
fn links(file: &str, text: &str, offences: &mut Vec<String>) {
    let folder = root().join(file).parent().map_or_else(root, Path::to_path_buf);
    for part in text.split("](").skip(1) {
        let target = part.split([')', '#', ' ']).next().unwrap_or_default();
        if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
            offences.push(format!("{file}: points at {target}, which is not there"));
        }
    }
}

/// What names one machine or one registry's address has no place in the project.
fn words(file: &str, text: &str, offences: &mut Vec<String>) {
    if Path::new(file).extension().is_some_and(|extension| extension == "lock")
        || file.ends_with("package-lock.json")
    {
        if text.contains("\"resolved\"") {
            offences.push(format!(
                "{file}: names the registry it was made from; set omit-lockfile-registry-resolved=true"
            ));
        }
        return;
    }
    let forbidden = [
        concat!("registry.npm", "js"),
        concat!("proxy.gol", "ang.org"),
        concat!("deb.debian", ".org"),
        concat!("static.crates", ".io"),
        concat!("/home", "/runner"),
        concat!("/root", "/."),
    ];
    for word in forbidden {
        if text.contains(word) {
            offences.push(format!("{file}: names {word}, which belongs to one machine or one mirror"));
        }
    }
}
