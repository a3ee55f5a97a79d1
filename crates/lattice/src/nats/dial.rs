//! One attempt to connect to one server, and what went wrong in words.
//!
//! The client would reconnect by itself, but then it would also keep what was handed to it while nobody was
//! connected, and would tell nobody why it cannot connect. So it is let connect once only: a lost connection ends
//! its task, and whatever was still in its queue is gone with it.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::rustls;
use async_nats::{Client, ConnectError, ConnectErrorKind, Event, ReconnectToServer, ServerAddr};
use std::future::{Ready, ready};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::settings::{Server, Target};
use crate::Subscription;

/// After so long without a word from the server it is asked for one, and again; the third time the connection is
/// given up. So a frozen server is noticed after 4.5 s.
const PING: Duration = Duration::from_millis(1500);
/// How long one address of a server may take to connect and to greet.
const CONNECT: Duration = Duration::from_millis(2500);
/// How long all of it may take, the lookup of the name included.
const ATTEMPT: Duration = Duration::from_secs(4);
/// How many messages may wait for the client to write them.
const COMMANDS: usize = 256;
/// Where nobody listens and connecting fails at once.
const NOWHERE: &str = "nats://127.0.0.1:0";

/// Connects to `server` under `name`: gives the client, and what is cancelled once its connection is lost. `hear` is
/// told what happens meanwhile.
pub(super) async fn dial(
    target: &Target,
    server: &Server,
    name: &str,
    hear: impl Fn(Event) + Send + Sync + 'static,
) -> Result<(Client, CancellationToken), String> {
    let nowhere: ServerAddr = NOWHERE.parse().map_err(|error: io::Error| error.to_string())?;
    let identity = target.identity(server).await.map_err(|error| error.to_string())?;
    let gone = CancellationToken::new();
    let options = identity
        .name(name)
        .ping_interval(PING)
        .connection_timeout(CONNECT)
        .subscription_capacity(Subscription::QUEUE)
        .client_capacity(COMMANDS)
        // What other servers say of themselves may not be reachable from here.
        .ignore_discovered_servers()
        // Subjects were checked before they come here.
        .skip_subject_validation(true)
        .event_callback(move |event| {
            hear(event);
            ready(())
        })
        .max_reconnects(1)
        .reconnect_to_server_callback(once(server.address.clone(), nowhere.clone(), gone.clone()));
    let connecting = options.connect(vec![server.address.clone(), nowhere]);
    // The client logs each failure as an error; here they are said once, as trouble.
    let connecting = timeout(ATTEMPT, connecting).with_subscriber(NoSubscriber::default());
    match connecting.await {
        Ok(Ok(client)) => Ok((client, gone)),
        Ok(Err(error)) => Err(format!("{}: {}", server.shown, words(&error))),
        Err(_) => Err(format!("{}: no answer within {ATTEMPT:?}", server.shown)),
    }
}

/// Sends the client to the server the first time, and nowhere, with no attempts left, when that connection is lost.
fn once(
    server: ServerAddr,
    nowhere: ServerAddr,
    gone: CancellationToken,
) -> impl Fn(Vec<async_nats::Server>, async_nats::ServerInfo) -> Ready<Option<ReconnectToServer>>
+ Send
+ Sync
+ 'static {
    // The client drops this with its task, however that ends.
    let ends = Arc::new(gone.clone().drop_guard());
    let lost = AtomicBool::new(false);
    move |_, _| {
        let _ends = &ends;
        let addr = if lost.swap(true, Ordering::Relaxed) {
            gone.cancel();
            nowhere.clone()
        } else {
            server.clone()
        };
        ready(Some(ReconnectToServer { addr, delay: Some(Duration::ZERO) }))
    }
}

fn words(error: &ConnectError) -> String {
    let source = error.source();
    let told = source.map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            "authorization violation: it does not accept these credentials".to_owned()
        }
        ConnectErrorKind::Authentication => {
            "its challenge cannot be signed with these credentials".to_owned()
        }
        ConnectErrorKind::TimedOut => format!("no answer within {CONNECT:?}"),
        ConnectErrorKind::Dns => format!("its name cannot be resolved: {told}"),
        ConnectErrorKind::Tls => format!("TLS: {told}"),
        ConnectErrorKind::ServerParse | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => {
            match source.and_then(tls) {
                Some(rustls::Error::InvalidCertificate(reason)) => {
                    format!("its certificate is not trusted: {reason}")
                }
                Some(error) => format!("TLS: {error}"),
                None if told.is_empty() => error.to_string(),
                None => told.strip_prefix("nats: ").unwrap_or(&told).to_owned(),
            }
        }
    }
}

fn tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}
