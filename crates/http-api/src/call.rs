//! One call of an action, after its caller is known: parameters, body, headers.

use aldis_core::violation::Violation;
use aldis_store::rows::Idempotency;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::decode::decode;
use super::query::Query;
use super::socket::Peer;
use aldis_app::{App, Caller, Error, idempotency};

/// A call.
pub(super) struct Call {
    /// Who calls.
    pub(super) caller: Caller,
    /// The path that was called, with single slashes.
    pub(super) path: &'static str,
    /// The documented name of the action that was called.
    pub(super) action: &'static str,
    /// The query.
    pub(super) query: Query,
    /// The body.
    pub(super) body: Value,
    /// The header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
    /// The other end of its connection, if it came over one.
    pub(super) peer: Option<Peer>,
}

impl Call {
    /// The body as a `T`.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        decode(&self.body).map_err(|violation| Error::Invalid(in_body(violation)))
    }

    /// A parameter: from the query or, because clients differ, a text of that name in the body.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let in_body = || {
            self.body
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        self.query.get(name).or_else(in_body)
    }

    /// A parameter that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Error> {
        let missing = || Error::Invalid(Violation::of(&Value::Null, "a value").within(name));
        self.get(name).ok_or_else(missing)
    }

    /// A parameter whose absence means more than any of its values: a value that it cannot have must not count as none.
    pub(super) fn optional(&self, name: &str) -> Result<Option<&str>, Error> {
        let usable = |text: &&str| !text.is_empty();
        let refused = |found: &Value| Error::Invalid(Violation::of(found, "text (or no such parameter)").within(name));
        if let Some(text) = self.query.given(name) {
            return Some(text).filter(usable).ok_or_else(|| refused(&text.into())).map(Some);
        }
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(found) => found.as_str().filter(usable).ok_or_else(|| refused(found)).map(Some),
        }
    }

    /// Done once the caller has left.
    pub(super) async fn left(&self) {
        match &self.peer {
            Some(peer) => peer.left().await,
            None => std::future::pending().await,
        }
    }

    /// What makes a repetition of this call recognisable, if its sender wants that. `subject` is what the query names.
    /// A call whose signature was used before goes on from here only if it is the first one again.
    pub(super) async fn idempotency(&self, app: &App, subject: &str) -> Result<Option<Idempotency>, Error> {
        let idempotency = |key: &String| idempotency::of_request(&self.caller, key, self.action, subject, &self.body);
        let idempotency = self.idempotency_key.as_ref().map(idempotency).transpose()?;
        app.check_repetition(&self.caller, idempotency.as_ref()).await?;
        Ok(idempotency)
    }
}

fn in_body(violation: Violation) -> Violation {
    if violation.path.is_empty() {
        violation.within("body")
    } else {
        violation
    }
}
