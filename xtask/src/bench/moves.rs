//! `cargo xtask bench move`: how long a move takes from its commit, and a failover from the death of a site, on real
//! parts while requests run.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::dev::Dev;
use super::load::median;
use super::servers::wait;
use super::sites::ask;
use crate::shell::{cargo, root, run as run_command, say, target};
use crate::{guests, tools};

/// How often to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Moves there and back.
    #[arg(long, default_value_t = 10)]
    moves: u32,
    /// Deaths of a site.
    #[arg(long, default_value_t = 10)]
    failovers: u32,
    /// Measures this program; without it, a release is built and measured.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// How long a site is dead before another takes over, and how long it is back before that one leaves.
const FAILOVER: &str = "  failover: { after: 10s, to: [aws], back: 3s }\n";

const HOSTS: [&str; 4] = ["gcp-1", "gcp-2", "aws-1", "aws-2"];

/// Measures and prints the table.
///
/// # Errors
/// Something needed is missing, or a server fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let servers =
        [("DUNLIN_NATS_SERVER", tools::nats_server()?), ("DUNLIN_REDIS_SERVER", tools::redis_server()?)];
    guests::run(&guests::Options::only("todo"))?;
    let program = match &options.program {
        Some(program) => program.clone(),
        None => {
            say("building the release");
            run_command(cargo().args(["build", "--release", "--locked", "--package", "dunlin"]))?;
            target().join("release/dunlin")
        }
    };
    let folder = tempfile::tempdir()?;
    let repository = folder.path().join("app");
    make_repository(&repository)?;
    let wasm = format!("todo={}", guests::folder().join("todo.wasm").display());
    let git = repository.display().to_string();
    let arguments = ["--git", git.as_str(), "--hosts", "2", "--wasm", wasm.as_str()];
    let mut dev = Dev::start(&program, &servers, folder, &arguments, HOSTS.len())?;
    settled(&dev, 2, 0)?;

    let requests = Requests::start(&[dev.site("gcp")?, dev.site("aws")?]);
    let mut moves = Vec::new();
    for number in 0..options.moves {
        let (gcp, aws) = if number % 2 == 0 { (0, 2) } else { (2, 0) };
        let (there, here) = (format!("gcp={gcp}"), format!("aws={aws}"));
        dev.dunlin(&repository, &["move", "todo", &there, &here, "--directory", ".", "--commit"])?;
        let committed = Instant::now();
        settled(&dev, gcp, aws)?;
        moves.push(committed.elapsed());
    }
    let during_moves = requests.stop();
    if options.moves % 2 == 1 {
        dev.dunlin(&repository, &["move", "todo", "gcp=2", "aws=0", "--directory", ".", "--commit"])?;
        settled(&dev, 2, 0)?;
    }

    let aws = dev.site("aws")?;
    let mut failovers = Vec::new();
    let mut back = Requests::start(&[]).stop();
    for _ in 0..options.failovers {
        dev.dunlin(&repository, &["kill", "gcp"])?;
        let killed = Instant::now();
        wait("the other site", || ask(aws, "/api").ok())?;
        failovers.push(killed.elapsed());
        let requests = Requests::start(&[aws]);
        dev.dunlin(&repository, &["revive", "gcp"])?;
        dev.read(HOSTS.len())?;
        settled(&dev, 2, 0)?;
        back = back.and(requests.stop());
    }

    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:<10} {:>9} {:>9} {:>9} {:>5}   requests meanwhile",
        "", "median", "fastest", "slowest", "of"
    )?;
    row(&mut out, "move", &moves, during_moves)?;
    row(&mut out, "failover", &failovers, back)?;
    writeln!(
        out,
        "a move: from its commit until every host sees the new replicas ready and the old ones gone"
    )?;
    writeln!(
        out,
        "a failover: from the death of all hosts of a site until the other answers; `after` is 10 s of it;"
    )?;
    writeln!(out, "the requests beside it are those at the other site while home comes back")?;
    Ok(())
}

fn row(out: &mut impl Write, name: &str, times: &[Duration], requests: Tally) -> Result<()> {
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    let most = |pick: fn(f64, f64) -> f64| seconds.iter().copied().reduce(pick).unwrap_or_default();
    writeln!(
        out,
        "{name:<10} {:>7.2} s {:>7.2} s {:>7.2} s {:>5}   {} of {} failed",
        median(seconds.clone()),
        most(f64::min),
        most(f64::max),
        seconds.len(),
        requests.failed,
        requests.all
    )?;
    Ok(())
}

/// The todo application in `gcp`, with a store that both sites reach, as one commit.
fn make_repository(folder: &Path) -> Result<()> {
    std::fs::create_dir(folder)?;
    for file in std::fs::read_dir(root().join("apps/todo/manifests"))? {
        let file = file?.path();
        let name = file.file_name().context("a file without a name")?;
        let text = std::fs::read_to_string(&file)?;
        let text = match name.to_string_lossy().as_ref() {
            "redis.yaml" => text
                .replace("  sites:\n", "  shared: true\n  sites:\n    aws:\n      url: redis://redis:6379\n"),
            "todo.yaml" => text.replace("replicas: 1", "replicas: 0") + FAILOVER,
            _ => text,
        };
        std::fs::write(folder.join(name), text)?;
    }
    for arguments in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["config", "user.name", "Bench"],
        &["config", "user.email", "bench@example.com"],
        &["add", "--all"],
        &["commit", "--quiet", "--message", "The todo application"],
    ] {
        run_command(Command::new("git").args(arguments).current_dir(folder))?;
    }
    Ok(())
}

/// Waits until every host sees so many ready replicas, and no others.
fn settled(dev: &Dev, gcp: u64, aws: u64) -> Result<()> {
    for host in HOSTS {
        let admin = dev.admin(host)?;
        wait(&format!("gcp={gcp} aws={aws} at {host}"), || {
            let status = ask(admin, "/v1/status").ok()?;
            let ready = |site: &str| ready(&status, site);
            (ready("gcp") == gcp && ready("aws") == aws).then_some(())
        })?;
    }
    Ok(())
}

fn ready(status: &Value, site: &str) -> u64 {
    status["components"]["todo"]["sites"][site]["ready"].as_u64().unwrap_or(0)
}

/// Requests and failures.
#[derive(Clone, Copy, Default)]
struct Tally {
    all: u64,
    failed: u64,
}

impl Tally {
    fn and(self, other: Self) -> Self {
        Self { all: self.all + other.all, failed: self.failed + other.failed }
    }
}

/// Two clients at each address, one request after the other.
struct Requests {
    stop: Arc<AtomicBool>,
    all: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Requests {
    fn start(addresses: &[SocketAddr]) -> Self {
        let (stop, all, failed): (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>) = Default::default();
        let client = |address: SocketAddr| {
            let (stop, all, failed) = (Arc::clone(&stop), Arc::clone(&all), Arc::clone(&failed));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let well = ask(address, "/api").is_ok();
                    all.fetch_add(1, Ordering::Relaxed);
                    failed.fetch_add(u64::from(!well), Ordering::Relaxed);
                }
            })
        };
        let clients = addresses.iter().flat_map(|address| [*address, *address]).map(client).collect();
        Self { stop, all, failed, clients }
    }

    fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            // One that broke off counted what it had asked.
            let _ = client.join();
        }
        Tally { all: self.all.load(Ordering::Relaxed), failed: self.failed.load(Ordering::Relaxed) }
    }
}
