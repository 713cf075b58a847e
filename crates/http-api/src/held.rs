//! Large answers that have been made and not been taken: as many as have room in memory together, however slowly they
//! are read.

use axum::body::Body;
use bytes::Bytes;

use super::rooms::{Room, Share};

/// An answer of fewer bytes is not counted: those are bounded by the number of connections.
const LARGE: usize = 64 * 1024;
/// A text that gives its share of the memory back once the last byte has gone to the socket, or its receiver has gone.
struct AnswerInMemory {
    text: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for AnswerInMemory {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// The body of an answer; `None` if its caller's room does not hold it.
pub(super) fn body(text: Vec<u8>, room: &Room) -> Option<Body> {
    within(room, text).map(Body::from)
}

fn within(room: &Room, text: Vec<u8>) -> Option<Bytes> {
    if text.len() < LARGE {
        return Some(Bytes::from(text));
    }
    let mut share = room.share();
    share
        .grow(text.len())
        .then(|| Bytes::from_owner(AnswerInMemory { text, _share: share }))
}

#[cfg(test)]
mod tests {
    use super::super::rooms::Rooms;
    use super::*;

    #[test]
    fn large_answers_share_what_there_is_and_give_it_back() {
        let rooms = Rooms::with_limits(3 * LARGE, 3 * LARGE);
        let room = rooms.of(None);
        let is_free = |bytes| room.share().grow(bytes);
        let first = within(&room, vec![b'a'; 2 * LARGE]).unwrap();
        assert_eq!((first.len(), first[0]), (2 * LARGE, b'a'));
        assert!(within(&room, vec![0; 2 * LARGE]).is_none());
        assert!(
            within(&room, vec![0; LARGE - 1]).is_some(),
            "small ones are not counted"
        );
        let rest = first.slice(LARGE..);
        drop(first);
        assert!(is_free(LARGE) && !is_free(LARGE + 1), "a part is still to be sent");
        drop(rest);
        assert!(is_free(3 * LARGE));
    }
}
