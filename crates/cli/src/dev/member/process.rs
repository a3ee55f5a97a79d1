//! A host that is a process of its own: `dunlin host`, started with what `dunlin dev` knows.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dunlin_host::status::Status;
use dunlin_manifest::HostId;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::addresses::{self, Addresses};
use crate::client;
use crate::dev::real::Process;
use crate::dev::repository::Repository;

/// What a host is started with, as flags of `dunlin host`.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) id: HostId,
    pub(crate) lattice: String,
    pub(crate) manifests: PathBuf,
    /// Followed instead of the manifests.
    pub(crate) repository: Option<Repository>,
    pub(crate) state: PathBuf,
    pub(crate) nats: String,
    pub(crate) credentials: PathBuf,
    pub(crate) authority: PathBuf,
    pub(crate) secrets: Option<PathBuf>,
    pub(crate) wasm: Vec<(String, PathBuf)>,
    pub(crate) provider_urls: Vec<(String, String)>,
    pub(crate) holds_data: bool,
    pub(crate) stand_ins: bool,
    pub(crate) grace: Duration,
}

/// A running `dunlin host`.
#[derive(Debug)]
pub(crate) struct ProcessHost {
    process: Process,
    addresses: Addresses,
    last: watch::Receiver<Option<(Instant, Arc<Status>)>>,
    _looking: AbortOnDropHandle<()>,
}

/// How often it is asked for its status.
const LOOK: Duration = Duration::from_millis(100);
/// A status older than this says nothing of now.
const FRESH: Duration = Duration::from_secs(1);
/// Settings of a host that are no flags.
const CONFIG: &str = "host.toml";
const STARTING: Duration = Duration::from_secs(30);

impl ProcessHost {
    /// Starts it; it answers on its ports when this returns.
    ///
    /// # Errors
    /// It ends at once, or does not listen in time; with what it said.
    pub(crate) async fn start(settings: &Settings) -> Result<Self> {
        let folder = &settings.state;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let file = folder.join("addresses.json");
        // What a former process left there is not this one's.
        let _ = std::fs::remove_file(&file);
        let myself = std::env::current_exe().context("cannot find myself")?;
        if let Some(repository) = &settings.repository {
            write_private(&folder.join(CONFIG), &config(repository))?;
        }
        let mut process = Process::start(&myself, arguments(settings, &file), &folder.join("host.log"))?;
        let listening = process.wait_until(STARTING, async || addresses::read(&file));
        let addresses = listening.await.with_context(|| format!("host {} does not start", settings.id))?;
        let (sender, last) = watch::channel(None);
        let looking = AbortOnDropHandle::new(tokio::spawn(look(addresses.admin, sender)));
        Ok(Self { process, addresses, last, _looking: looking })
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.addresses.http
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.addresses.admin
    }

    /// What it said last, if that is not long ago.
    pub(crate) fn status(&self) -> Option<Arc<Status>> {
        let last = self.last.borrow();
        last.as_ref().filter(|(when, _)| when.elapsed() < FRESH).map(|(_, status)| Arc::clone(status))
    }

    /// Requests and failures, as it counted them last.
    pub(crate) fn requests(&self) -> (u64, u64) {
        let last = self.last.borrow();
        last.as_ref().map_or((0, 0), |(_, status)| (status.own.requests, status.own.failures))
    }

    pub(crate) fn kill(self) {
        self.process.kill();
    }

    pub(crate) async fn stop(self, grace: Duration) {
        self.process.stop(grace + Duration::from_secs(1)).await;
    }

    /// Whether it ended without being told to.
    pub(crate) fn ended(&mut self) -> bool {
        !self.process.runs()
    }

    /// The process itself, to be frozen and thawed.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}

async fn look(admin: SocketAddr, sender: watch::Sender<Option<(Instant, Arc<Status>)>>) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // One that does not answer has nothing to say; what it said grows old.
        if let Ok(status) = client::get::<Status>(admin, "/v1/status").await {
            sender.send_replace(Some((Instant::now(), Arc::new(status))));
        }
    }
}

/// What is not for a list of processes to show: there may be a password in a URL.
fn config(repository: &Repository) -> String {
    let interval = dunlin_manifest::format_duration(repository.interval());
    let settings = [
        ("git", Some(repository.url.expose())),
        ("branch", repository.branch.as_deref()),
        ("path", Some(repository.path.as_str())),
        ("interval", Some(&interval)),
    ];
    let given = settings
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    // A string of JSON is one of TOML.
    given.map(|(name, value)| format!("{name} = {}\n", serde_json::Value::from(value))).collect()
}

fn write_private(file: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", file.display()))
}

fn arguments(settings: &Settings, addresses: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["host".into()];
    let mut flag = |name: &str, value: &dyn AsRef<std::ffi::OsStr>| {
        let mut argument = OsString::from(format!("--{name}="));
        argument.push(value);
        arguments.push(argument);
    };
    flag("lattice", &settings.lattice);
    flag("site", &settings.id.site);
    flag("host", &settings.id.host);
    match &settings.repository {
        Some(_) => flag("config", &settings.state.join(CONFIG)),
        None => flag("manifests", &settings.manifests),
    }
    flag("state", &settings.state);
    flag("nats", &settings.nats);
    flag("credentials", &settings.credentials);
    flag("authority", &settings.authority);
    flag("listen", &"127.0.0.1:0");
    flag("admin", &"127.0.0.1:0");
    flag("addresses", &addresses);
    flag("grace", &dunlin_manifest::format_duration(settings.grace));
    flag("linger", &"300ms");
    flag("holds-data", &settings.holds_data.to_string());
    flag("stand-ins", &settings.stand_ins.to_string());
    flag("with-parent", &"true");
    if let Some(secrets) = &settings.secrets {
        flag("secrets", secrets);
    }
    for (component, file) in &settings.wasm {
        flag("wasm", &format!("{component}={}", file.display()));
    }
    for (provider, url) in &settings.provider_urls {
        flag("provider-url", &format!("{provider}={url}"));
    }
    arguments
}
