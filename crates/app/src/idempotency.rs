//! What makes a repeated request recognisable (docs/api.md, "Repeated requests").

use aldis_core::violation::Violation;
use aldis_store::rows::Idempotency;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::access::USED_BEFORE;
use super::{App, Caller, Error};

/// Longest accepted key, in characters: room for two UUIDs and a prefix.
pub const KEY_CHARS_MAX: usize = 128;

impl App {
    /// Checks that a call whose signature was used before is the first one again: only that is answered.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub async fn check_repetition(&self, caller: &Caller, mark: Option<&Idempotency>) -> Result<(), Error> {
        if !caller.repeats {
            return Ok(());
        }
        let mark = mark.ok_or(USED_BEFORE)?;
        let before = self
            .look_up(|store| store.idempotency_record(&mark.scope, &mark.key, self.now()))
            .await?;
        match before {
            Some(before) if before.digest == mark.digest => Ok(()),
            _ => Err(USED_BEFORE),
        }
    }
}

/// The mark of a request: whose it is, the caller's key for it, and a digest of all that it says.
///
/// The digest is over the parsed body, so that another layout of the same JSON is the same request.
///
/// # Errors
/// The key is empty or too long.
pub fn of_request(
    caller: &Caller,
    key: &str,
    action: &str,
    subject: &str,
    body: &Value,
) -> Result<Idempotency, Violation> {
    if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
        let rule = format!("text of 1 to {KEY_CHARS_MAX} characters");
        return Err(Violation::of_text(key, rule).within("Idempotency-Key"));
    }
    let mut digest = Sha256::new();
    for part in [action, subject, &body.to_string()] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let app_key = caller.app_key.as_ref().map_or("", |key| key.as_str());
    Ok(Idempotency {
        scope: format!("{}/{app_key}", caller.org),
        key: key.to_owned(),
        digest: digest.finalize().into(),
    })
}

#[cfg(test)]
mod tests {
    use aldis_core::ids::AppKey;
    use aldis_store::rows::Role;
    use serde_json::json;

    use super::*;

    fn caller(app_key: Option<&str>) -> Caller {
        let app_key = app_key.map(AppKey::from);
        Caller {
            org: "o1".into(),
            role: Role::Operator,
            app_key,
            address: None,
            request_id: "r".to_owned(),
            repeats: false,
        }
    }

    #[test]
    fn the_same_request_in_another_layout_has_the_same_mark() {
        let body: Value = serde_json::from_str(r#"{"a":1,"b":[2]}"#).unwrap();
        let same: Value = serde_json::from_str("{ \"b\": [ 2 ],\n \"a\": 1 }").unwrap();
        fn of_request(caller: &Caller, action: &str, subject: &str, body: &Value) -> Idempotency {
            super::of_request(caller, "k", action, subject, body).unwrap()
        }
        let first = of_request(&caller(Some("app")), "createJob", "", &body);
        assert_eq!(first, of_request(&caller(Some("app")), "createJob", "", &same));
        assert_ne!(
            first.digest,
            of_request(&caller(Some("app")), "createJob", "", &json!({"a": 2, "b": [2]})).digest
        );
        assert_ne!(
            first.digest,
            of_request(&caller(Some("app")), "retryTask", "", &body).digest
        );
        assert_ne!(
            first.digest,
            of_request(&caller(Some("app")), "createJob", "j", &body).digest
        );
        assert_ne!(
            first.scope,
            of_request(&caller(Some("other")), "createJob", "", &body).scope
        );
        assert_ne!(first.scope, of_request(&caller(None), "createJob", "", &body).scope);
    }

    #[test]
    fn keys_have_one_to_128_characters() {
        let of_key = |key: &str| super::of_request(&caller(None), key, "createJob", "", &json!({}));
        assert!(of_key(&"é".repeat(128)).is_ok());
        assert!(
            of_key(&"k".repeat(129))
                .unwrap_err()
                .to_string()
                .starts_with("Idempotency-Key: expected text of 1 to 128")
        );
        assert!(of_key("").is_err());
    }
}
