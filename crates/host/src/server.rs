//! An HTTP/1.1 and HTTP/2 server on one listener, with an end in three steps: keep accepting but ask clients to
//! leave, then let what runs finish, then cut.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use prometheus::IntGauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Bounds of one server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Open connections; further ones wait in the listener's backlog.
    pub connections: usize,
    /// How long a client may take to send a request's head.
    pub head_timeout: Duration,
    /// Counts open connections, where somebody wants to know.
    pub gauge: Option<IntGauge>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { connections: 8192, head_timeout: Duration::from_secs(15), gauge: None }
    }
}

/// A server that runs until it is shut down; dropping it cuts every connection at once.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    leaving: CancellationToken,
    stop_accepting: CancellationToken,
    cut: CancellationToken,
    accepting: Option<tokio::task::JoinHandle<GracefulShutdown>>,
}

impl Server {
    /// Serves every request that arrives at `listener` with `handle`. `handle` learns the client's address.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn start<B, F, Answer>(
        listener: TcpListener,
        options: ServerOptions,
        handle: F,
    ) -> std::io::Result<Self>
    where
        F: Fn(Request<Incoming>, SocketAddr) -> Answer + Clone + Send + Sync + 'static,
        Answer: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let address = listener.local_addr()?;
        let (leaving, stop_accepting, cut) = Default::default();
        let connections = Connections {
            options,
            handle,
            leaving: CancellationToken::clone(&leaving),
            cut: CancellationToken::clone(&cut),
        };
        let until = CancellationToken::clone(&stop_accepting);
        let accepting = tokio::spawn(connections.accept(listener, until));
        Ok(Self { address, leaving, stop_accepting, cut, accepting: Some(accepting) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// First step: answers carry `Connection: close`, while new connections are still taken, because whoever
    /// spreads the load may not know yet that this host leaves.
    pub fn ask_clients_to_leave(&self) {
        self.leaving.cancel();
    }

    /// Second step: takes no new connection, sends GOAWAY, and waits for requests that run, at most `limit`.
    /// Then cuts what is left. Returns whether everything had finished.
    pub async fn finish(mut self, limit: Duration) -> bool {
        self.leaving.cancel();
        self.stop_accepting.cancel();
        let Some(accepting) = self.accepting.take() else { return true };
        let Ok(graceful) = accepting.await else { return false };
        tokio::time::timeout(limit, graceful.shutdown()).await.is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting.cancel();
        self.cut.cancel();
    }
}

struct Connections<F> {
    options: ServerOptions,
    handle: F,
    leaving: CancellationToken,
    cut: CancellationToken,
}

impl<F> Connections<F> {
    async fn accept<B, Answer>(self, listener: TcpListener, stop: CancellationToken) -> GracefulShutdown
    where
        F: Fn(Request<Incoming>, SocketAddr) -> Answer + Clone + Send + Sync + 'static,
        Answer: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(self.options.connections));
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.options.head_timeout);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(256)
            .keep_alive_interval(Duration::from_secs(20));
        let builder = Arc::new(builder);
        loop {
            let next = async {
                let permit = Arc::clone(&room).acquire_owned().await.ok()?;
                Some((permit, listener.accept().await))
            };
            let Some(Some((permit, accepted))) = stop.run_until_cancelled(next).await else {
                return graceful;
            };
            match accepted {
                Ok((stream, peer)) => self.serve(&builder, &graceful, stream, peer, permit),
                // Out of file descriptors, mostly: give others the time to close theirs.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn serve<B, Answer>(
        &self,
        builder: &Arc<Builder<TokioExecutor>>,
        graceful: &GracefulShutdown,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) where
        F: Fn(Request<Incoming>, SocketAddr) -> Answer + Clone + Send + Sync + 'static,
        Answer: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Small answers should not wait for more to come; a socket that refuses is served all the same.
        let _ = stream.set_nodelay(true);
        let (handle, leaving) = (self.handle.clone(), self.leaving.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let http1 = request.version() <= Version::HTTP_11;
            let (answer, leaving) = (handle(request, peer), leaving.clone());
            async move {
                let mut response = answer.await;
                if http1 && leaving.is_cancelled() {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let watcher = graceful.watcher();
        let (builder, cut, gauge) = (Arc::clone(builder), self.cut.clone(), self.options.gauge.clone());
        let head_timeout = self.options.head_timeout;
        tokio::spawn(async move {
            // The builder has no limit of its own for telling HTTP/1 from HTTP/2.
            let begins = tokio::time::timeout(head_timeout, first_bytes(&stream));
            if !matches!(cut.run_until_cancelled(begins).await, Some(Ok(Ok(())))) {
                return;
            }
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = watcher.watch(connection);
            if let Some(gauge) = &gauge {
                gauge.inc();
            }
            if let Some(Err(error)) = cut.run_until_cancelled(connection).await {
                tracing::debug!(%peer, %error, "a connection broke");
            }
            if let Some(gauge) = &gauge {
                gauge.dec();
            }
            drop(permit);
        });
    }
}

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Waits until it can be told which protocol a client speaks.
async fn first_bytes(stream: &TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; PREFACE.len()];
    loop {
        let there = stream.peek(&mut bytes).await?;
        let told = there == 0 || there == bytes.len() || bytes.get(..there) != PREFACE.get(..there);
        if told {
            return Ok(());
        }
        // Part of the preface is there, so waiting for bytes would return at once.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
