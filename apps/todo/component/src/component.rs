//! The component: the host's HTTP, store and log, joined to the application.

use wasip2::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::StreamError;

use crate::app::respond;
use crate::http::{BODY_LIMIT, Body, Request, Response};
use crate::store::{COUNTER, Failure, Store, id, key};

wit_bindgen::generate!({
    inline: "package dunlin:todo; world todo {
        import wasi:keyvalue/store@0.2.0-draft2;
        import wasi:keyvalue/atomics@0.2.0-draft2;
        import wasi:keyvalue/batch@0.2.0-draft2;
        import wasi:logging/logging@0.1.0-draft;
    }",
    path: ["wit/keyvalue.wit", "wit/logging.wit"],
    generate_all,
});

use wasi::keyvalue::atomics::{Cas, CasError, increment, swap};
use wasi::keyvalue::batch::{delete_many, get_many};
use wasi::keyvalue::store::{Bucket, Error, open};
use wasi::logging::logging::{Level, log};

wasip2::http::proxy::export!(Component);

/// Most bytes that WASI 0.2 takes in one blocking write.
const WRITE: usize = 4096;
/// How often a change is tried when others are faster.
const TRIES: usize = 16;
/// How many keys are asked for, or taken away, in one call.
const BATCH: usize = 500;

struct Component;

impl wasip2::exports::http::incoming_handler::Guest for Component {
    fn handle(incoming: IncomingRequest, out: ResponseOutparam) {
        let request = read(&incoming);
        let response = respond(&request, &Linked, &|text| log(Level::Info, "todo", text));
        if response.status >= 500 {
            log(Level::Error, "todo", &String::from_utf8_lossy(&response.body));
        }
        write(response, out);
    }
}

fn read(incoming: &IncomingRequest) -> Request {
    let method = match incoming.method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Other(other) => other,
    };
    let path = incoming.path_with_query().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let scheme = incoming.scheme().map(|scheme| match scheme {
        Scheme::Http => "http".to_owned(),
        Scheme::Https => "https".to_owned(),
        Scheme::Other(other) => other,
    });
    let headers = incoming.headers().entries().into_iter();
    let headers = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let body = if matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
        read_body(incoming)
    } else {
        Body::default()
    };
    Request { method, path, scheme, authority: incoming.authority(), headers, body }
}

fn read_body(incoming: &IncomingRequest) -> Body {
    let Ok(body) = incoming.consume() else { return Body::BrokenOff };
    let Ok(stream) = body.stream() else { return Body::BrokenOff };
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(BODY_LIMIT as u64) {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(StreamError::Closed) => return Body::Whole(bytes),
            Err(StreamError::LastOperationFailed(_)) => return Body::BrokenOff,
        }
        if bytes.len() > BODY_LIMIT {
            return Body::TooLong;
        }
    }
}

fn write(response: Response, out: ResponseOutparam) {
    let fields = Fields::new();
    for (name, value) in &response.headers {
        let _ = fields.append(name, value.as_bytes());
    }
    if !response.body.is_empty() {
        let _ = fields.append("content-length", response.body.len().to_string().as_bytes());
    }
    let outgoing = OutgoingResponse::new(fields);
    let _ = outgoing.set_status_code(response.status);
    let Ok(body) = outgoing.body() else { return };
    ResponseOutparam::set(out, Ok(outgoing));
    if let Ok(stream) = body.write() {
        // An error means that the client has gone: nobody is left to tell.
        let _ = response.body.chunks(WRITE).try_for_each(|piece| stream.blocking_write_and_flush(piece));
    }
    let _ = OutgoingBody::finish(body, None);
}

/// The store that the link of this component leads to.
struct Linked;

/// The bucket that the link names; the identifier matters only where a link names none.
fn bucket() -> Result<Bucket, Failure> {
    Ok(open("todo")?)
}

impl Linked {
    fn ids(bucket: &Bucket) -> Result<Vec<u64>, Failure> {
        let mut ids = Vec::new();
        let mut cursor = None;
        loop {
            let page = bucket.list_keys(cursor.as_deref())?;
            ids.extend(page.keys.iter().filter_map(|key| id(key)));
            cursor = page.cursor;
            if cursor.is_none() {
                // A store may show a key on two pages.
                ids.sort_unstable();
                ids.dedup();
                return Ok(ids);
            }
        }
    }
}

impl Store for Linked {
    fn next_id(&self) -> Result<u64, Failure> {
        let id = increment(&bucket()?, COUNTER, 1)?;
        u64::try_from(id).map_err(|_| Failure::Broken(format!("the counter {COUNTER} is {id}")))
    }

    fn get(&self, id: u64) -> Result<Option<Vec<u8>>, Failure> {
        Ok(bucket()?.get(&key(id))?)
    }

    fn all(&self) -> Result<Vec<(u64, Vec<u8>)>, Failure> {
        let bucket = bucket()?;
        let mut all = Vec::new();
        for ids in Self::ids(&bucket)?.chunks(BATCH) {
            let keys: Vec<String> = ids.iter().map(|id| key(*id)).collect();
            let values = get_many(&bucket, &keys)?.into_iter();
            // One without a value was taken away since the keys were listed.
            all.extend(values.filter_map(|(key, value)| Some((id(&key)?, value?))));
        }
        Ok(all)
    }

    fn put(&self, id: u64, value: Vec<u8>) -> Result<(), Failure> {
        Ok(bucket()?.set(&key(id), &value)?)
    }

    fn change(&self, id: u64, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failure> {
        let mut cas = Cas::new(&bucket()?, &key(id))?;
        for _ in 0..TRIES {
            let Some(new) = cas.current()?.as_deref().and_then(change) else { return Ok(None) };
            match swap(cas, &new) {
                Ok(()) => return Ok(Some(new)),
                Err(CasError::CasFailed(newer)) => cas = newer,
                Err(CasError::StoreError(error)) => return Err(error.into()),
            }
        }
        Err(Failure::NotDone("not executed: others keep changing this todo".to_owned()))
    }

    fn delete(&self, id: u64) -> Result<bool, Failure> {
        let bucket = bucket()?;
        let was_there = bucket.exists(&key(id))?;
        if was_there {
            bucket.delete(&key(id))?;
        }
        Ok(was_there)
    }

    fn delete_all(&self) -> Result<(), Failure> {
        let bucket = bucket()?;
        for ids in Self::ids(&bucket)?.chunks(BATCH) {
            delete_many(&bucket, &ids.iter().map(|id| key(*id)).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSuchStore => Self::Broken("no such store".to_owned()),
            Error::AccessDenied => Self::Broken("access to the store is denied".to_owned()),
            Error::Other(text) => Self::from_text(text),
        }
    }
}
