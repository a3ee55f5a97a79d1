//! A stretch of network between two processes: it delays, and it can be cut.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Everything arrives.
    Fair,
    /// Connections are reset, new ones too.
    Cut,
    /// Connections stand, but nothing arrives until it is fair again.
    Silent,
}

/// Passes TCP connections on to a server. Ends with the test.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    task: AbortHandle,
}

impl Proxy {
    /// Listens on a free port of loopback and passes everything on to `server`, `delay` later, each way.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn start(server: SocketAddr, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = watch::Sender::new(Weather::Fair);
        let task = tokio::spawn(accept(listener, server, delay, weather.subscribe())).abort_handle();
        Self { address, weather, task }
    }

    /// Where to connect instead of to the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets all connections, and new ones, until [`Proxy::restore`].
    pub fn cut(&self) {
        self.weather.send_replace(Weather::Cut);
    }

    /// Holds everything back, as a network does whose packets are lost, until [`Proxy::restore`].
    pub fn silence(&self) {
        self.weather.send_replace(Weather::Silent);
    }

    /// Ends [`Proxy::cut`] and [`Proxy::silence`].
    pub fn restore(&self) {
        self.weather.send_replace(Weather::Fair);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.weather.send_replace(Weather::Cut);
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    delay: Duration,
    weather: watch::Receiver<Weather>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let mut weather = weather.clone();
        tokio::spawn(async move {
            if *weather.borrow_and_update() == Weather::Cut {
                return;
            }
            let Ok(server) = TcpStream::connect(server).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            let both_ways = async {
                tokio::join!(
                    carry(from_client, to_server, delay, weather.clone()),
                    carry(from_server, to_client, delay, weather.clone()),
                )
            };
            let mut cut = weather.clone();
            tokio::select! {
                _ = both_ways => {}
                _ = cut.wait_for(|now| *now == Weather::Cut) => {}
            }
        });
    }
}

/// Copies one way until the sending end closes.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    mut weather: watch::Receiver<Weather>,
) {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    let reading = async move {
        let mut chunk = vec![0; 64 << 10];
        while let Ok(size @ 1..) = from.read(&mut chunk).await {
            let taken = chunk.get(..size).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + delay, taken)).await.is_err() {
                return;
            }
        }
    };
    // Owns the channel's end, so that the reader notices when it is over.
    let writing = async move {
        while let Some((due, chunk)) = chunks.recv().await {
            tokio::time::sleep_until(due).await;
            if weather.wait_for(|now| *now != Weather::Silent).await.is_err()
                || to.write_all(&chunk).await.is_err()
            {
                return;
            }
        }
        // The other direction may go on.
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}
