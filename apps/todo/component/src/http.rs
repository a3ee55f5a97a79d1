//! Requests and answers as plain values.

/// Most bytes of a request's body: a todo is a line of text.
pub const BODY_LIMIT: usize = 64 * 1024;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// In capitals: `GET`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// How the host received it: `http` or `https`, if it says so.
    pub scheme: Option<String>,
    /// What the client asked: `localhost:8082`, if it says so.
    pub authority: Option<String>,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body, or why there is none.
    pub body: Body,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// It is longer than [`BODY_LIMIT`].
    TooLong,
    /// The client stopped in the middle.
    BrokenOff,
}

impl Default for Body {
    fn default() -> Self {
        Self::Whole(Vec::new())
    }
}

impl Request {
    /// The value of a header, whose name is given in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `200` and so on.
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// The body; none if it is empty.
    pub body: Vec<u8>,
}

impl Response {
    /// No body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A body of JSON. What the API answers changes any moment, so nobody may keep it.
    pub fn json(status: u16, value: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { body, ..Self::empty(status) }
            .with("content-type", "application/json")
            .with("cache-control", "no-store")
    }

    /// `{"error": reason}`.
    pub fn error(status: u16, reason: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": reason }))
    }

    /// The same with one header more.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}
