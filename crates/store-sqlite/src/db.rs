//! One connection, set up, with what its queries need around it.

use std::sync::Arc;
use std::time::Duration;

use aldis_store::Budget;
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::driver_error::Result;
use crate::filter::{self, Conditions};
use crate::secret::Cipher;

/// A log of 16 MB before its pages go back into the database: measured, larger ones change nothing but the log.
const WAL_PAGES: i64 = 4000;
/// A log that a long reader or a bulk commit has blown up is cut back to this, in bytes.
const WAL_BYTES_KEPT: i64 = 64 << 20;
/// Only a stranger with a shell can hold the file's own lock; the wait for it is bounded to what a person does not take
/// for a hang.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than all fixed statements of the driver.
const STATEMENTS_KEPT: usize = 256;
/// Page cache of the writer: the hot part of a million tasks with their index.
pub(crate) const WRITER_CACHE_KIB: i64 = 64 << 10;
/// Page cache of each reader; what it lacks the operating system has.
pub(crate) const READER_CACHE_KIB: i64 = 8 << 10;

/// Steps of SQLite's machine between two looks at a budget: some ten rows with a few hundred conditions each.
const STEPS_PER_LOOK: i32 = 1000;

/// The budget of the search under way on a connection.
#[derive(Clone, Default)]
struct Limit(Arc<Mutex<Option<Arc<Budget>>>>);

/// Takes the budget away when it is dropped: it holds for one search alone.
struct Limited<'a>(&'a Limit);

impl Limit {
    fn set(&self, budget: &Arc<Budget>) -> Limited<'_> {
        *self.0.lock() = Some(Arc::clone(budget));
        Limited(self)
    }

    fn is_over(&self) -> bool {
        self.0.lock().as_ref().is_some_and(|budget| budget.is_over())
    }
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}

/// A connection.
pub(crate) struct Db {
    pub(crate) conn: Connection,
    pub(crate) cipher: Arc<Cipher>,
    pub(crate) conditions: Conditions,
    limit: Limit,
}

impl Db {
    pub(crate) fn new(mut conn: Connection, cache_kib: i64, cipher: Arc<Cipher>) -> Result<Self> {
        conn.busy_timeout(BUSY_TIMEOUT)?;
        // A plan never depends on bound values: a statement with `LIMIT ?` would be made anew at every use.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        conn.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
        conn.pragma_update(None, "cache_size", -cache_kib)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "foreign_keys", true)?;
        let conditions = Conditions::default();
        filter::register(&conn, &conditions)?;
        let limit = Limit::default();
        let looked_at = limit.clone();
        conn.progress_handler(STEPS_PER_LOOK, Some(move || looked_at.is_over()))?;
        Ok(Self {
            conn,
            cipher,
            conditions,
            limit,
        })
    }

    /// Lets SQLite interrupt whatever `use_it` asks once the budget is over.
    pub(crate) fn within<T>(&self, budget: &Arc<Budget>, use_it: impl FnOnce(&Self) -> T) -> T {
        let _spent = self.limit.set(budget);
        use_it(self)
    }

    /// Lets `read` see one state throughout, whatever is committed meanwhile.
    pub(crate) fn snapshot<T>(&self, read: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let transaction = self.conn.unchecked_transaction()?;
        let found = read(self)?;
        transaction.finish()?;
        Ok(found)
    }
}
