//! The one address of a site: what a Service and an Ingress are in Kubernetes. It passes connections to the
//! site's ready hosts in turn and knows nothing of HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections that one site's address carries at once; further ones wait in the listener's backlog.
const CONNECTIONS: usize = 4096;

/// How long a host may take to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Listens for one site until dropped.
#[derive(Debug)]
pub(crate) struct Balancer {
    address: SocketAddr,
    targets: Arc<ArcSwap<Vec<SocketAddr>>>,
    stop: CancellationToken,
}

impl Balancer {
    /// Starts to pass connections that arrive at `listener` to the targets, of which there are none yet.
    ///
    /// # Errors
    /// The listener has no address.
    pub(crate) fn start(listener: TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let targets = Arc::new(ArcSwap::from_pointee(Vec::new()));
        let stop = CancellationToken::new();
        let accepting = accept(listener, Arc::clone(&targets), stop.clone());
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(accepting).await });
        Ok(Self { address, targets, stop })
    }

    /// Where the site answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the hosts that new connections go to; connections that stand are left alone.
    pub(crate) fn set_targets(&self, targets: Vec<SocketAddr>) {
        if **self.targets.load() != targets {
            self.targets.store(Arc::new(targets));
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, targets: Arc<ArcSwap<Vec<SocketAddr>>>, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let turn = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((client, _)) = listener.accept().await else {
            // Out of file descriptors, mostly: give others the time to close theirs.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (targets, turn, stop) = (Arc::clone(&targets), Arc::clone(&turn), stop.clone());
        tokio::spawn(async move {
            stop.run_until_cancelled(pass(client, &targets, &turn)).await;
            drop(permit);
        });
    }
}

/// Connects to the next host that accepts and copies both ways until both have ended.
async fn pass(mut client: TcpStream, targets: &ArcSwap<Vec<SocketAddr>>, turn: &AtomicUsize) {
    let hosts = targets.load_full();
    let first = turn.fetch_add(1, Ordering::Relaxed);
    for attempt in 0..hosts.len() {
        let Some(host) = hosts.get((first.wrapping_add(attempt)) % hosts.len()) else { break };
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(host));
        if let Ok(Ok(mut server)) = connecting.await {
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            // A broken connection is for the two ends to notice; there is nobody here to tell.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A server that answers each connection with its own name.
    async fn named(name: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(name.as_bytes()).await.unwrap();
            }
        });
        address
    }

    async fn ask(address: SocketAddr) -> String {
        let mut answer = String::new();
        TcpStream::connect(address).await.unwrap().read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn takes_turns_and_passes_over_a_dead_host() {
        let balancer = Balancer::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        assert_eq!(ask(balancer.address()).await, "", "no host: the connection is closed");
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        balancer.set_targets(vec![named("a").await, dead, named("b").await]);
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(ask(balancer.address()).await);
        }
        answers.sort();
        answers.dedup();
        assert_eq!(answers, ["a", "b"]);
    }
}
