//! Reading a request's body: bounded in size, time and depth, and then as JSON.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};

use super::error::Failing;
use super::rooms::{Room, Share};

/// Largest body of a known caller: a batch of 1,000 devices with all their attributes fits in it.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a whole body of a known caller may take.
pub const RECEIVE_MAX: Duration = Duration::from_secs(30);
/// Largest body of a caller that is not known yet: a request for a token has some 200 bytes. Such bodies need no room
/// of their own: as many as there can be connections take a few MiB together.
const STRANGER_BYTES_MAX: usize = 4 * 1024;
/// How long a whole body of a caller that is not known yet may take: as long as the headers.
const STRANGER_RECEIVE_MAX: Duration = Duration::from_secs(10);
/// Deepest nesting of objects and lists: more than any thing model needs, less than any stack holds.
pub const DEPTH_MAX: usize = 64;
/// What is read and thrown away of a body that is too large, so that its sender gets to see the answer.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// For how long.
const DISCARD_MAX: Duration = Duration::from_secs(5);

/// What a body may cost, decided from the headers before any of it is read.
pub(super) enum Budget {
    /// Of a caller that is not known: little and soon.
    Stranger,
    /// Of a caller that is known: a large body, in the memory that is meant for it.
    Caller(Room),
}

impl Budget {
    fn bytes_max(&self) -> usize {
        match self {
            Self::Stranger => STRANGER_BYTES_MAX,
            Self::Caller(_) => BYTES_MAX,
        }
    }

    fn receive_max(&self) -> Duration {
        match self {
            Self::Stranger => STRANGER_RECEIVE_MAX,
            Self::Caller(_) => RECEIVE_MAX,
        }
    }
}

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// More than this many bytes.
    #[error("body: expected at most {0} bytes, found more")]
    TooLarge(usize),
    /// It did not arrive in this time.
    #[error("body: expected all of it within {} s, not received in time", .0.as_secs())]
    TooSlow(Duration),
    /// It broke off.
    #[error("body: expected all of it, received only a part")]
    BrokenOff,
    /// The server holds as much as it can.
    #[error("the server is overloaded")]
    Overloaded,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("body: expected at most {DEPTH_MAX} nested objects and lists, found more")]
    TooDeep,
    /// Not JSON.
    #[error("body: expected JSON in UTF-8, {0}")]
    NotJson(String),
}

/// A body in memory.
pub(super) struct ReceivedBody {
    pub(super) bytes: Bytes,
    /// Its share of the memory; what is read from the body may live as long as it does.
    pub(super) share: Option<Share>,
}

/// Receives a body.
pub(super) async fn receive(body: Body, budget: &Budget) -> Result<ReceivedBody, Unreadable> {
    receive_within(budget.receive_max(), body, budget).await
}

async fn receive_within(limit: Duration, mut body: Body, budget: &Budget) -> Result<ReceivedBody, Unreadable> {
    let received = tokio::time::timeout(limit, collect(&mut body, budget)).await;
    let received = received.unwrap_or(Err(Unreadable::TooSlow(limit)));
    if matches!(received, Err(Unreadable::TooLarge(_))) {
        discard(body).await;
    }
    received
}

async fn collect(body: &mut Body, budget: &Budget) -> Result<ReceivedBody, Unreadable> {
    let bytes_max = budget.bytes_max();
    // What announces to be too large need not be waited for.
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > bytes_max) {
        return Err(Unreadable::TooLarge(bytes_max));
    }
    let mut bytes = BytesMut::new();
    let mut share = match budget {
        Budget::Stranger => None,
        Budget::Caller(room) => Some(room.share()),
    };
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_cut| Unreadable::BrokenOff)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > bytes_max {
            return Err(Unreadable::TooLarge(bytes_max));
        }
        if share.as_mut().is_some_and(|share| !share.grow(data.len())) {
            return Err(Unreadable::Overloaded);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(ReceivedBody {
        bytes: bytes.freeze(),
        share,
    })
}

/// Reads a body whose answer does not depend on it, so that its sender gets to see that answer.
pub(super) async fn discard(mut body: Body) {
    // Whether the sender ever finishes does not matter.
    drop(tokio::time::timeout(DISCARD_MAX, drain(&mut body)).await);
}

async fn drain(body: &mut Body) {
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
            let message = format!("Content-Encoding: expected identity or no such header, found \"{text}\"");
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

    use super::super::rooms::Rooms;
    use super::*;

    #[test]
    fn blank_is_an_empty_object_and_rubbish_is_refused() {
        assert_eq!(parse(b""), Ok(json!({})));
        assert_eq!(parse(b" \r\n"), Ok(json!({})));
        assert_eq!(parse(br#"{"a":[1]}"#), Ok(json!({"a": [1]})));
        assert!(
            parse(b"{\"a\":1e999}").is_ok(),
            "numbers keep their digits; each field checks its range"
        );
        assert_eq!(parse(b"\xef\xbb\xbf{\"a\":1}"), Ok(json!({"a": 1})));
        assert_eq!(parse(b"\xef\xbb\xbf"), Ok(json!({})));
        for bad in [
            &b"{"[..],
            b"nonsense",
            b"{\"a\":1}x",
            b"{\"a\":\"\xff\"}",
            b"{'a':1}",
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
        let limit = Duration::from_millis(1);
        let received = receive_within(limit, never, &Budget::Stranger).await;
        assert_eq!(received.err(), Some(Unreadable::TooSlow(limit)));
    }

    #[tokio::test]
    async fn body_of_a_stranger_is_bounded_to_4_kib_and_takes_no_room() {
        let body = |length| Body::from(vec![b' '; length]);
        let held = receive(body(STRANGER_BYTES_MAX), &Budget::Stranger).await;
        assert!(held.is_ok_and(|held| held.share.is_none()));
        for too_large in [body(STRANGER_BYTES_MAX + 1), unannounced(STRANGER_BYTES_MAX + 1)] {
            let received = receive(too_large, &Budget::Stranger).await;
            assert_eq!(received.err(), Some(Unreadable::TooLarge(STRANGER_BYTES_MAX)));
        }
    }

    /// A body that comes in pieces and does not say how long it will be.
    fn unannounced(length: usize) -> Body {
        let pieces = (0..length).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b" ")));
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn body_of_a_caller_without_room_is_turned_away() {
        let caller = Budget::Caller(Rooms::with_limits(3, 3).of(None));
        let first = receive(Body::from("123"), &caller).await;
        let second = receive(Body::from("1"), &caller).await;
        assert_eq!(second.err(), Some(Unreadable::Overloaded));
        drop(first);
        assert!(receive(Body::from("1"), &caller).await.is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            drop(parse(&bytes));
        }
    }
}
