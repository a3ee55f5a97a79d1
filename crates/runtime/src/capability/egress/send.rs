//! Sends an outbound request to a host that is on the list, at an address that it may have.

use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::{Egress, Verdict};

/// Drives the connection of a response until its body has ended.
pub(crate) type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// A response from outside, and what moves it.
pub(crate) type Outbound = (http::Response<WasiBody>, Driver);

/// Sends `request` if `egress` lists its host; `deadline` is that of the request that caused it.
pub(crate) async fn send(
    egress: &Egress,
    request: http::Request<WasiBody>,
    options: Option<RequestOptions>,
    deadline: Instant,
) -> Result<Outbound, Error> {
    let scheme = request.uri().scheme().cloned().ok_or(Error::HttpRequestUriInvalid)?;
    let authority = request.uri().authority().cloned().ok_or(Error::HttpRequestUriInvalid)?;
    let verdict = egress.verdict(&scheme, &authority);
    if verdict == Verdict::Denied {
        return Err(Error::HttpRequestDenied);
    }
    let options = options.unwrap_or_default();
    let until = |limit: Option<Duration>| {
        let limit = limit.map_or(egress.timeout, |limit| limit.min(egress.timeout));
        Instant::now().checked_add(limit).map_or(deadline, |until| until.min(deadline))
    };
    let between = options.between_bytes_timeout.map_or(egress.timeout, |limit| limit.min(egress.timeout));
    let secure = scheme == Scheme::HTTPS;

    let connected = timeout_at(until(options.connect_timeout), connect(verdict, &authority, secure));
    let stream = connected.await.map_err(|_| Error::ConnectionTimeout)??;
    let answer = async {
        if secure {
            let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(name).map_err(|_| Error::TlsProtocolError)?;
            let stream = TlsConnector::from(tls()?).connect(name, stream).await.map_err(Error::Tls)?;
            exchange(TokioIo::new(stream), request, between).await
        } else {
            exchange(TokioIo::new(stream), request, between).await
        }
    };
    timeout_at(until(options.first_byte_timeout), answer).await.map_err(|_| Error::ConnectionReadTimeout)?
}

/// Connects to the first address of the host that may be used and answers.
async fn connect(verdict: Verdict, authority: &Authority, secure: bool) -> Result<TcpStream, Error> {
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let unknown =
        |_| Error::DnsError { rcode: Some("the name cannot be resolved".to_owned()), info_code: None };
    let addresses = tokio::net::lookup_host((host, port)).await.map_err(unknown)?;
    // Judged after the lookup and connected to by address, so that a name cannot change its mind in between.
    let mut failure = Error::DestinationIpProhibited;
    for address in addresses.filter(|address| verdict.allows(address.ip())) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => failure = Error::Connect(error),
        }
    }
    Err(failure)
}

/// Sends the request over `io` and gives the response as soon as its head is there.
async fn exchange<I>(io: I, request: http::Request<WasiBody>, between: Duration) -> Result<Outbound, Error>
where
    I: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new().handshake(io).await?;
    let mut connection = Box::pin(connection);
    let (mut parts, body) = request.into_parts();
    // Only a proxy is told scheme and authority; the host header says the latter.
    parts.uri = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str)
        .parse()
        .map_err(|_| Error::HttpRequestUriInvalid)?;
    let response = {
        let mut sending = pin!(sender.send_request(http::Request::from_parts(parts, body)));
        let mut open = true;
        std::future::poll_fn(|context| {
            // The connection moves only while it is polled; its failure shows in the request too.
            if open && let Poll::Ready(result) = connection.as_mut().poll(context) {
                open = false;
                result?;
            }
            sending.as_mut().poll(context).map_err(Error::from)
        })
        .await?
    };
    let response = response.map(|body| Timed { body, between, sleep: None }.boxed_unsync());
    let driver = async move { connection.await.map_err(Error::from) };
    Ok((response, Box::new(driver)))
}

/// A body that fails when it stands still.
struct Timed {
    body: hyper::body::Incoming,
    between: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.sleep = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let between = self.between;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(between)));
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// The public roots, read once.
fn tls() -> Result<Arc<ClientConfig>, Error> {
    static TLS: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    let make = || {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        // Named, since another crate of the program may bring a second provider, and then there is no default.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Arc::new(config))
    };
    TLS.get_or_init(make).clone().ok_or(Error::TlsProtocolError)
}
