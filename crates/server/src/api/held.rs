//! Large answers that have been made and not been taken: as many as have room in memory together, whoever does not read them.

use std::sync::LazyLock;

use axum::body::Body;
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

/// An answer of fewer bytes is not counted: those are bounded by the number of connections.
const LARGE: usize = 64 * 1024;
/// Bytes of large answers held at a time, over all connections: sixteen of the largest pages.
const HELD_BYTES_MAX: usize = 256 * 1024 * 1024;

static HELD: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(HELD_BYTES_MAX));

/// A text that gives its share of the memory back once the last byte has gone to the socket, or nobody wants it any more.
struct Held {
    text: Vec<u8>,
    _share: SemaphorePermit<'static>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// The body of an answer; `None` if there is no room for it.
pub(super) fn body(text: Vec<u8>) -> Option<Body> {
    within(&HELD, text).map(Body::from)
}

fn within(held: &'static Semaphore, text: Vec<u8>) -> Option<Bytes> {
    if text.len() < LARGE {
        return Some(Bytes::from(text));
    }
    let share = held.try_acquire_many(u32::try_from(text.len()).ok()?).ok()?;
    Some(Bytes::from_owner(Held { text, _share: share }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_share_what_there_is_and_give_it_back() {
        static ROOM: Semaphore = Semaphore::const_new(3 * LARGE);
        let first = within(&ROOM, vec![b'a'; 2 * LARGE]).unwrap();
        assert_eq!((first.len(), first[0]), (2 * LARGE, b'a'));
        assert!(within(&ROOM, vec![0; 2 * LARGE]).is_none());
        assert!(
            within(&ROOM, vec![0; LARGE - 1]).is_some(),
            "small ones are not counted"
        );
        let rest = first.slice(LARGE..);
        drop(first);
        assert_eq!(ROOM.available_permits(), LARGE, "a part is still to be sent");
        drop(rest);
        assert_eq!(ROOM.available_permits(), 3 * LARGE);
    }
}
