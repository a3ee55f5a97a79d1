//! A small HTTP client for the admin ports of hosts and the control port of a running `dunlin dev`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::printer::WrongInput;

const TIMEOUT: Duration = Duration::from_secs(5);
const LARGEST_ANSWER: usize = 64 << 20;

/// Fetches `path` and reads the answer as JSON.
///
/// # Errors
/// No connection, no answer in five seconds, a status other than 2xx, or no JSON.
pub(crate) async fn get<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Result<T> {
    let answer = tokio::time::timeout(TIMEOUT, async {
        let response = send(address, "GET", path, &[]).await?;
        whole(response).await
    });
    let bytes = answer.await.with_context(|| format!("{address} does not answer"))??;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{address}{path} answers something else than expected"))
}

/// Fetches `path` and reads each line of the answer as JSON; lines of another kind are passed over.
///
/// # Errors
/// As [`get`].
pub(crate) async fn lines<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Result<Vec<T>> {
    let answer = tokio::time::timeout(TIMEOUT, async { whole(send(address, "GET", path, &[]).await?).await });
    let bytes = answer.await.with_context(|| format!("{address} does not answer"))??;
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Sends an order to the control port.
///
/// # Errors
/// As [`get`]; a refusal comes in the words of the answer.
pub(crate) async fn post(address: SocketAddr, path: &str, token: &str) -> Result<String> {
    let bearer = format!("Bearer {token}");
    // Reviving a site starts hosts, which takes a while.
    let answer = tokio::time::timeout(TIMEOUT * 12, async {
        whole(send(address, "POST", path, &[("authorization", &bearer)]).await?).await
    });
    let bytes = answer.await.with_context(|| format!("{address} does not answer"))??;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Starts to fetch `path`; the body may go on for as long as the other side likes.
///
/// # Errors
/// No connection or a status other than 2xx.
pub(crate) async fn stream(address: SocketAddr, path: &str) -> Result<Incoming> {
    let answer =
        tokio::time::timeout(TIMEOUT, async { accepted(send(address, "GET", path, &[]).await?).await });
    Ok(answer.await.with_context(|| format!("{address} does not answer"))??.into_body())
}

async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<http::Response<Incoming>> {
    let connecting = tokio::time::timeout(TIMEOUT, TcpStream::connect(address));
    let stream = connecting.await.with_context(|| format!("no connection to {address} within 5 s"))?;
    let stream = stream.with_context(|| format!("cannot connect to {address}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the response or when the sender and the body are dropped.
    tokio::spawn(connection);
    let mut request = http::Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(sender.send_request(request.body(Full::<Bytes>::default())?).await?)
}

async fn accepted(response: http::Response<Incoming>) -> Result<http::Response<Incoming>> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = Limited::new(response.into_body(), 64 << 10).collect().await;
    let text =
        text.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned()).unwrap_or_default();
    match status {
        _ if text.is_empty() => bail!("the answer was {status}"),
        StatusCode::BAD_REQUEST => Err(WrongInput(text).into()),
        _ => bail!("{text}"),
    }
}

async fn whole(response: http::Response<Incoming>) -> Result<Bytes> {
    let body = Limited::new(accepted(response).await?.into_body(), LARGEST_ANSWER).collect().await;
    Ok(body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes())
}
