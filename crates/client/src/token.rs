//! The access token: fetched at the first call, refreshed before it ends, fetched anew when the server forgot it.

use std::time::{Duration, Instant};

use aldis_core::secret::Secret;
use aldis_protocol::api_signature;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::credentials::AccessKey;
use crate::error::Error;
use crate::signing::now_ms;

/// A token with less left than this is refreshed before it is used.
const REFRESH_BEFORE_END: Duration = Duration::from_secs(120);
/// Status of the token service: this very encryption was seen before, as when two processes ask in one millisecond.
const SEEN_BEFORE: i64 = 1001;
/// How often another millisecond is tried after [`SEEN_BEFORE`].
const TRIES_MAX: u32 = 5;

/// One access key's token, shared by all calls of a client.
#[derive(Debug)]
pub(crate) struct TokenKeeper {
    pub(crate) key: AccessKey,
    current: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    ends: Instant,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest<'a> {
    app_key: &'a str,
    encryption: String,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    // The vendor's own sample misspells it.
    #[serde(alias = "stauts", alias = "code")]
    status: i64,
    #[serde(default)]
    msg: Option<String>,
    #[serde(default)]
    data: Option<TokenData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenData {
    access_token: String,
    expire: u64,
}

impl TokenKeeper {
    pub(crate) fn new(key: AccessKey) -> Self {
        Self {
            key,
            current: Mutex::new(None),
        }
    }

    /// A token with time left. Concurrent callers wait for one another, so that one of them asks for all.
    pub(crate) async fn token(&self, http: &reqwest::Client, base: &Url) -> Result<Secret, Error> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref() {
            let left = token.ends.saturating_duration_since(Instant::now());
            if left > REFRESH_BEFORE_END {
                return Ok(token.value.clone());
            }
            if let Ok(fresh) = self.ask(http, base, "refresh", Some(&token.value)).await {
                return Ok(current.insert(fresh).value.clone());
            }
        }
        let fresh = self.ask(http, base, "get", None).await?;
        Ok(current.insert(fresh).value.clone())
    }

    /// Drops a token that the server refused, unless another caller has replaced it already.
    pub(crate) async fn forget(&self, refused: &str) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| *token.value == refused) {
            *current = None;
        }
    }

    async fn ask(&self, http: &reqwest::Client, base: &Url, verb: &str, old: Option<&str>) -> Result<Token, Error> {
        let mut tries = 1;
        loop {
            match self.ask_once(http, base, verb, old).await {
                Err(Error::Unauthorized { code: SEEN_BEFORE, .. }) if tries < TRIES_MAX => {
                    tokio::time::sleep(Duration::from_millis(1 << tries)).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn ask_once(
        &self,
        http: &reqwest::Client,
        base: &Url,
        verb: &str,
        old: Option<&str>,
    ) -> Result<Token, Error> {
        let lost = |source| Error::Transport {
            address: base.to_string(),
            source,
        };
        let asked = Instant::now();
        let timestamp = now_ms();
        let request = TokenRequest {
            app_key: &self.key.app_key,
            encryption: encryption(&self.key, timestamp),
            timestamp,
            access_token: old,
        };
        let url = format!(
            "{}/apim-token-service/v2.0/token/{verb}",
            base.as_str().trim_end_matches('/')
        );
        let response = http.post(url).json(&request).send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(lost)?;
        read(status, &body, asked)
    }
}

fn encryption(key: &AccessKey, timestamp: u64) -> String {
    api_signature::encrypt_token_request(&key.app_key, &timestamp.to_string(), &key.app_secret)
}

fn read(status: u16, body: &[u8], asked: Instant) -> Result<Token, Error> {
    let answer: TokenAnswer = serde_json::from_slice(body).map_err(|error| Error::BadAnswer {
        status,
        reason: format!("the token service: {error}"),
    })?;
    match answer.data {
        Some(data) if answer.status == 0 => Ok(Token {
            value: Secret(data.access_token),
            ends: asked + Duration::from_secs(data.expire),
        }),
        _ if answer.status == 0 => Err(Error::BadAnswer {
            status,
            reason: "the token service gave no token".to_owned(),
        }),
        _ => Err(Error::Unauthorized {
            code: answer.status,
            msg: answer.msg.unwrap_or_default(),
            request_id: String::new(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_a_token_is_encrypted_as_documented() {
        let key = AccessKey {
            org_id: "o1".into(),
            app_key: "demo-app-key".into(),
            app_secret: "demo-app-secret".into(),
        };
        assert_eq!(
            encryption(&key, 1_700_000_000_000),
            "aa3dbd256274525928efdc00818d2254c70e20945bd4b5d93dce11c31aecf403"
        );
    }

    #[test]
    fn the_vendors_misspelled_answer_is_read() {
        let body = br#"{"stauts":0,"msg":"SUCCESS","data":{"accessToken":"t","expire":7200}}"#;
        assert_eq!(read(200, body, Instant::now()).unwrap().value, "t".into());
    }
}
