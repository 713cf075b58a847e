//! One call before it is sent: path, query, body, and whether it may be repeated.

use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

/// HTTP method of a [`Call`]; the API knows only these two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes, and reads with a body.
    Post,
}

/// A call of the API. The typed methods of [`crate::Client`] make these; tests and tools may make their own.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) repeatable: bool,
    pub(crate) answered_within: Option<Duration>,
}

impl Call {
    /// A GET with the query parameter `action`. It changes nothing and is repeated if its connection is lost.
    pub fn get(path: &str, action: &str) -> Self {
        Self::new(Method::Get, path, action).repeatable()
    }

    /// A POST with the query parameter `action`. It is sent once, unless made repeatable.
    pub fn post(path: &str, action: &str) -> Self {
        Self::new(Method::Post, path, action)
    }

    fn new(method: Method, path: &str, action: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: vec![("action".to_owned(), action.to_owned())],
            body: None,
            idempotency_key: None,
            repeatable: false,
            answered_within: None,
        }
    }

    /// Adds a query parameter. `orgId` is added by the client unless it is given here.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Adds several query parameters.
    #[must_use]
    pub fn query_all(mut self, parameters: Vec<(&'static str, String)>) -> Self {
        let owned = parameters.into_iter().map(|(name, value)| (name.to_owned(), value));
        self.query.extend(owned);
        self
    }

    /// Sends `body` as JSON.
    ///
    /// # Panics
    /// If `body` is a map whose keys are no strings: such a value has no JSON form.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        let text = serde_json::to_string(body).expect("request bodies have string keys only");
        self.text(text)
    }

    /// Sends `body` as it is, under the content type of JSON.
    #[must_use]
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Allows to send the call again when the connection broke before the answer: for calls that change nothing.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Waits so long for the answer: for calls that wait for a device.
    #[must_use]
    pub fn answered_within(mut self, limit: Duration) -> Self {
        self.answered_within = Some(limit);
        self
    }

    /// Gives the call a new idempotency key: the server carries it out once, however often it arrives, so that it may
    /// be repeated like a read (docs/api.md, "Idempotency").
    #[must_use]
    pub fn idempotent(self) -> Self {
        self.idempotency_key(Uuid::new_v4().to_string())
    }

    /// Like [`Call::idempotent`] with a key of the caller's, at most 128 characters.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self.repeatable()
    }
}
