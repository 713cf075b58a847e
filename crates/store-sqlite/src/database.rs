//! Who may use which connection: the writer has one of its own, readers share a few.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aldis_store::{Budget, Error};
use parking_lot::Mutex;

use crate::db::Db;
use crate::driver_error::Result;
use crate::files::Files;
use crate::lock::Lock;

/// The driver, by the way it reaches its connections.
#[derive(Clone)]
pub struct Database<A> {
    pub(crate) access: A,
}

/// The one writer; it also reads, through the same connection.
pub type SqliteStore = Database<Sole>;
/// Reads without waiting for the writer. Clones share the connections.
pub type SqliteReader = Database<Pool>;

impl<A> Database<A> {
    pub(crate) fn new(access: A) -> Self {
        Self { access }
    }
}

/// A way to a connection.
pub(crate) trait Access: Send + Sync {
    fn with<T>(&self, use_it: impl FnOnce(&Db) -> T) -> T;

    /// Reads one state of the database; `what` says what is read.
    fn read<T>(&self, what: &str, read: impl FnOnce(&Db) -> Result<T>) -> Result<T, Error> {
        self.with(|db| db.snapshot(read))
            .map_err(|failure| failure.during(what))
    }
}

/// A connection of one's own. The data directory stays locked as long as it lives.
pub struct Sole {
    pub(crate) db: Mutex<Db>,
    pub(crate) files: Files,
    _lock: Arc<Lock>,
}

impl Sole {
    pub(crate) fn new(db: Db, files: Files, lock: Arc<Lock>) -> Self {
        Self {
            db: Mutex::new(db),
            files,
            _lock: lock,
        }
    }
}

impl Access for Sole {
    fn with<T>(&self, use_it: impl FnOnce(&Db) -> T) -> T {
        use_it(&self.db.lock())
    }
}

/// Connections that are handed around. The data directory stays locked as long as one of them lives.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    /// Those of the connections that are used.
    used: Range<usize>,
    /// How long each question may go on.
    budget: Option<Arc<Budget>>,
}

struct Shared {
    connections: Vec<Mutex<Db>>,
    next: AtomicUsize,
    _lock: Arc<Lock>,
}

impl Pool {
    /// `connections` must not be empty.
    pub(crate) fn new(connections: Vec<Db>, lock: Arc<Lock>) -> Self {
        let connections: Vec<_> = connections.into_iter().map(Mutex::new).collect();
        let used = 0..connections.len();
        let shared = Arc::new(Shared {
            connections,
            next: AtomicUsize::new(0),
            _lock: lock,
        });
        Self {
            shared,
            used,
            budget: None,
        }
    }
}

impl SqliteReader {
    /// Two readers that never wait for each other: the second has `count` of the connections, the first the others.
    /// Each has at least one, if need be the same.
    #[must_use]
    pub fn apart(self, count: usize) -> (Self, Self) {
        let Pool { shared, used, .. } = self.access;
        let middle = used.end.saturating_sub(count.max(1)).max(used.start);
        let of = |used| {
            Self::new(Pool {
                shared: Arc::clone(&shared),
                used,
                budget: None,
            })
        };
        let first = used.start..middle.max(used.start + 1);
        (of(first), of(middle..used.end))
    }

    /// The same reader, whose questions fail with [`Error::GivenUp`] once `budget` is over.
    #[must_use]
    pub fn within(&self, budget: Arc<Budget>) -> Self {
        Self::new(Pool {
            budget: Some(budget),
            ..self.access.clone()
        })
    }
}

impl Access for Pool {
    /// Takes the next connection that is free, or waits for the one whose turn it is.
    fn with<T>(&self, use_it: impl FnOnce(&Db) -> T) -> T {
        let connections = &self.shared.connections[self.used.clone()];
        let turn = self.shared.next.fetch_add(1, Ordering::Relaxed) % connections.len();
        let (before, from) = connections.split_at(turn);
        let free = from.iter().chain(before).find_map(Mutex::try_lock);
        let db = free.unwrap_or_else(|| connections[turn].lock());
        match &self.budget {
            Some(budget) => db.within(budget, use_it),
            None => use_it(&db),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(connections: usize) -> SqliteReader {
        let dir = tempfile::tempdir().unwrap();
        let lock = Arc::new(Lock::take(dir.path()).unwrap());
        let shared = Arc::new(Shared {
            connections: Vec::new(),
            next: AtomicUsize::new(0),
            _lock: lock,
        });
        SqliteReader::new(Pool {
            shared,
            used: 0..connections,
            budget: None,
        })
    }

    #[test]
    fn readers_that_are_apart_share_no_connection() {
        let used = |connections, count| {
            let (first, second) = pool(connections).apart(count);
            (first.access.used, second.access.used)
        };
        assert_eq!(used(6, 2), (0..4, 4..6));
        assert_eq!(used(2, 1), (0..1, 1..2));
        assert_eq!(used(1, 1), (0..1, 0..1), "the same, if there is but one");
        assert_eq!(used(2, 9), (0..1, 0..2));
    }
}
