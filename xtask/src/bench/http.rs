//! `cargo xtask bench http`: a hello component in a Dunlin host and in `wasmtime serve`, A B A B.

use std::io::Write;

use anyhow::Result;

use super::load::{Figures, burst, median};
use super::servers;
use crate::shell::{cargo, run as run_command, say, target};
use crate::{guests, tools};

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pairs of bursts for each number of connections.
    #[arg(long, default_value_t = 5)]
    pairs: u32,
    /// Seconds of each burst.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// The guest to serve: hello (WASI 0.2) or hello-p3 (WASI 0.3).
    #[arg(long, default_value = "hello")]
    guest: String,
}

const CONNECTIONS: [u32; 3] = [1, 16, 64];

/// Measures and prints the table.
///
/// # Errors
/// Something needed is missing, or a server fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    tools::debian("wrk", "wrk")?;
    guests::run(&guests::Options::only(&options.guest))?;
    say("building the release");
    run_command(cargo().args(["build", "--release", "--locked", "--package", "dunlin"]))?;
    let wasmtime = servers::wasmtime_program()?;
    let wasm = guests::folder().join(format!("{}.wasm", options.guest));

    let ours = servers::dunlin(&target().join("release/dunlin"), &wasm)?;
    let theirs = servers::wasmtime(&wasmtime, &wasm)?;
    let mut out = std::io::stdout();
    if let Some(resident) = ours.resident() {
        writeln!(out, "resident memory at rest: dunlin dev {resident:.0} MiB")?;
    }
    writeln!(out, "{:>11}  {:>31}  {:>31}  {:>5}", "", "dunlin", "wasmtime serve", "")?;
    let head = ["requests/s", "p50 ms", "p99 ms"].map(|text| format!("{text:>10}")).join(" ");
    writeln!(out, "{:>11}  {head}  {head}  {:>5}", "connections", "ratio")?;
    for connections in CONNECTIONS {
        // A first burst of each warms caches and is not counted.
        let (_, _) = (burst(ours.address, connections, 1)?, burst(theirs.address, connections, 1)?);
        let (mut dunlin, mut serve) = (Vec::new(), Vec::new());
        for _ in 0..options.pairs {
            dunlin.push(burst(ours.address, connections, options.seconds)?);
            serve.push(burst(theirs.address, connections, options.seconds)?);
        }
        let ratios = dunlin.iter().zip(&serve).map(|(ours, theirs)| ours.rate / theirs.rate).collect();
        writeln!(out, "{connections:>11}  {}  {}  {:>5.2}", row(&dunlin), row(&serve), median(ratios))?;
    }
    writeln!(out, "medians of {} bursts of {} s each, in turn", options.pairs, options.seconds)?;
    Ok(())
}

fn row(figures: &[Figures]) -> String {
    let middle = |pick: fn(&Figures) -> f64| median(figures.iter().map(pick).collect());
    let rate = middle(|figure| figure.rate);
    format!("{rate:>10.0} {:>10.3} {:>10.3}", middle(|figure| figure.p50), middle(|figure| figure.p99))
}
