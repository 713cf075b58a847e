//! Reading a request's body: bounded in size, time and depth, and then as JSON.

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::Failing;

/// Largest body: a batch of 1,000 devices with all their attributes fits in it.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a whole body may take.
pub const RECEIVE_MAX: Duration = Duration::from_secs(30);
/// Deepest nesting of objects and lists: more than any thing model needs, less than any stack holds.
pub const DEPTH_MAX: usize = 64;
/// Bytes of bodies held at a time, over all requests.
const HELD_BYTES_MAX: usize = 256 * 1024 * 1024;
/// What is read and thrown away of a body that is too large, so that its sender gets to see the answer.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// For how long.
const DISCARD_MAX: Duration = Duration::from_secs(5);

static HELD: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(HELD_BYTES_MAX));

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// More than [`BYTES_MAX`].
    #[error("body: at most {BYTES_MAX} bytes expected, found more")]
    TooLarge,
    /// It did not arrive in time.
    #[error("body: all of it within {} s expected, not received in time", RECEIVE_MAX.as_secs())]
    TooSlow,
    /// It broke off.
    #[error("body: all of it expected, received only a part")]
    BrokenOff,
    /// The server holds as much as it can.
    #[error("the server is overloaded")]
    Overloaded,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("body: at most {DEPTH_MAX} nested objects and lists expected, found more")]
    TooDeep,
    /// Not JSON.
    #[error("body: JSON in UTF-8 expected, {0}")]
    NotJson(String),
}

/// A body in memory; gives its share of the memory back when it is dropped.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _share: Option<SemaphorePermit<'static>>,
}

/// Receives a body.
pub(super) async fn receive(body: Body) -> Result<Held, Unreadable> {
    receive_within(RECEIVE_MAX, body).await
}

async fn receive_within(limit: Duration, mut body: Body) -> Result<Held, Unreadable> {
    let received = tokio::time::timeout(limit, collect(&mut body)).await;
    let received = received.unwrap_or(Err(Unreadable::TooSlow));
    if matches!(received, Err(Unreadable::TooLarge)) {
        // Whether the sender ever finishes is its own affair.
        drop(tokio::time::timeout(DISCARD_MAX, discard(&mut body)).await);
    }
    received
}

async fn collect(body: &mut Body) -> Result<Held, Unreadable> {
    // What announces to be too large need not be waited for.
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > BYTES_MAX) {
        return Err(Unreadable::TooLarge);
    }
    let mut bytes = BytesMut::new();
    let mut share: Option<SemaphorePermit<'static>> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_cut| Unreadable::BrokenOff)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > BYTES_MAX {
            return Err(Unreadable::TooLarge);
        }
        let more = u32::try_from(data.len()).map_err(|_beyond_u32| Unreadable::TooLarge)?;
        let more = HELD.try_acquire_many(more).map_err(|_full| Unreadable::Overloaded)?;
        match &mut share {
            Some(share) => share.merge(more),
            None => share = Some(more),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Held {
        bytes: bytes.freeze(),
        _share: share,
    })
}

async fn discard(body: &mut Body) {
    let mut left = DISCARD_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length > left {
            return;
        }
        left -= length;
    }
}

/// What some programs write before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Checks that the body is sent as it is: packed bodies are not read.
///
/// # Errors
/// The refusal, with HTTP status 415.
pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), Failing> {
    for encoding in headers.get_all(header::CONTENT_ENCODING) {
        let text = encoding.to_str().unwrap_or("?");
        if text
            .split(',')
            .any(|coding| !coding.trim().eq_ignore_ascii_case("identity"))
        {
            let message = format!("Content-Encoding: identity or no such header expected, found \"{text}\"");
            return Err(Failing::gateway(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    }
    Ok(())
}

/// Parses a body; an absent or blank one is an empty object. A byte order mark in front of it is passed over.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Unreadable> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    if is_too_deep(bytes) {
        return Err(Unreadable::TooDeep);
    }
    serde_json::from_slice(bytes).map_err(|error| Unreadable::NotJson(error.to_string()))
}

/// Looks at brackets alone, before anything recursive sees the text; brackets inside texts do not count.
fn is_too_deep(bytes: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_text(&mut bytes),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

fn skip_text(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn blank_is_an_empty_object_and_rubbish_is_refused() {
        assert_eq!(parse(b""), Ok(json!({})));
        assert_eq!(parse(b" \r\n"), Ok(json!({})));
        assert_eq!(parse(br#"{"a":[1]}"#), Ok(json!({"a": [1]})));
        assert_eq!(parse(b"\xef\xbb\xbf{\"a\":1}"), Ok(json!({"a": 1})));
        assert_eq!(parse(b"\xef\xbb\xbf"), Ok(json!({})));
        for bad in [
            &b"{"[..],
            b"nonsense",
            b"{\"a\":1}x",
            b"{\"a\":\"\xff\"}",
            b"{'a':1}",
            b"{\"a\":1e999}",
            b" \xef\xbb\xbf{}",
            b"\xef\xbb\xbf\xef\xbb\xbf{}",
        ] {
            assert!(matches!(parse(bad), Err(Unreadable::NotJson(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_packed_body_is_refused_whatever_it_is_packed_with() {
        let checked = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, axum::http::HeaderValue::from_static(value));
            }
            check_encoding(&headers).map_err(|failing| failing.status.as_u16())
        };
        for sent in [
            &[][..],
            &["identity"],
            &["Identity", "identity"],
            &["identity, identity"],
        ] {
            assert_eq!(checked(sent), Ok(()), "{sent:?}");
        }
        for packed in [
            &["gzip"][..],
            &["deflate"],
            &["br"],
            &["zstd"],
            &["identity", "gzip"],
            &["identity,gzip"],
            &[""],
        ] {
            assert_eq!(checked(packed), Err(415), "{packed:?}");
        }
    }

    #[test]
    fn nesting_is_counted_outside_texts_only() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(parse(nested(DEPTH_MAX + 1).as_bytes()), Err(Unreadable::TooDeep));
        assert_eq!(parse("[".repeat(10_000).as_bytes()), Err(Unreadable::TooDeep));
        assert_eq!(parse("{\"a\":".repeat(10_000).as_bytes()), Err(Unreadable::TooDeep));
        assert!(parse(json!({"a": "[".repeat(1000)}).to_string().as_bytes()).is_ok());
        assert!(parse(json!({"a\"[": "\\\"[[".repeat(1000)}).to_string().as_bytes()).is_ok());
        assert!(parse("[[],".repeat(3).as_bytes()).is_err());
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_in_time_is_given_up() {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let received = receive_within(Duration::from_millis(1), never).await;
        assert_eq!(received.err(), Some(Unreadable::TooSlow));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            drop(parse(&bytes));
        }
    }
}
