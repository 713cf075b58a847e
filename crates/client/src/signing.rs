//! The headers that prove who calls, put together over `aldis_protocol::api_signature` (docs/api.md, "Access").

use std::time::{SystemTime, UNIX_EPOCH};

use aldis_protocol::api_signature::SignedCall;

use crate::credentials::AccessKey;

/// The headers of a signed call: token, signature, moment of signing in epoch milliseconds. `query` and `body` are what
/// is really sent, to the byte.
pub(crate) fn headers(
    key: &AccessKey,
    token: &str,
    query: &str,
    body: &str,
    now_ms: u64,
) -> [(&'static str, String); 3] {
    let timestamp = now_ms.to_string();
    let call = SignedCall {
        token,
        query,
        body: body.as_bytes(),
        timestamp: &timestamp,
    };
    let signature = call.sign(&key.app_secret);
    [
        ("apim-accesstoken", token.to_owned()),
        ("apim-signature", signature),
        ("apim-timestamp", timestamp),
    ]
}

/// The present in epoch milliseconds, as signatures name it.
#[expect(
    clippy::disallowed_methods,
    reason = "the server compares a signature's moment with its own wall clock; nothing else depends on it"
)]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(query: &str, body: &str) -> String {
        let key = AccessKey {
            org_id: "o1".into(),
            app_key: "demo-app-key".into(),
            app_secret: "demo-app-secret".into(),
        };
        let [_, (_, signature), _] = headers(&key, "demo-token", query, body, 1_700_000_000_000);
        signature
    }

    #[test]
    fn signatures_cover_the_query_and_the_body() {
        assert_eq!(
            signature("action=getJob&orgId=o1&jobId=j1", ""),
            "b191bbae18f75ea2cceabce5391ff5a233b1c6ee3daa59a55197dba8dbae993d"
        );
        assert_eq!(
            signature("action=cancelTask&orgId=o1&jobId=j1", r#"{"taskIds":["t1"]}"#),
            "ed232a823ea060fefc7891edb1d6f345df822a7406282832a1ba471f896244bd"
        );
    }
}
