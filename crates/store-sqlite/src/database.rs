//! Who may use which connection: the writer has one of its own, readers share a few.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aldis_store::Error;
use parking_lot::Mutex;

use crate::db::Db;
use crate::failure::Result;

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
    _lock: Arc<File>,
}

impl Sole {
    pub(crate) fn new(db: Db, lock: Arc<File>) -> Self {
        Self {
            db: Mutex::new(db),
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
pub struct Pool(Arc<Shared>);

struct Shared {
    connections: Vec<Mutex<Db>>,
    next: AtomicUsize,
    _lock: Arc<File>,
}

impl Pool {
    /// `connections` must not be empty.
    pub(crate) fn new(connections: Vec<Db>, lock: Arc<File>) -> Self {
        let connections = connections.into_iter().map(Mutex::new).collect();
        Self(Arc::new(Shared {
            connections,
            next: AtomicUsize::new(0),
            _lock: lock,
        }))
    }
}

impl Access for Pool {
    /// Takes the next connection that is free, or waits for the one whose turn it is.
    fn with<T>(&self, use_it: impl FnOnce(&Db) -> T) -> T {
        let connections = &self.0.connections;
        let turn = self.0.next.fetch_add(1, Ordering::Relaxed) % connections.len();
        let (before, from) = connections.split_at(turn);
        let free = from.iter().chain(before).find_map(Mutex::try_lock);
        use_it(&free.unwrap_or_else(|| connections[turn].lock()))
    }
}
