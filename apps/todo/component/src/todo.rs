//! A todo: what a client may say about it, what is stored of it, and what a client gets.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// A todo as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Todo {
    /// What there is to do.
    pub title: String,
    /// Whether it is done.
    #[serde(default)]
    pub completed: bool,
    /// A place in whatever order the client keeps; this application keeps none.
    #[serde(default)]
    pub order: Option<Number>,
}

/// A todo as a client gets it.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    /// Its number.
    pub id: u64,
    /// Its absolute address.
    pub url: String,
    #[serde(flatten)]
    todo: &'a Todo,
}

/// What a client said: absent fields say nothing. `order: null` takes the order away.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    title: Option<String>,
    completed: Option<bool>,
    order: Option<Option<Number>>,
}

impl Todo {
    /// The same with its number and address.
    pub fn view(&self, id: u64, url: String) -> View<'_> {
        View { id, url, todo: self }
    }

    /// As it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From what was stored; `None` if that is no todo.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Said {
    /// Reads what a client said, or says what is wrong with it. Fields that are not a todo's are passed over:
    /// clients send back what they got.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| format!("the body is not UTF-8 at byte {}", error.valid_up_to()))?;
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("the body is not JSON: {error}"))?;
        let Value::Object(mut fields) = value else {
            return Err(format!("a todo is an object such as {{\"title\": \"…\"}}, not {}", kind(&value)));
        };
        Ok(Self {
            title: take(&mut fields, "title", "a text", |value| match value {
                Value::String(title) => Ok(title),
                other => Err(other),
            })?,
            completed: take(&mut fields, "completed", "true or false", |value| match value {
                Value::Bool(completed) => Ok(completed),
                other => Err(other),
            })?,
            order: take(&mut fields, "order", "a number or null", |value| match value {
                Value::Number(order) => Ok(Some(order)),
                Value::Null => Ok(None),
                other => Err(other),
            })?,
        })
        .and_then(Self::with_a_title_if_any)
    }

    /// A todo of its own: what was not said is as in a new one.
    pub fn whole(self) -> Result<Todo, String> {
        let title = self.title.ok_or("a todo needs a title")?;
        Ok(Todo { title, completed: self.completed.unwrap_or(false), order: self.order.flatten() })
    }

    /// `todo` with what was said.
    pub fn change(&self, todo: Todo) -> Todo {
        Todo {
            title: self.title.clone().unwrap_or(todo.title),
            completed: self.completed.unwrap_or(todo.completed),
            order: self.order.clone().unwrap_or(todo.order),
        }
    }

    fn with_a_title_if_any(self) -> Result<Self, String> {
        if self.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
            return Err("title must not be blank".to_owned());
        }
        Ok(self)
    }
}

fn take<T>(
    fields: &mut Map<String, Value>,
    name: &str,
    allowed: &str,
    read: impl FnOnce(Value) -> Result<T, Value>,
) -> Result<Option<T>, String> {
    let Some(value) = fields.remove(name) else { return Ok(None) };
    read(value).map(Some).map_err(|found| format!("{name} must be {allowed}, not {}", kind(&found)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expected: Result<&str, &str>) {
        let said = Said::parse(body).and_then(Said::whole);
        let found = said.map(|todo| String::from_utf8(todo.to_bytes()).unwrap());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn a_todo_needs_a_title_and_nothing_else() {
        check(br#"{"title":"a"}"#, Ok(r#"{"title":"a","completed":false,"order":null}"#));
        check(
            br#"{"title":"a","completed":true,"order":7,"url":"x","id":[]}"#,
            Ok(r#"{"title":"a","completed":true,"order":7}"#),
        );
        check(br#"{"title":"a","order":1.5}"#, Ok(r#"{"title":"a","completed":false,"order":1.5}"#));
        check(br#"{"title":"a","order":null}"#, Ok(r#"{"title":"a","completed":false,"order":null}"#));
    }

    #[test]
    fn what_is_no_todo_is_refused_with_a_reason() {
        check(b"{}", Err("a todo needs a title"));
        check(br#"{"title":" "}"#, Err("title must not be blank"));
        check(br#"{"title":7}"#, Err("title must be a text, not a number"));
        check(br#"{"title":"a","completed":"yes"}"#, Err("completed must be true or false, not a text"));
        check(br#"{"title":"a","completed":null}"#, Err("completed must be true or false, not null"));
        check(br#"{"title":"a","order":"1"}"#, Err("order must be a number or null, not a text"));
        check(b"[]", Err("a todo is an object such as {\"title\": \"…\"}, not a list"));
        check(b"\"a\"", Err("a todo is an object such as {\"title\": \"…\"}, not a text"));
        check(b"{\"title\":\"\xff\"}", Err("the body is not UTF-8 at byte 10"));
        for body in [&b""[..], b"{", b"{\"title\":\"a\"}x", b"{title:1}"] {
            let error = Said::parse(body).unwrap_err();
            assert!(error.starts_with("the body is not JSON: "), "{error}");
        }
        assert!(Said::parse("[".repeat(60_000).as_bytes()).is_err());
    }

    #[test]
    fn a_change_keeps_what_was_not_said() {
        let todo = Todo { title: "a".to_owned(), completed: true, order: Some(7.into()) };
        let change = |body: &str| Said::parse(body.as_bytes()).unwrap().change(todo.clone());
        assert_eq!(change("{}"), todo);
        assert_eq!(change(r#"{"title":"b"}"#), Todo { title: "b".to_owned(), ..todo.clone() });
        assert_eq!(change(r#"{"completed":false}"#), Todo { completed: false, ..todo.clone() });
        assert_eq!(change(r#"{"order":null}"#), Todo { order: None, ..todo.clone() });
    }

    #[test]
    fn what_is_stored_reads_back() {
        let todo = Todo { title: "ä \u{0} \"".to_owned(), completed: true, order: Some(7.into()) };
        assert_eq!(Todo::from_bytes(&todo.to_bytes()), Some(todo));
        assert_eq!(Todo::from_bytes(b"damaged"), None);
    }
}
