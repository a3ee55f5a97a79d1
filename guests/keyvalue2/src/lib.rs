//! Drives every function of `wasi:keyvalue` 0.2.0-draft2: the path is the function, the query its arguments.
//!
//! `/get?key=`, `/set?key=&value=`, `/delete?key=`, `/exists?key=`, `/list?cursor=`, `/increment?key=&delta=`,
//! `/cas?key=&expected=&value=&retries=` (without `expected` the key must be absent),
//! `/get-many?key=&key=`, `/set-many?key=&value=&key=&value=`, `/delete-many?key=&key=`; `bucket=` names another
//! bucket than `default`. Arguments may also come as a form, and `value` as any other body. Answers are JSON; with `raw=`
//! `/get` answers the bytes themselves, or 204 where nothing is. An error of the store is a 500 with `error`.

use guest_http::{Json, Query, answer, answer_json, path_and_arguments};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit/keyvalue-draft2.wit", world: "imports" });

use wasi::keyvalue::atomics::{Cas, CasError};
use wasi::keyvalue::store::{self, Bucket, Error};
use wasi::keyvalue::{atomics, batch};

wasip2::http::proxy::export!(Keyvalue2);

struct Keyvalue2;

impl wasip2::exports::http::incoming_handler::Guest for Keyvalue2 {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (path, query) = match path_and_arguments(&request) {
            Ok(arguments) => arguments,
            Err(error) => return answer_json(out, 400, &Json::Object(vec![("error", Json::Text(error))])),
        };
        if path == "/get" && query.bytes("raw").is_some() {
            return match get(&query) {
                Ok(Some(value)) => answer(out, 200, "application/octet-stream", &value),
                Ok(None) => answer(out, 204, "application/octet-stream", b""),
                Err(error) => {
                    answer_json(out, 500, &Json::Object(vec![("error", Json::Text(describe(error)))]))
                }
            };
        }
        match call(&path, &query) {
            Ok(Some(json)) => answer_json(out, 200, &json),
            Ok(None) => answer_json(out, 404, &Json::Object(vec![("error", Json::text("no such function"))])),
            Err(error) => answer_json(out, 500, &Json::Object(vec![("error", Json::Text(describe(error)))])),
        }
    }
}

fn open(query: &Query) -> Result<Bucket, Error> {
    store::open(&query.text("bucket").unwrap_or_else(|| "default".to_owned()))
}

fn get(query: &Query) -> Result<Option<Vec<u8>>, Error> {
    open(query)?.get(&query.text("key").unwrap_or_default())
}

fn call(function: &str, query: &Query) -> Result<Option<Json>, Error> {
    let bucket = open(query)?;
    let key = query.text("key").unwrap_or_default();
    let keys: Vec<String> = query.all("key").map(|key| String::from_utf8_lossy(key).into_owned()).collect();
    let done = Json::Object(vec![("ok", Json::Bool(true))]);
    Ok(Some(match function {
        "/get" => Json::Object(vec![("value", Json::optional(bucket.get(&key)?, Json::bytes))]),
        "/set" => {
            bucket.set(&key, query.bytes("value").unwrap_or_default())?;
            done
        }
        "/delete" => {
            bucket.delete(&key)?;
            done
        }
        "/exists" => Json::Object(vec![("exists", Json::Bool(bucket.exists(&key)?))]),
        "/list" => {
            let page = bucket.list_keys(query.text("cursor").as_deref())?;
            Json::Object(vec![
                ("keys", Json::List(page.keys.into_iter().map(Json::Text).collect())),
                ("cursor", Json::optional(page.cursor, Json::Text)),
            ])
        }
        "/increment" => {
            let sum = atomics::increment(&bucket, &key, query.parsed("delta").unwrap_or(1))?;
            Json::Object(vec![("value", Json::Number(sum.into()))])
        }
        "/cas" => cas(&bucket, &key, query)?,
        "/get-many" => {
            let pair = |(key, value)| Json::List(vec![Json::Text(key), Json::optional(value, Json::bytes)]);
            let values = batch::get_many(&bucket, &keys)?.into_iter();
            Json::Object(vec![("values", Json::List(values.map(pair).collect()))])
        }
        "/set-many" => {
            let values = query.all("value").map(<[u8]>::to_vec);
            batch::set_many(&bucket, &keys.into_iter().zip(values).collect::<Vec<_>>())?;
            done
        }
        "/delete-many" => {
            batch::delete_many(&bucket, &keys)?;
            done
        }
        _ => return Ok(None),
    }))
}

/// Swaps if the value is as expected, or appends to whatever is there with `append=`, trying again up to `retries`
/// times when somebody was faster. Answers whether it swapped, what was seen last, and after how many tries.
fn cas(bucket: &Bucket, key: &str, query: &Query) -> Result<Json, Error> {
    let mut handle = Cas::new(bucket, key)?;
    let retries = query.parsed("retries").unwrap_or(0);
    let mut tries = 0;
    loop {
        let seen = handle.current()?;
        let new = match query.bytes("append") {
            Some(more) => Some([seen.as_deref().unwrap_or_default(), more].concat()),
            None if seen.as_deref() == query.bytes("expected") => query.bytes("value").map(<[u8]>::to_vec),
            None => None,
        };
        let answer = |swapped, seen, tries: u32| {
            Json::Object(vec![
                ("swapped", Json::Bool(swapped)),
                ("seen", Json::optional(seen, Json::bytes)),
                ("tries", Json::Number(tries.into())),
            ])
        };
        let Some(new) = new else { return Ok(answer(false, seen, tries)) };
        tries += 1;
        match atomics::swap(handle, &new) {
            Ok(()) => return Ok(answer(true, seen, tries)),
            Err(CasError::StoreError(error)) => return Err(error),
            Err(CasError::CasFailed(newer)) if tries > retries => {
                return Ok(answer(false, newer.current()?, tries));
            }
            Err(CasError::CasFailed(newer)) => handle = newer,
        }
    }
}

fn describe(error: Error) -> String {
    match error {
        Error::NoSuchStore => "no such store".to_owned(),
        Error::AccessDenied => "access denied".to_owned(),
        Error::Other(text) => text,
    }
}
