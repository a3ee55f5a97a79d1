//! Asks components of the key-value guest over HTTP, and understands what they answer in the words of a store.

use std::fmt::Write as _;

use bytes::Bytes;
use dunlin_providers::keyvalue::{Context, Error, Page};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::Semaphore;

/// Requests at once: as many as a busy machine has room for.
const AT_ONCE: usize = 50;

/// Sends requests to a site's ingress; which component they are for, their hostname says.
pub struct Guests {
    client: Client<HttpConnector, Full<Bytes>>,
    site: String,
    room: Semaphore,
}

impl Guests {
    /// Through the ingress at `site`, such as `http://127.0.0.1:8082`.
    pub fn new(site: String) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, site, room: Semaphore::new(AT_ONCE) }
    }

    /// One request: a value as the body and the arguments in the query, or the arguments alone as a form.
    pub async fn send(
        &self,
        context: &Context,
        component: usize,
        function: &str,
        arguments: &[(&str, &[u8])],
        value: Option<Bytes>,
    ) -> Result<(StatusCode, Bytes), Error> {
        if context.deadline <= tokio::time::Instant::now() {
            // HTTP carries no deadline: what is too late before it begins ends here.
            return Err(Error::NotExecuted("the deadline has passed".to_owned()));
        }
        let _room = self.room.acquire().await.unwrap();
        let (form, url) = (encode(arguments), format!("{}/{function}", self.site));
        let request = Request::post(if value.is_some() { format!("{url}?{form}") } else { url });
        let kind = if value.is_some() { "application/octet-stream" } else { FORM };
        let request = request.header("host", format!("kv-{component}.example")).header("content-type", kind);
        let request = request.body(Full::new(value.unwrap_or_else(|| form.into()))).unwrap();
        let answering = async {
            let response = self.client.request(request).await.map_err(|error| error.to_string())?;
            let (head, body) = response.into_parts();
            Ok((head.status, body.collect().await.map_err(|error| error.to_string())?.to_bytes()))
        };
        match tokio::time::timeout_at(context.deadline, answering).await {
            Ok(Ok((StatusCode::SERVICE_UNAVAILABLE, text))) => {
                Err(Error::NotExecuted(String::from_utf8_lossy(&text).into_owned()))
            }
            Ok(answered) => answered.map_err(|error: String| Error::Unknown(error)),
            Err(_) => Err(Error::Unknown("no answer before the deadline".to_owned())),
        }
    }

    pub async fn ask(
        &self,
        context: &Context,
        component: usize,
        function: &str,
        arguments: &[(&str, &[u8])],
        value: Option<Bytes>,
    ) -> Result<Value, Error> {
        let (status, bytes) = self.send(context, component, function, arguments, value).await?;
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(json) if status == StatusCode::OK => Ok(json),
            Ok(json) => Err(understood(json["error"].as_str().unwrap_or("no reason"))),
            Err(_) => Err(Error::Unknown(format!("{status}: {}", String::from_utf8_lossy(&bytes)))),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn encode(arguments: &[(&str, &[u8])]) -> String {
    let mut text = String::new();
    for (name, value) in arguments {
        let _ = write!(text, "{}{name}=", if text.is_empty() { "" } else { "&" });
        for &byte in *value {
            let _ = match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => write!(text, "{}", char::from(byte)),
                other => write!(text, "%{other:02x}"),
            };
        }
    }
    text
}

/// What the guest was told, in the words that Dunlin has for it.
pub fn understood(reason: &str) -> Error {
    match (reason, reason.strip_prefix("not executed: "), reason.strip_prefix("outcome unknown: ")) {
        ("no such store", ..) => Error::NoSuchStore(reason.to_owned()),
        (_, Some(reason), _) => Error::NotExecuted(reason.to_owned()),
        (_, _, Some(reason)) => Error::Unknown(reason.to_owned()),
        _ => Error::Other(reason.to_owned()),
    }
}

/// A text, or the numbers of bytes that are none.
pub fn bytes(json: &Value) -> Option<Bytes> {
    let byte = |number: &Value| u8::try_from(number.as_u64().unwrap()).unwrap();
    match json {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into()),
        numbers => Some(numbers.as_array().unwrap().iter().map(byte).collect()),
    }
}

/// A page of keys.
pub fn page(json: &Value) -> Page {
    let keys = json["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned());
    Page { keys: keys.collect(), cursor: json["cursor"].as_str().map(str::to_owned) }
}
