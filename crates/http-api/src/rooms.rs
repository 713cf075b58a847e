//! The memory that the bodies of known callers share, and that their answers share: bounded over all of them, and for
//! each access key.

use std::collections::HashMap;
use std::sync::Arc;

use aldis_core::ids::AppKey;
use parking_lot::Mutex;

/// Bytes of bodies, or of answers, held at a time, over all known callers.
const TOTAL_MAX: usize = 256 * 1024 * 1024;
/// Bytes held at a time for one access key: sixteen of the largest bodies, four of the largest answers, so that one key
/// leaves room for others.
const PER_KEY_MAX: usize = 64 * 1024 * 1024;

/// The memory and who uses it.
pub(super) struct Rooms {
    total_max: usize,
    per_key_max: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    total: usize,
    by_key: HashMap<AppKey, usize>,
}

/// The part of the memory that one caller may use. Unsigned calls (`--no-auth`) have no key and share the whole.
#[derive(Clone)]
pub(super) struct Room {
    rooms: Arc<Rooms>,
    key: Option<AppKey>,
}

/// Bytes that are in use; given back when it is dropped.
pub(super) struct Share {
    room: Room,
    bytes: usize,
}

impl Rooms {
    pub(super) fn new() -> Arc<Self> {
        Self::with_limits(TOTAL_MAX, PER_KEY_MAX)
    }

    pub(super) fn with_limits(total_max: usize, per_key_max: usize) -> Arc<Self> {
        Arc::new(Self {
            total_max,
            per_key_max,
            used: Mutex::default(),
        })
    }

    /// The room of a caller; `None`: of an unsigned one.
    pub(super) fn of(self: &Arc<Self>, key: Option<AppKey>) -> Room {
        Room {
            rooms: Arc::clone(self),
            key,
        }
    }
}

impl Room {
    /// A share of no bytes.
    pub(super) fn share(&self) -> Share {
        Share {
            room: self.clone(),
            bytes: 0,
        }
    }
}

impl Share {
    /// Takes more bytes; false, and nothing is taken, if there is no room for them.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let rooms = &self.room.rooms;
        let mut used = rooms.used.lock();
        if used.total + bytes > rooms.total_max {
            return false;
        }
        if let Some(key) = &self.room.key {
            let of_key = used.by_key.get(key).copied().unwrap_or(0);
            if of_key + bytes > rooms.per_key_max {
                return false;
            }
            used.by_key.insert(key.clone(), of_key + bytes);
        }
        used.total += bytes;
        drop(used);
        self.bytes += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut used = self.room.rooms.used.lock();
        used.total -= self.bytes;
        let Some(key) = &self.room.key else { return };
        if let Some(of_key) = used.by_key.get_mut(key) {
            *of_key -= self.bytes;
            if *of_key == 0 {
                used.by_key.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_at_its_limit_leaves_room_for_others_and_gives_its_own_back() {
        let rooms = Rooms::with_limits(100, 60);
        let (one, other) = (
            rooms.of(Some(AppKey::from("one"))),
            rooms.of(Some(AppKey::from("other"))),
        );
        let mut first = one.share();
        assert!(first.grow(40) && first.grow(20) && !first.grow(1));
        assert!(!one.share().grow(1), "the key's shares count together");
        let mut second = other.share();
        assert!(second.grow(40) && !second.grow(1), "the total is bounded too");
        drop(first);
        assert!(one.share().grow(60));
        drop(second);
        assert!(rooms.of(None).share().grow(100), "unsigned callers share the whole");
        assert!(rooms.used.lock().by_key.is_empty(), "unused keys are forgotten");
    }
}
