//! Drives every function of `wasi:keyvalue` 0.2.0-draft: the path is the function, the query its arguments.
//!
//! `/get?key=`, `/set?key=&value=`, `/delete?key=`, `/exists?key=`, `/list?cursor=`, `/increment?key=&delta=`,
//! `/get-many?key=&key=`, `/set-many?key=&value=&key=&value=`, `/delete-many?key=&key=`; `bucket=` names another
//! bucket than `default`. Answers are JSON; an error of the store is a 500 with `error`.

use guest_http::{Json, Query, answer_json, path_and_query};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wit_bindgen::generate!({ path: "../wit/keyvalue-draft.wit", world: "imports" });

use wasi::keyvalue::store::{self, Error};
use wasi::keyvalue::{atomics, batch};

wasip2::http::proxy::export!(Keyvalue);

struct Keyvalue;

impl wasip2::exports::http::incoming_handler::Guest for Keyvalue {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (path, query) = path_and_query(&request);
        match call(&path, &query) {
            Ok(Some(json)) => answer_json(out, 200, &json),
            Ok(None) => answer_json(out, 404, &Json::Object(vec![("error", Json::text("no such function"))])),
            Err(error) => answer_json(out, 500, &Json::Object(vec![("error", Json::Text(describe(error)))])),
        }
    }
}

fn call(function: &str, query: &Query) -> Result<Option<Json>, Error> {
    let bucket = store::open(&query.text("bucket").unwrap_or_else(|| "default".to_owned()))?;
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
            let page = bucket.list_keys(query.parsed("cursor"))?;
            Json::Object(vec![
                ("keys", Json::List(page.keys.into_iter().map(Json::Text).collect())),
                ("cursor", Json::optional(page.cursor, |cursor| Json::Number(cursor.into()))),
            ])
        }
        "/increment" => {
            let sum = atomics::increment(&bucket, &key, query.parsed("delta").unwrap_or(1))?;
            Json::Object(vec![("value", Json::Number(sum.into()))])
        }
        "/get-many" => {
            // In this draft a key that is not there has no name in the answer either.
            let pair = |(key, value)| Json::List(vec![Json::Text(key), Json::bytes(value)]);
            let values = batch::get_many(&bucket, &keys)?.into_iter();
            Json::Object(vec![(
                "values",
                Json::List(values.map(|value| Json::optional(value, pair)).collect()),
            )])
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

fn describe(error: Error) -> String {
    match error {
        Error::NoSuchStore => "no such store".to_owned(),
        Error::AccessDenied => "access denied".to_owned(),
        Error::Other(text) => text,
    }
}
