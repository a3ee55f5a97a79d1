//! `cargo xtask bench call`: a component's get from a store on another host, beside the NATS client alone over the same
//! servers, A B A B.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::load::median;
use super::sites::{Sites, ask};
use crate::shell::{cargo, run as run_command, say, target};
use crate::{guests, tools};

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pairs of bursts for each line of the table.
    #[arg(long, default_value_t = 5)]
    pairs: u32,
    /// Calls of each burst, over all that are in flight.
    #[arg(long, default_value_t = 6400)]
    calls: u32,
}

/// Where the caller is; the store is on `gcp-1`.
const PLACES: [(&str, &str, &str); 2] = [("same site", "gcp", "gcp-2"), ("other site", "aws", "aws-1")];
const LENGTHS: [u32; 2] = [16, 16 << 10];
const IN_FLIGHT: [u32; 2] = [1, 64];

/// What one burst came to.
#[derive(Clone, Copy)]
struct Figures {
    /// Median of all calls in microseconds.
    p50: f64,
    /// Calls a second.
    rate: f64,
}

/// Measures and prints the table.
///
/// # Errors
/// Something needed is missing, or a server fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let nats = tools::nats_server()?;
    guests::run(&guests::Options::only("calls"))?;
    say("building the release");
    run_command(cargo().args(["build", "--release", "--locked", "--package", "dunlin"]))?;
    let plain = ["build", "--release", "--locked", "--package", "dunlin-lattice", "--example", "plain"];
    run_command(cargo().args(plain))?;
    let sites = Sites::start(&target().join("release/dunlin"), &nats, &guests::folder().join("calls.wasm"))?;
    let plain = target().join("release/examples/plain");
    let mut out = std::io::stdout();
    let head = format!("{:>10} {:>10}", "p50 us", "calls/s");
    writeln!(out, "{:>10} {:>7} {:>9}  {:>21}  {:>21}  {:>13}", "", "", "", "dunlin", "plain NATS", "ratio")?;
    writeln!(
        out,
        "{:>10} {:>7} {:>9}  {head}  {head}  {:>6} {:>6}",
        "store in", "bytes", "in flight", "p50", "rate"
    )?;
    for (place, site, host) in PLACES {
        for length in LENGTHS {
            let answering = Answering::start(&plain, &sites, length)?;
            ask(sites.address(host)?, &format!("/set?key=k{length}&bytes={length}"))?;
            for in_flight in IN_FLIGHT {
                // One after the other takes longer.
                let each = (options.calls / in_flight.max(4)).max(1);
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                for pair in 0..=options.pairs {
                    let dunlin = through_hosts(&sites, host, length, each, in_flight)?;
                    let nats = answering.asked(&sites, site, host, each, in_flight)?;
                    // The first pair warms caches and is not counted.
                    if pair > 0 {
                        ours.push(dunlin);
                        theirs.push(nats);
                    }
                }
                let ratio = |pick: fn(&Figures) -> f64| {
                    median(ours.iter().zip(&theirs).map(|(ours, theirs)| pick(ours) / pick(theirs)).collect())
                };
                writeln!(
                    out,
                    "{place:>10} {length:>7} {in_flight:>9}  {}  {}  {:>6.2} {:>6.2}",
                    row(&ours),
                    row(&theirs),
                    ratio(|figures| figures.p50),
                    ratio(|figures| figures.rate)
                )?;
            }
        }
    }
    writeln!(out, "medians of {} bursts each, in turn", options.pairs)?;
    Ok(())
}

fn row(figures: &[Figures]) -> String {
    let middle = |pick: fn(&Figures) -> f64| median(figures.iter().map(pick).collect());
    format!("{:>10.0} {:>10.0}", middle(|figures| figures.p50), middle(|figures| figures.rate))
}

/// So many requests at once to `host`, whose guest makes `each` calls for every one of them.
fn through_hosts(sites: &Sites, host: &str, length: u32, each: u32, in_flight: u32) -> Result<Figures> {
    let (address, path) = (sites.address(host)?, format!("/get?key=k{length}&times={each}"));
    let begun = Instant::now();
    let requests: Vec<_> = (0..in_flight)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || ask(address, &path))
        })
        .collect();
    let mut middles = Vec::new();
    let mut longest = 0.0_f64;
    for request in requests {
        let Ok(answer) = request.join() else { bail!("a request ended in a panic") };
        let answer = answer?;
        let number = |field: &str| answer[field].as_f64().with_context(|| format!("no {field} in {answer}"));
        middles.push(number("p50")? / 1000.0);
        longest = longest.max(number("total")?);
    }
    // One alone is timed by the guest, many by their wall clock.
    let seconds = if in_flight == 1 { longest / 1e9 } else { begun.elapsed().as_secs_f64() };
    Ok(Figures { p50: median(middles), rate: f64::from(each * in_flight) / seconds })
}

/// A process at `gcp` that answers under the name of a host that was ended.
struct Answering {
    child: Child,
    plain: PathBuf,
}

impl Drop for Answering {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

impl Answering {
    fn start(plain: &Path, sites: &Sites, length: u32) -> Result<Self> {
        let mut command = Command::new(plain);
        command.arg("answer").args(sites.identity("gcp", "gcp-3")?);
        command.args(["bench.call.gcp.gcp-3.*.*.*.*", &length.to_string()]);
        let child = command.stdin(Stdio::null()).spawn().context("cannot start the plain answerer")?;
        Ok(Self { child, plain: plain.to_owned() })
    }

    /// Asks it from `site` in the name of `host`.
    fn asked(&self, sites: &Sites, site: &str, host: &str, each: u32, in_flight: u32) -> Result<Figures> {
        let mut command = Command::new(&self.plain);
        command.arg("ask").args(sites.identity(site, host)?).arg(format!("bench.reply.{site}.{host}"));
        command.arg(format!("bench.call.gcp.gcp-3.{site}.{host}.memory.plain"));
        let output = command.args([each.to_string(), in_flight.to_string()]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let &[middle, total] = numbers.as_slice() else {
            bail!("plain requests failed: {text}{}", String::from_utf8_lossy(&output.stderr));
        };
        let total = Duration::from_nanos(total as u64);
        Ok(Figures { p50: middle / 1000.0, rate: f64::from(each * in_flight) / total.as_secs_f64() })
    }
}
