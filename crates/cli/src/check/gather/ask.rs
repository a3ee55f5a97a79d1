//! One question over HTTP, each step within its limit; what goes wrong is told apart.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::task::AbortOnDropHandle;

use super::greeting::connect;
use super::{SILENCE, trust};
use crate::check::address::Address;
use crate::check::facts::Trouble;

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Empty if it was not read.
    pub(super) body: Vec<u8>,
    /// When its head was here.
    pub(super) at: SystemTime,
    /// From the question to the head of the answer; connecting does not count.
    pub(super) took: Duration,
}

/// What to ask for.
pub(super) struct Question<'q> {
    pub(super) path: &'q str,
    /// The name of the site that is asked for, where it is not the address's.
    pub(super) host: Option<&'q str>,
    /// How long the answer may take.
    pub(super) limit: Duration,
    /// Whether the body is of interest, going by the head.
    pub(super) body: fn(&Parts) -> bool,
    /// How much of it is read; the rest is left.
    pub(super) most: usize,
}

/// Asks and reads the answer.
pub(super) async fn get(address: &Address, question: &Question<'_>) -> Result<Answer, Trouble> {
    let stream = connect(address).await?;
    // Nothing to do where it fails: then packets wait for others a little.
    let _ = stream.set_nodelay(true);
    if !address.tls {
        return exchange(stream, address, question).await;
    }
    let broken = |error: &dyn std::fmt::Display| Trouble::Other(format!("TLS fails: {error}"));
    let name = ServerName::try_from(address.host.clone()).map_err(|error| broken(&error))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?
        .with_root_certificates(trust::roots(None).map_err(Trouble::Other)?)
        .with_no_client_auth();
    let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(SILENCE, shaking).await {
        Err(_) => Err(Trouble::Silent(SILENCE)),
        Ok(Err(error)) => Err(broken(&error)),
        Ok(Ok(stream)) => exchange(stream, address, question).await,
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: &Address,
    question: &Question<'_>,
) -> Result<Answer, Trouble> {
    let talking = talk(stream, address, question);
    timeout(question.limit, talking).await.unwrap_or(Err(Trouble::Silent(question.limit)))
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: &Address,
    question: &Question<'_>,
) -> Result<Answer, Trouble> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| told(&error))?;
    let _driving = AbortOnDropHandle::new(tokio::spawn(connection));
    let host = question.host.map_or_else(|| address.to_string(), str::to_owned);
    let request =
        http::Request::get(question.path).header(http::header::HOST, host).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Trouble::Other(format!("cannot be asked: {error}")))?;
    let begun = Instant::now();
    let response = sender.send_request(request).await.map_err(|error| told(&error))?;
    let (took, at) = (begun.elapsed(), SystemTime::now());
    let (head, body) = response.into_parts();
    let body = if (question.body)(&head) { beginning(body, question.most).await? } else { Vec::new() };
    Ok(Answer { status: head.status, headers: head.headers, body, at, took })
}

async fn beginning(mut body: Incoming, most: usize) -> Result<Vec<u8>, Trouble> {
    let mut read = Vec::new();
    while read.len() < most {
        match body.frame().await {
            Some(Ok(frame)) => read.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(error)) => return Err(Trouble::Other(format!("its answer breaks off: {error}"))),
            None => break,
        }
    }
    Ok(read)
}

fn told(error: &hyper::Error) -> Trouble {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Trouble::Closed;
    }
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match source.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe) => Trouble::Closed,
        _ => Trouble::Other(format!("does not answer as HTTP does: {error}")),
    }
}
