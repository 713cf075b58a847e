//! Sending a call: token, signature, time limits, repeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::answer::{self, Answer};
use crate::call::{Call, Method};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::signing::{self, now_ms};
use crate::token::TokenKeeper;
use crate::transport::{self, REPEAT_AFTER};

/// A client of one server for one organization. Cheap to clone; clones share connections and the token.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    base: Url,
    org_id: String,
    tokens: Option<TokenKeeper>,
    /// When the last call was signed: each has a moment of its own, since a signature works once.
    signed: AtomicU64,
}

/// How far the moments of signatures may run ahead of the clock, where more than one call is made in a millisecond: far
/// less than the server allows.
const AHEAD_MAX_MS: u64 = 60_000;

/// An answer's status and body, not yet read.
struct Received {
    status: u16,
    body: Vec<u8>,
}

impl Client {
    /// A client of the server at `base_url`, such as `http://127.0.0.1:8080`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::BadAddress`].
    pub fn new(base_url: &str, credentials: impl Into<Credentials>) -> Result<Self, Error> {
        let base = transport::base_url(base_url)?;
        let http = transport::http(&base)?;
        let credentials = credentials.into();
        let org_id = credentials.org_id().to_owned();
        let tokens = match credentials {
            Credentials::Signed(key) => Some(TokenKeeper::new(key)),
            Credentials::Unsigned { .. } => None,
        };
        let inner = Inner {
            http,
            base,
            org_id,
            tokens,
            signed: AtomicU64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The organization that calls are made for.
    #[must_use]
    pub fn org_id(&self) -> &str {
        &self.inner.org_id
    }

    /// Sends a call and reads its answer. A token that the server no longer takes is renewed once; a call that may be
    /// repeated is sent again, at most three times, when its connection breaks.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<Answer<T>, Error> {
        let url = self.url(&call)?;
        let received = match &self.inner.tokens {
            Some(keeper) => self.send_signed(&call, &url, keeper).await?,
            None => self.send_until_answered(&call, &url, None).await?,
        };
        answer::read(received.status, &received.body)
    }

    async fn send_signed(&self, call: &Call, url: &Url, keeper: &TokenKeeper) -> Result<Received, Error> {
        let Inner { http, base, .. } = &*self.inner;
        let token = keeper.token(http, base).await?;
        let received = self.send_until_answered(call, url, Some((keeper, &token))).await?;
        if received.status != 401 {
            return Ok(received);
        }
        keeper.forget(&token).await;
        let renewed = keeper.token(http, base).await?;
        if renewed == token {
            return Ok(received);
        }
        self.send_until_answered(call, url, Some((keeper, &renewed))).await
    }

    fn url(&self, call: &Call) -> Result<Url, Error> {
        let text = format!(
            "{}/{}",
            self.inner.base.as_str().trim_end_matches('/'),
            call.path.trim_start_matches('/')
        );
        let mut url = Url::parse(&text).map_err(|error| Error::BadAddress {
            address: text,
            reason: error.to_string(),
        })?;
        let named = call.query.iter().any(|(name, _)| name == "orgId");
        let mut query = url.query_pairs_mut();
        query.extend_pairs(&call.query);
        if !named {
            query.append_pair("orgId", &self.inner.org_id);
        }
        drop(query);
        Ok(url)
    }

    async fn send_until_answered(
        &self,
        call: &Call,
        url: &Url,
        token: Option<(&TokenKeeper, &str)>,
    ) -> Result<Received, Error> {
        let mut pauses = REPEAT_AFTER.iter();
        let mut lost_before = false;
        loop {
            let error = match self.send_once(call, url, token).await {
                Ok(received) => return Ok(received),
                Err(error) => error,
            };
            // A server that was never reached is reported at once; one that broke off is probably restarting.
            lost_before |= transport::was_lost(&error);
            match pauses.next().filter(|_| call.repeatable && lost_before) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(self.no_answer(error)),
            }
        }
    }

    fn no_answer(&self, source: reqwest::Error) -> Error {
        Error::Transport {
            address: self.inner.base.to_string(),
            source,
        }
    }

    /// The present, or a little later if a call was signed with it already.
    fn moment(&self) -> u64 {
        let now = now_ms();
        let next = |last: u64| {
            Some(last + 1)
                .filter(|next| (now..now + AHEAD_MAX_MS).contains(next))
                .or(Some(now))
        };
        let last = self
            .inner
            .signed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        next(last.unwrap_or(0)).unwrap_or(now)
    }

    async fn send_once(
        &self,
        call: &Call,
        url: &Url,
        token: Option<(&TokenKeeper, &str)>,
    ) -> Result<Received, reqwest::Error> {
        let mut request = match call.method {
            Method::Get => self.inner.http.get(url.clone()),
            Method::Post => self.inner.http.post(url.clone()),
        };
        if let Some((keeper, token)) = token {
            let (query, body) = (url.query().unwrap_or(""), call.body.as_deref().unwrap_or(""));
            for (name, value) in signing::headers(&keeper.key, token, query, body, self.moment()) {
                request = request.header(name, value);
            }
        }
        if let Some(limit) = call.answered_within {
            request = request.timeout(limit);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if call.method == Method::Post {
            // Also without a body: an unsigned change needs it.
            request = request.header(CONTENT_TYPE, "application/json;charset=UTF-8");
        }
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let body = response.bytes().await?.to_vec();
        Ok(Received { status, body })
    }
}
