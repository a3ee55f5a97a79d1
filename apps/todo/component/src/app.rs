//! The application: a function from a request and a store to an answer.

use crate::http::{BODY_LIMIT, Body, Request, Response};
use crate::page::{self, File};
use crate::routes::{self, Route};
use crate::store::{Failure, Store};
use crate::todo::{Said, Todo};
use crate::url;

/// What happened, for the log.
pub type Log<'a> = &'a dyn Fn(&str);

/// Answers a request.
pub fn respond(request: &Request, store: &dyn Store, log: Log<'_>) -> Response {
    let mut response = match routes::find(&request.path) {
        None => Response::error(404, "there is nothing at this path; the API is at /api"),
        Some(route) if request.method == "OPTIONS" => preflight(request, route),
        Some(route) if !route.takes(&request.method) => {
            Response::error(405, &format!("{} is not for this path", request.method))
                .with("allow", route.methods())
        }
        Some(Route::File(file)) => serve(request, file),
        Some(Route::Todos) => todos(request, store, log).unwrap_or_else(|refusal| refusal),
        Some(Route::Todo(id)) => todo(request, id, store, log).unwrap_or_else(|refusal| refusal),
    };
    if request.method == "HEAD" {
        response.body.clear();
    }
    // Any page may use the API: there is no session that it could abuse.
    response
        .with("access-control-allow-origin", "*")
        .with("access-control-expose-headers", "location, dunlin-served-by")
        .with("x-content-type-options", "nosniff")
}

/// Every method of any route: with it another site's page may ask for what this path refuses, and read why.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What a browser asks before it lets another site's page send a request.
fn preflight(request: &Request, route: Route) -> Response {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_, ".contains(&byte);
    let headers = request.header("access-control-request-headers");
    let headers = headers.filter(|headers| !headers.is_empty() && headers.bytes().all(harmless));
    Response::empty(204)
        .with("allow", route.methods())
        .with("access-control-allow-methods", METHODS)
        .with("access-control-allow-headers", headers.unwrap_or("content-type"))
        .with("access-control-max-age", "86400")
}

fn serve(request: &Request, file: &File) -> Response {
    let known = file.is_known(request.header("if-none-match"));
    let mut response = Response::empty(if known { 304 } else { 200 })
        .with("etag", file.entity_tag())
        // Kept, and asked for again each time: a new version of the component is seen at once.
        .with("cache-control", "no-cache");
    if !known {
        response.body = file.bytes.to_vec();
        response = response.with("content-type", file.content_type);
    }
    response
        .with("content-security-policy", page::CONTENT_SECURITY_POLICY)
        .with("referrer-policy", "no-referrer")
}

fn todos(request: &Request, store: &dyn Store, log: Log<'_>) -> Result<Response, Response> {
    let origin = url::origin(request);
    match request.method.as_str() {
        "POST" => {
            let todo = said(request)?.whole().map_err(|reason| Response::error(400, &reason))?;
            let id = store.next_id().map_err(failed)?;
            store.put(id, todo.to_bytes()).map_err(failed)?;
            log(&format!("created {id}"));
            let address = url::of_todo(&origin, id);
            Ok(Response::json(201, &todo.view(id, address.clone())).with("location", address))
        }
        "DELETE" => {
            store.delete_all().map_err(failed)?;
            log("deleted all");
            Ok(Response::empty(204))
        }
        _ => {
            let mut all = store.all().map_err(failed)?;
            all.sort_unstable_by_key(|(id, _)| *id);
            let known: Vec<(u64, Todo)> = all
                .iter()
                .filter_map(|(id, bytes)| {
                    let todo = Todo::from_bytes(bytes);
                    if todo.is_none() {
                        log(&format!("todo {id} is damaged: it is left as it is, and out of the list"));
                    }
                    Some((*id, todo?))
                })
                .collect();
            let views: Vec<_> =
                known.iter().map(|(id, todo)| todo.view(*id, url::of_todo(&origin, *id))).collect();
            Ok(Response::json(200, &views))
        }
    }
}

fn todo(request: &Request, id: Option<u64>, store: &dyn Store, log: Log<'_>) -> Result<Response, Response> {
    let missing = || Response::error(404, "there is no such todo");
    let id = id.ok_or_else(missing)?;
    let address = url::of_todo(&url::origin(request), id);
    let damaged =
        || Response::error(500, &format!("todo {id} is damaged; PUT replaces it, DELETE removes it"));
    match request.method.as_str() {
        "PUT" => {
            // What is not said is as in a new todo.
            let todo = said(request)?.whole().map_err(|reason| Response::error(400, &reason))?;
            store.change(id, &|_| Some(todo.to_bytes())).map_err(failed)?.ok_or_else(missing)?;
            log(&format!("replaced {id}"));
            Ok(Response::json(200, &todo.view(id, address)))
        }
        "PATCH" => {
            // What is not said stays.
            let said = said(request)?;
            let change = |bytes: &[u8]| Todo::from_bytes(bytes).map(|todo| said.change(todo).to_bytes());
            match store.change(id, &change).map_err(failed)? {
                Some(bytes) => {
                    let todo = Todo::from_bytes(&bytes).ok_or_else(damaged)?;
                    log(&format!("changed {id}"));
                    Ok(Response::json(200, &todo.view(id, address)))
                }
                None if store.get(id).map_err(failed)?.is_some() => Err(damaged()),
                None => Err(missing()),
            }
        }
        "DELETE" => {
            if !store.delete(id).map_err(failed)? {
                return Err(missing());
            }
            log(&format!("deleted {id}"));
            Ok(Response::empty(204))
        }
        _ => {
            let bytes = store.get(id).map_err(failed)?.ok_or_else(missing)?;
            let todo = Todo::from_bytes(&bytes).ok_or_else(damaged)?;
            Ok(Response::json(200, &todo.view(id, address)))
        }
    }
}

/// What the client said in the body, or the refusal of it.
fn said(request: &Request) -> Result<Said, Response> {
    match &request.body {
        Body::Whole(bytes) => Said::parse(bytes).map_err(|reason| Response::error(400, &reason)),
        Body::TooLong => Err(Response::error(413, &format!("a todo has at most {BODY_LIMIT} bytes"))),
        Body::BrokenOff => Err(Response::error(400, "the body broke off")),
    }
}

/// What the client gets when the store does not do it: whether to try again, and whether it may have happened.
fn failed(failure: Failure) -> Response {
    match failure {
        Failure::NotDone(reason) => Response::error(503, &reason).with("retry-after", "1"),
        Failure::Unknown(reason) => Response::error(504, &reason),
        Failure::Broken(reason) => Response::error(500, &reason),
    }
}
