//! Starts one host with its settings, waits for a signal, drains, ends.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use dunlin_host::images::{Code, Images};
use dunlin_host::{Engine, EngineConfig, Host, HostConfig};
use dunlin_lattice::nats::{NatsBus, NatsSettings};
use dunlin_lattice::permissions::Permissions;
use dunlin_lattice::subjects::Subjects;
use dunlin_manifest::HostId;

use crate::dev::Signals;
use crate::host::settings::Settings;
use crate::printer::WrongInput;
use crate::{addresses, parent};

/// Runs it.
///
/// # Errors
/// What the host says when it cannot start.
pub(crate) async fn run(settings: Settings) -> Result<ExitCode> {
    let mut signals = Signals::listen()?;
    if settings.with_parent {
        parent::end_with_parent()?;
    }
    let bus = Arc::new(NatsBus::new(nats(&settings)).map_err(|error| WrongInput(error.to_string()))?);
    tokio::spawn(probe(Arc::clone(&bus), settings.lattice.clone(), settings.id.clone()));
    let (source, grace, addresses) = (settings.source.clone(), settings.grace, settings.addresses.clone());
    let config = config(settings)?;
    let host = Host::start(config, bus, source).await.context("the host cannot start")?;
    if let Some(file) = &addresses {
        addresses::write(file, host.http(), host.admin())?;
    }
    signals.next().await;
    tracing::info!("draining; a second signal ends it at once");
    tokio::select! {
        () = host.drain(grace) => Ok(ExitCode::SUCCESS),
        () = signals.next() => {
            tracing::warn!("ended before the drain was over");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Asks once what the bus denies this host. What is denied shows in the log and among its conditions; a bus that is
/// away says so by itself.
async fn probe(bus: Arc<NatsBus>, lattice: String, id: HostId) {
    let Some(subjects) = Subjects::new(&lattice) else { return };
    match bus.probe(&Permissions::host(&subjects, &id)).await {
        Ok(denied) => {
            denied.iter().for_each(|denied| tracing::error!("{denied}: make new credentials for {id}"))
        }
        Err(error) => tracing::debug!(%error, "the bus could not be asked for permissions"),
    }
}

fn nats(settings: &Settings) -> NatsSettings {
    NatsSettings {
        servers: settings.nats.clone(),
        credentials: settings.credentials.clone(),
        authority: settings.authority.clone(),
        name: format!("dunlin {} {}", settings.lattice, settings.id),
    }
}

fn config(settings: Settings) -> Result<HostConfig> {
    let cache = Some(settings.state.join("compiled"));
    let engine = Engine::new(EngineConfig { cache, ..EngineConfig::default() }).with_context(|| {
        format!("cannot use the state directory {} (choose another with --state)", settings.state.display())
    })?;
    let code =
        settings.wasm.into_iter().map(|(component, file)| (component, Code::File(file.into()))).collect();
    Ok(HostConfig {
        listen: settings.listen,
        admin: settings.admin,
        secrets: settings.secrets,
        labels: settings.labels,
        memory: settings.memory,
        weight: settings.weight,
        provider_urls: settings.provider_urls,
        call_connections: settings.connections,
        stand_ins: settings.stand_ins,
        first: settings.holds_data,
        linger: settings.linger,
        ..HostConfig::new(settings.id, settings.lattice, settings.state, engine, Images::new(code))
    })
}
