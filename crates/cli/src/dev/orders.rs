//! The control port of `dunlin dev`: takes `kill` and `revive` from other terminals of the same user.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use bytes::Bytes;
use dunlin_host::server::{Server, ServerOptions};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::dev::real::Fault;
use crate::printer::WrongInput;

/// What to do with which site or host, and where to say how it went.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) fault: Fault,
    pub(crate) target: String,
    pub(crate) answer: oneshot::Sender<Result<String>>,
}

/// Listens for orders, which arrive at the receiver; who does not know `token` is refused.
///
/// # Errors
/// No port is to be had.
pub(crate) async fn listen(token: String) -> Result<(Server, mpsc::Receiver<Order>)> {
    let (sender, orders) = mpsc::channel(8);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for control")?;
    let expected = format!("Bearer {token}");
    let handle = move |request: Request<Incoming>, _: SocketAddr| {
        let (sender, expected) = (sender.clone(), expected.clone());
        async move { take(&request, &sender, &expected).await }
    };
    let server =
        Server::start(listener, ServerOptions { connections: 16, ..ServerOptions::default() }, handle)?;
    Ok((server, orders))
}

const USAGE: &str = "POST /kill/NAME, /revive/NAME, /freeze/NAME or /thaw/NAME";

async fn take(
    request: &Request<Incoming>,
    sender: &mpsc::Sender<Order>,
    expected: &str,
) -> Response<Full<Bytes>> {
    let allowed = request
        .headers()
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value.as_bytes() == expected.as_bytes());
    if !allowed {
        return respond(StatusCode::UNAUTHORIZED, "only the user who started `dunlin dev` may order");
    }
    let parts = request.uri().path().trim_start_matches('/').split_once('/');
    let (fault, target) = match (request.method(), parts) {
        (&Method::POST, Some((_, ""))) => return respond(StatusCode::BAD_REQUEST, "name a site or a host"),
        (&Method::POST, Some((verb, target))) => match Fault::parse(verb) {
            Some(fault) => (fault, target),
            None => return respond(StatusCode::NOT_FOUND, USAGE),
        },
        _ => return respond(StatusCode::NOT_FOUND, USAGE),
    };
    let (answer, answered) = oneshot::channel();
    if sender.send(Order { fault, target: target.to_owned(), answer }).await.is_err() {
        return respond(StatusCode::SERVICE_UNAVAILABLE, "`dunlin dev` is stopping");
    }
    match answered.await {
        Ok(Ok(text)) => respond(StatusCode::OK, &text),
        Ok(Err(error)) => {
            let wrong = error.is::<WrongInput>();
            let status = if wrong { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
            respond(status, &format!("{error:#}"))
        }
        Err(_) => respond(StatusCode::SERVICE_UNAVAILABLE, "`dunlin dev` is stopping"),
    }
}

fn respond(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    response
}
