//! The API over a store in memory: every route, every method, what is refused and how.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Value, json};
use todo::app::respond;
use todo::http::{Body, Request, Response};
use todo::store::{Failure, Store};

#[derive(Default)]
struct Memory {
    last: Cell<u64>,
    todos: RefCell<BTreeMap<u64, Vec<u8>>>,
    failure: RefCell<Option<Failure>>,
}

impl Memory {
    fn check(&self) -> Result<(), Failure> {
        self.failure.borrow().clone().map_or(Ok(()), Err)
    }
}

impl Store for Memory {
    fn next_id(&self) -> Result<u64, Failure> {
        self.check()?;
        self.last.set(self.last.get() + 1);
        Ok(self.last.get())
    }
    fn get(&self, id: u64) -> Result<Option<Vec<u8>>, Failure> {
        self.check()?;
        Ok(self.todos.borrow().get(&id).cloned())
    }
    fn all(&self) -> Result<Vec<(u64, Vec<u8>)>, Failure> {
        self.check()?;
        // In no useful order, as stores do.
        Ok(self.todos.borrow().iter().rev().map(|(id, value)| (*id, value.clone())).collect())
    }
    fn put(&self, id: u64, value: Vec<u8>) -> Result<(), Failure> {
        self.check()?;
        self.todos.borrow_mut().insert(id, value);
        Ok(())
    }
    fn change(&self, id: u64, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failure> {
        self.check()?;
        let new = self.todos.borrow().get(&id).and_then(|old| change(old));
        if let Some(new) = &new {
            self.todos.borrow_mut().insert(id, new.clone());
        }
        Ok(new)
    }
    fn delete(&self, id: u64) -> Result<bool, Failure> {
        self.check()?;
        Ok(self.todos.borrow_mut().remove(&id).is_some())
    }
    fn delete_all(&self) -> Result<(), Failure> {
        self.check()?;
        self.todos.borrow_mut().clear();
        Ok(())
    }
}

fn request(method: &str, path: &str, body: &str) -> Request {
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        authority: Some("localhost:8082".to_owned()),
        body: Body::Whole(body.as_bytes().to_vec()),
        ..Request::default()
    }
}

fn send(store: &Memory, method: &str, path: &str, body: &str) -> Response {
    let response = respond(&request(method, path, body), store, &|_| {});
    assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{method} {path}");
    response
}

fn json(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), Some("application/json"));
    serde_json::from_slice(&response.body).unwrap()
}

/// A store with the todos `one` (1) and `two` (2).
fn two() -> Memory {
    let store = Memory::default();
    for title in ["one", "two"] {
        assert_eq!(send(&store, "POST", "/api", &json!({ "title": title }).to_string()).status, 201);
    }
    store
}

#[test]
fn an_empty_list_is_an_empty_list() {
    assert_eq!(send(&Memory::default(), "GET", "/api", "").body, b"[]");
}

#[test]
fn a_new_todo_is_there_under_its_own_url() {
    let store = Memory::default();
    let created = send(&store, "POST", "/api", r#"{"title":"walk","order":95}"#);
    let todo = json!({"id": 1, "url": "http://localhost:8082/api/1", "title": "walk", "completed": false, "order": 95});
    assert_eq!((created.status, json(&created)), (201, todo.clone()));
    assert_eq!(created.header("location"), Some("http://localhost:8082/api/1"));
    assert_eq!(json(&send(&store, "GET", "/api/1", "")), todo);
    assert_eq!(json(&send(&store, "GET", "/api", "")), json!([todo]));
}

#[test]
fn todos_are_listed_by_their_numbers() {
    let store = Memory::default();
    for number in 0..12 {
        send(&store, "POST", "/api", &json!({ "title": format!("{number}") }).to_string());
    }
    let ids: Vec<u64> = json(&send(&store, "GET", "/api", ""))
        .as_array()
        .unwrap()
        .iter()
        .map(|todo| todo["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (1..=12).collect::<Vec<_>>());
}

#[test]
fn patch_changes_what_it_says_and_put_replaces() {
    let store = two();
    let patched = json(&send(&store, "PATCH", "/api/1", r#"{"completed":true,"order":3}"#));
    assert_eq!(
        (&patched["title"], &patched["completed"], &patched["order"]),
        (&json!("one"), &json!(true), &json!(3))
    );
    let patched = json(&send(&store, "PATCH", "/api/1", r#"{"order":null,"url":"elsewhere"}"#));
    assert_eq!((&patched["order"], &patched["url"]), (&Value::Null, &json!("http://localhost:8082/api/1")));
    let replaced = json(&send(&store, "PUT", "/api/1", r#"{"title":"new"}"#));
    assert_eq!((&replaced["title"], &replaced["completed"]), (&json!("new"), &json!(false)));
    assert_eq!(json(&send(&store, "GET", "/api/1", "")), replaced);
}

#[test]
fn a_deleted_todo_is_gone_and_its_number_is_never_given_again() {
    let store = two();
    assert_eq!(send(&store, "DELETE", "/api/1", "").status, 204);
    assert_eq!(send(&store, "DELETE", "/api/1", "").status, 404);
    assert_eq!(send(&store, "DELETE", "/api", "").status, 204);
    assert_eq!(send(&store, "GET", "/api", "").body, b"[]");
    assert_eq!(json(&send(&store, "POST", "/api", r#"{"title":"three"}"#))["id"], 3);
}

#[test]
fn what_is_not_there_is_not_found() {
    let store = two();
    for path in ["/api/3", "/api/one", "/api/01", "/api/1/2", "/nothing", "/api/../app.js"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(send(&store, method, path, "").status, 404, "{path}");
        }
    }
    for (method, body) in [("PUT", r#"{"title":"a"}"#), ("PATCH", "{}"), ("DELETE", "")] {
        let response = send(&store, method, "/api/3", body);
        assert_eq!((response.status, json(&response)), (404, json!({"error": "there is no such todo"})));
    }
    assert_eq!(json(&send(&store, "GET", "/api", "")).as_array().unwrap().len(), 2);
}

#[test]
fn a_bad_body_is_refused_with_a_reason_and_changes_nothing() {
    let store = two();
    let before = send(&store, "GET", "/api", "");
    for (method, path) in [("POST", "/api"), ("PUT", "/api/1"), ("PATCH", "/api/1")] {
        for body in
            ["", "{", "[]", "null", r#"{"title":7}"#, r#"{"title":"  "}"#, r#"{"title":"a","completed":1}"#]
        {
            let response = send(&store, method, path, body);
            assert_eq!(response.status, 400, "{method} {body}");
            assert!(json(&response)["error"].as_str().unwrap().len() > 10);
        }
        let mut too_long = request(method, path, "");
        too_long.body = Body::TooLong;
        assert_eq!(respond(&too_long, &store, &|_| {}).status, 413);
        too_long.body = Body::BrokenOff;
        assert_eq!(respond(&too_long, &store, &|_| {}).status, 400);
    }
    assert_eq!(send(&store, "GET", "/api", ""), before);
}

#[test]
fn other_methods_are_refused_by_name() {
    let store = two();
    let allow = |method: &str, path: &str| {
        let response = send(&store, method, path, "{}");
        assert_eq!(response.status, 405, "{method} {path}");
        response.header("allow").unwrap().to_owned()
    };
    assert_eq!(allow("PUT", "/api"), "GET, HEAD, POST, DELETE, OPTIONS");
    assert_eq!(allow("PATCH", "/api"), "GET, HEAD, POST, DELETE, OPTIONS");
    assert_eq!(allow("POST", "/api/1"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    assert_eq!(allow("BREW", "/api/1"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    assert_eq!(allow("POST", "/"), "GET, HEAD, OPTIONS");
}

#[test]
fn every_route_answers_a_preflight() {
    let store = Memory::default();
    for (path, method) in
        [("/api", "POST"), ("/api", "DELETE"), ("/api/1", "PATCH"), ("/api/x", "DELETE"), ("/", "GET")]
    {
        let mut asked = request("OPTIONS", path, "");
        asked.headers.push(("access-control-request-headers".to_owned(), "content-type,x-y".to_owned()));
        let response = respond(&asked, &store, &|_| {});
        assert_eq!(response.status, 204);
        assert!(response.header("access-control-allow-methods").unwrap().contains(method), "{path}");
        assert_eq!(response.header("access-control-allow-headers"), Some("content-type,x-y"));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    }
    let mut asked = request("OPTIONS", "/api", "");
    asked.headers.push(("access-control-request-headers".to_owned(), "a\r\nset-cookie: b".to_owned()));
    assert_eq!(respond(&asked, &store, &|_| {}).header("access-control-allow-headers"), Some("content-type"));
}

#[test]
fn head_is_get_without_a_body() {
    let store = two();
    for path in ["/", "/api", "/api/1"] {
        let (get, head) = (send(&store, "GET", path, ""), send(&store, "HEAD", path, ""));
        assert!(!get.body.is_empty() && head.body.is_empty());
        assert_eq!((get.status, get.headers), (head.status, head.headers), "{path}");
    }
}

#[test]
fn the_page_is_kept_until_it_changes() {
    let store = Memory::default();
    let page = send(&store, "GET", "/", "");
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let mut again = request("GET", "/", "");
    again.headers.push(("if-none-match".to_owned(), page.header("etag").unwrap().to_owned()));
    let again = respond(&again, &store, &|_| {});
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn a_store_that_fails_is_told_as_it_is() {
    let store = two();
    for (text, status, retry) in [
        ("not executed: no answer in time", 503, true),
        ("outcome unknown: connection lost", 504, false),
        ("the disk is full", 500, false),
    ] {
        *store.failure.borrow_mut() = Some(Failure::from_text(text.to_owned()));
        for (method, path, body) in [
            ("GET", "/api", ""),
            ("POST", "/api", r#"{"title":"a"}"#),
            ("DELETE", "/api", ""),
            ("GET", "/api/1", ""),
            ("PUT", "/api/1", r#"{"title":"a"}"#),
            ("PATCH", "/api/1", "{}"),
            ("DELETE", "/api/1", ""),
        ] {
            let response = send(&store, method, path, body);
            assert_eq!(
                (response.status, response.header("retry-after").is_some()),
                (status, retry),
                "{method} {path}"
            );
            assert_eq!(json(&response), json!({ "error": text }));
        }
        // The page itself needs no store.
        assert_eq!(send(&store, "GET", "/", "").status, 200);
    }
}

#[test]
fn a_damaged_todo_hurts_only_itself() {
    let store = two();
    store.todos.borrow_mut().insert(1, b"{damaged".to_vec());
    let logged = RefCell::new(Vec::new());
    let list =
        respond(&request("GET", "/api", ""), &store, &|line| logged.borrow_mut().push(line.to_owned()));
    assert_eq!(json(&list).as_array().unwrap().len(), 1);
    assert!(logged.borrow()[0].starts_with("todo 1 is damaged"));
    assert_eq!(send(&store, "GET", "/api/1", "").status, 500);
    assert_eq!(send(&store, "PATCH", "/api/1", "{}").status, 500);
    assert_eq!(store.todos.borrow()[&1], b"{damaged");
    assert_eq!(send(&store, "PUT", "/api/1", r#"{"title":"whole"}"#).status, 200);
    assert_eq!(json(&send(&store, "GET", "/api", "")).as_array().unwrap().len(), 2);
}
