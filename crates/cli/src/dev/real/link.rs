//! The stretch of network between a site's leaf and the hub: it takes its time, and it can be cut or fall silent.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Everything arrives.
    Fair,
    /// Connections are reset, new ones too.
    Cut,
    /// Connections stand, but nothing arrives until it is fair again.
    Silent,
}

/// Passes connections on to the hub until dropped.
#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    _accepting: AbortOnDropHandle<()>,
}

impl Link {
    /// Listens on a free port of loopback and passes everything on to `hub`, `distance` later, each way.
    ///
    /// # Errors
    /// No port is to be had.
    pub(crate) async fn start(hub: SocketAddr, distance: Duration) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for a link to the hub")?;
        let address = listener.local_addr()?;
        let weather = watch::Sender::new(Weather::Fair);
        let accepting = tokio::spawn(accept(listener, hub, distance, weather.subscribe()));
        Ok(Self { address, weather, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Where the leaf connects instead of to the hub.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what the network does.
    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn accept(
    listener: TcpListener,
    hub: SocketAddr,
    distance: Duration,
    weather: watch::Receiver<Weather>,
) {
    loop {
        let Ok((leaf, _)) = listener.accept().await else {
            // Out of file descriptors, mostly: give others the time to close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(pass(leaf, hub, distance, weather.clone()));
    }
}

async fn pass(leaf: TcpStream, hub: SocketAddr, distance: Duration, mut weather: watch::Receiver<Weather>) {
    if *weather.borrow_and_update() == Weather::Cut {
        return;
    }
    let Ok(hub) = TcpStream::connect(hub).await else { return };
    let _ = (leaf.set_nodelay(true), hub.set_nodelay(true));
    let ((from_leaf, to_leaf), (from_hub, to_hub)) = (leaf.into_split(), hub.into_split());
    let both_ways = async {
        tokio::join!(
            carry(from_leaf, to_hub, distance, weather.clone()),
            carry(from_hub, to_leaf, distance, weather.clone()),
        )
    };
    let mut cut = weather.clone();
    // The link itself going away ends what it carries, too.
    tokio::select! {
        _ = both_ways => {}
        _ = cut.wait_for(|now| *now == Weather::Cut) => {}
    }
}

/// Copies one way until the sending end closes.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    distance: Duration,
    mut weather: watch::Receiver<Weather>,
) {
    const CHUNK: usize = 64 << 10;
    // What is on its way at once, in chunks.
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(256);
    let reading = async move {
        let mut chunk = vec![0; CHUNK];
        while let Ok(size @ 1..) = from.read(&mut chunk).await {
            let taken = chunk.get(..size).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + distance, taken)).await.is_err() {
                return;
            }
        }
    };
    // Owns the channel's end, so that the reader notices when it is over.
    let writing = async move {
        while let Some((due, chunk)) = chunks.recv().await {
            // A timer fires a millisecond late or so, which would be long where there is no distance at all.
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            let fair = weather.wait_for(|now| *now != Weather::Silent).await.is_ok();
            if !fair || to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        // The other direction may go on.
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}
