//! Access tokens (docs/api.md, "Access"): sealed texts that name their key and their end, so that they survive a
//! restart.
//!
//! Memory only holds what makes life easier or stricter while the server runs: which token a key was given last, and
//! which ones were refreshed. Used encryptions are kept as signatures of calls are ([`aldis_engine::proofs`]).

use std::collections::HashMap;

use aldis_core::ids::AppKey;
use aldis_core::secret::Secret;
use aldis_core::time::Timestamp;
use aldis_protocol::api_signature::verify_token_request;
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::access::proof;
use super::{App, Error, Rng};
use aldis_engine::proofs::Claimed;

/// How long a new token is good for.
pub const LIFETIME_MS: i64 = 7200 * 1000;
/// How long a refreshed token is still good for: calls that are under way with it must not fail.
pub const GRACE_MS: i64 = 60 * 1000;
/// What an unknown key's encryption is compared with, as long as a secret that was drawn.
const NO_SECRET: &str = "00000000000000000000000000000000";
/// Characters of a seal: 128 bits.
const SEAL_CHARS: usize = 32;

/// A request for a token.
#[derive(Clone)]
pub struct Request {
    /// The key that asks.
    pub app_key: AppKey,
    /// Digest over key, timestamp and secret.
    pub encryption: String,
    /// The caller's time, epoch milliseconds.
    pub timestamp: i64,
    /// The token to be refreshed; `None`: the current or a first one is wanted.
    pub refresh: Option<String>,
}

/// A token that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The token.
    pub token: Secret,
    /// Seconds that it is still good for.
    pub expires_in_s: i64,
}

/// Why no token was given out.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The encryption was used before.
    #[error("encryption: this signature was already used")]
    Repeated,
    /// No such key, or it may not be used, or the encryption is not that of key, timestamp and secret. Which of them
    /// would tell a stranger what keys there are.
    #[error(
        "appKey, encryption: expected enabled key and SHA-256 over appKey, timestamp and appSecret, found another pair"
    )]
    WrongCredentials,
    /// The timestamp is too far from the server's.
    #[error("timestamp: expected time within 15 minutes of the server's")]
    WrongTime,
    /// The token to be refreshed is no longer valid.
    #[error("accessToken: expected token that has not expired")]
    Expired,
    /// The token to be refreshed is not one of this key.
    #[error("accessToken: expected token of this application")]
    ForeignToken,
    /// The server failed.
    #[error("internal error")]
    Failed(#[from] Error),
}

impl App {
    /// Gives out a token: the key's current one with the rest of its time, or a new one.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn grant_token(&self, request: Request) -> Result<Granted, Denied> {
        let now = self.now();
        if !self.is_near(Timestamp(request.timestamp)) {
            return Err(Denied::WrongTime);
        }
        let key = self.live_key(&request.app_key).await?;
        let timestamp = request.timestamp.to_string();
        // The digest is made in any case, so that the time of the answer does not tell either.
        let secret = key.as_ref().map_or(NO_SECRET, |key| &key.secret.0);
        let is_right = verify_token_request(request.app_key.as_str(), &timestamp, secret, &request.encryption);
        let key = key.filter(|_| is_right).ok_or(Denied::WrongCredentials)?;
        let proof = proof(&request.encryption, &timestamp).ok_or(Denied::WrongCredentials)?;
        let request_id = self.rng().uuid();
        match self
            .shared()
            .proofs
            .claim(&key.app_key, proof, &request_id, self.earlier_now())
        {
            Claimed::New(claim) => self.keep(claim).await,
            Claimed::Used => return Err(Denied::Repeated),
        }
        let tokens = self.tokens();
        match request.refresh {
            None => Ok(tokens.current(&key.app_key, now, self.rng())),
            Some(old) => tokens.refresh(&key.app_key, &old, now, self.rng()),
        }
    }
}

/// The tokens of all keys.
pub struct Tokens {
    /// Keyed; each seal begins with a copy.
    mac: Hmac<Sha256>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    current: HashMap<AppKey, Sealed>,
    /// Refreshed tokens → the end of their grace.
    retired: HashMap<String, Timestamp>,
}

#[derive(Clone)]
struct Sealed {
    text: String,
    ends: Timestamp,
}

impl Sealed {
    fn granted(&self, now: Timestamp) -> Granted {
        Granted {
            token: Secret(self.text.clone()),
            expires_in_s: self.ends.ms_since(now) / 1000,
        }
    }
}

impl Tokens {
    /// Tokens sealed with this key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(&key);
        Self {
            mac: Hmac::new(&block.into()),
            memory: Mutex::default(),
        }
    }

    /// Whose token this is.
    pub fn owner(&self, token: &str, now: Timestamp) -> Result<AppKey, Error> {
        let (app_key, ends) = self
            .open(token)
            .ok_or(Error::Unauthenticated("not a token of this server"))?;
        let retired = self.memory.lock().retired.get(token).copied();
        // One that is good for longer than any is was made by a clock that was ahead.
        let unlikely = ends.ms_since(now) > LIFETIME_MS;
        if unlikely || now >= ends || retired.is_some_and(|ends| now >= ends) {
            return Err(Error::TokenExpired);
        }
        Ok(app_key)
    }

    /// Tokens whose last second has begun are not handed out: they would be refused on arrival.
    pub fn current(&self, app_key: &AppKey, now: Timestamp, rng: &dyn Rng) -> Granted {
        let mut memory = self.memory.lock();
        if let Some(sealed) = memory
            .current
            .get(app_key)
            .filter(|sealed| sealed.ends.ms_since(now) >= 1000)
        {
            return sealed.granted(now);
        }
        self.issue(&mut memory, app_key, now, rng)
    }

    fn refresh(&self, app_key: &AppKey, old: &str, now: Timestamp, rng: &dyn Rng) -> Result<Granted, Denied> {
        match self.owner(old, now) {
            Ok(owner) if owner == *app_key => {}
            Err(Error::TokenExpired) => return Err(Denied::Expired),
            Ok(_) | Err(_) => return Err(Denied::ForeignToken),
        }
        let mut memory = self.memory.lock();
        if memory.retired.contains_key(old)
            && let Some(sealed) = memory.current.get(app_key).filter(|sealed| sealed.ends > now)
        {
            return Ok(sealed.granted(now));
        }
        memory.retired.insert(old.to_owned(), now.plus_ms(GRACE_MS));
        Ok(self.issue(&mut memory, app_key, now, rng))
    }

    fn issue(&self, memory: &mut Memory, app_key: &AppKey, now: Timestamp, rng: &dyn Rng) -> Granted {
        memory.current.retain(|_, sealed| sealed.ends > now);
        // A retired token is kept until it has ended by itself: before that its seal would still be good.
        memory
            .retired
            .retain(|_, grace_ends| grace_ends.plus_ms(LIFETIME_MS) > now);
        let ends = now.plus_ms(LIFETIME_MS);
        let content = format!("{}.{:x}.{}", app_key, ends.0, rng.text(12));
        let sealed = Sealed {
            text: format!("{content}.{}", self.seal(&content)),
            ends,
        };
        let granted = sealed.granted(now);
        memory.current.insert(app_key.clone(), sealed);
        granted
    }

    fn open(&self, token: &str) -> Option<(AppKey, Timestamp)> {
        let (content, seal) = token.rsplit_once('.')?;
        if !bool::from(self.seal(content).as_bytes().ct_eq(seal.as_bytes())) {
            return None;
        }
        let mut parts = content.rsplitn(3, '.').skip(1);
        let ends = i64::from_str_radix(parts.next()?, 16).ok()?;
        Some((AppKey::from(parts.next()?), Timestamp(ends)))
    }

    /// HMAC-SHA-256, cut to 128 bits.
    fn seal(&self, content: &str) -> String {
        let mut seal = hex::encode(self.mac.clone().chain_update(content).finalize().into_bytes());
        seal.truncate(SEAL_CHARS);
        seal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRng;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn tokens() -> Tokens {
        Tokens::new([7; 32])
    }

    #[test]
    fn a_seal_is_hmac_sha256() {
        // RFC 4231, test case 2, its key padded to 32 bytes, which HMAC does anyway.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            Tokens::new(key).seal("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c7"
        );
    }

    #[test]
    fn the_same_token_is_returned_with_the_rest_of_its_time_until_its_last_second() {
        let (tokens, key) = (tokens(), AppKey::from("app"));
        let first = tokens.current(&key, NOW, &SystemRng);
        assert_eq!(first.expires_in_s, 7200);
        let again = tokens.current(&key, NOW.plus_ms(100_500), &SystemRng);
        assert_eq!((again.token.as_str(), again.expires_in_s), (first.token.as_str(), 7099));
        let next = tokens.current(&key, NOW.plus_ms(LIFETIME_MS - 999), &SystemRng);
        assert_ne!(next.token, first.token);
        assert_eq!(next.expires_in_s, 7200);
    }

    #[test]
    fn a_token_survives_a_restart_and_ends_after_two_hours() {
        let token = tokens().current(&AppKey::from("app.with.dots"), NOW, &SystemRng).token;
        let restarted = tokens();
        assert_eq!(restarted.owner(&token, NOW).unwrap().as_str(), "app.with.dots");
        assert!(restarted.owner(&token, NOW.plus_ms(LIFETIME_MS - 1)).is_ok());
        assert!(matches!(
            restarted.owner(&token, NOW.plus_ms(LIFETIME_MS)),
            Err(Error::TokenExpired)
        ));
    }

    #[test]
    fn a_forged_token_is_nobodys() {
        let token = tokens().current(&AppKey::from("app"), NOW, &SystemRng).token.0;
        let forged = [
            token.replacen("app", "apq", 1),
            format!("{token}0"),
            String::new(),
            "...".to_owned(),
            "x".to_owned(),
        ];
        for forged in forged {
            assert!(
                matches!(tokens().owner(&forged, NOW), Err(Error::Unauthenticated(_))),
                "{forged}"
            );
        }
        assert!(Tokens::new([8; 32]).owner(&token, NOW).is_err());
    }

    #[test]
    fn a_refreshed_token_is_good_for_another_minute() {
        let (tokens, key) = (tokens(), AppKey::from("app"));
        let old = tokens.current(&key, NOW, &SystemRng).token;
        let new = tokens.refresh(&key, &old, NOW, &SystemRng).unwrap();
        assert_ne!(new.token, old);
        assert_eq!(tokens.current(&key, NOW, &SystemRng).token, new.token);
        assert_eq!(
            tokens.refresh(&key, &old, NOW, &SystemRng).unwrap().token,
            new.token,
            "refreshed twice"
        );
        assert!(tokens.owner(&old, NOW.plus_ms(GRACE_MS - 1)).is_ok());
        assert!(matches!(
            tokens.owner(&old, NOW.plus_ms(GRACE_MS)),
            Err(Error::TokenExpired)
        ));
        assert!(matches!(
            tokens.refresh(&key, &old, NOW.plus_ms(GRACE_MS), &SystemRng),
            Err(Denied::Expired)
        ));
        let foreign = tokens.current(&AppKey::from("other"), NOW, &SystemRng).token;
        assert!(matches!(
            tokens.refresh(&key, &foreign, NOW, &SystemRng),
            Err(Denied::ForeignToken)
        ));
    }
}
