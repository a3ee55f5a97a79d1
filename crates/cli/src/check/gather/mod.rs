//! Gathers what `dunlin check` judges: everything at the same time, and nothing for longer than its limit.

mod ask;
mod entry;
mod greeting;
mod hosts;
mod routes;
mod trust;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dunlin_credentials::{CertificateFacts, Credentials, UserFacts};
use dunlin_manifest::KeyValueBackend;
use futures::future::join_all;

use super::facts::{Facts, ServerFacts, Trust};
use super::target::{Server, Target};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long whatever is connected may say nothing.
const SILENCE: Duration = Duration::from_secs(2);

/// Looks at everything that `target` names.
pub(crate) async fn gather(target: &Target) -> Facts {
    let lattice = async {
        let hosts = join_all(target.hosts.iter().map(|(id, address)| hosts::ask(id.clone(), address))).await;
        // Which routes there are is for hosts to say.
        let routes = routes::ask_all(&target.ingress, &hosts).await;
        (hosts, routes)
    };
    let servers = join_all(target.servers.iter().map(|server| look_at(target, server)));
    let ((hosts, routes), servers) = tokio::join!(lattice, servers);
    let files = Files::read(target);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Facts {
        now: i64::try_from(now).unwrap_or(i64::MAX),
        setting: target.setting,
        servers,
        authority: files.authority,
        viewer: files.viewer,
        users: files.users,
        hosts,
        redis: files.redis,
        routes,
    }
}

async fn look_at(target: &Target, server: &Server) -> ServerFacts {
    let look = greeting::look(&server.address, target.authority.as_deref()).await;
    // Credentials are shown to nobody whom we do not trust; and who says nothing will not say more.
    let trusted = look
        .as_ref()
        .is_ok_and(|look| look.tls.as_ref().map_or(!server.address.tls, |tls| tls.trust == Trust::Trusted));
    let entry = if trusted { Some(entry::enter(target, &server.bus).await) } else { None };
    ServerFacts { place: server.place.clone(), address: server.address.to_string(), look, entry }
}

/// What files at hand say.
#[derive(Default)]
struct Files {
    authority: Vec<CertificateFacts>,
    viewer: Option<UserFacts>,
    users: Vec<UserFacts>,
    redis: BTreeSet<String>,
}

impl Files {
    /// Files that connecting needs were read before; what else is missing is not looked at.
    fn read(target: &Target) -> Self {
        let authority = target.authority.as_deref().and_then(|path| CertificateFacts::read(path).ok());
        let viewer = target.credentials.as_deref().and_then(|path| UserFacts::read(path).ok());
        let users = target.credentials.as_deref().and_then(all_users);
        Self {
            authority: authority.unwrap_or_default(),
            viewer,
            users: users.unwrap_or_default(),
            redis: target.manifests.as_deref().map(in_redis).unwrap_or_default(),
        }
    }
}

/// Hosts and leaves, if the viewer's file still lies in the directory where all credentials were made.
fn all_users(viewer: &Path) -> Option<Vec<UserFacts>> {
    let directory = viewer.parent()?.parent()?;
    let users = Credentials::open(directory).ok()?.users().ok()?;
    Some(users.into_iter().filter(|user| !user.name.starts_with("viewer ")).collect())
}

/// Providers that the manifests keep in Redis.
fn in_redis(directory: &Path) -> BTreeSet<String> {
    let Ok((_, reading)) = dunlin_source::read_directory(directory) else { return BTreeSet::new() };
    let providers = reading.snapshot.providers.iter();
    providers
        .filter(|(_, provider)| matches!(provider.spec.keyvalue, KeyValueBackend::Redis(_)))
        .map(|(name, _)| name.clone())
        .collect()
}
