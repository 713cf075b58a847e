//! One connection, set up, with what its queries need around it.

use std::sync::Arc;
use std::time::Duration;

use aldis_store::Presence;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::failure::Result;
use crate::filter::{self, Conditions};
use crate::secret::Cipher;

/// A log of 16 MB before its pages go back into the database: measured, larger ones change nothing but the log.
const WAL_PAGES: i64 = 4000;
/// A log that a long reader or a bulk commit has blown up is cut back to this, in bytes.
const WAL_BYTES_KEPT: i64 = 64 << 20;
/// Only a stranger with a shell can hold the file's own lock; it is waited for as long as nobody would call a hang.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than all fixed statements of the driver.
const STATEMENTS_KEPT: usize = 256;
/// Page cache of the writer: the hot part of a million tasks with their index.
pub(crate) const WRITER_CACHE_KIB: i64 = 64 << 10;
/// Page cache of each reader; what it lacks the operating system has.
pub(crate) const READER_CACHE_KIB: i64 = 8 << 10;

/// A connection.
pub(crate) struct Db {
    pub(crate) conn: Connection,
    pub(crate) cipher: Arc<Cipher>,
    pub(crate) conditions: Conditions,
}

impl Db {
    pub(crate) fn new(
        conn: Connection,
        cache_kib: i64,
        cipher: Arc<Cipher>,
        presence: Arc<dyn Presence>,
    ) -> Result<Self> {
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
        filter::register(&conn, &conditions, presence)?;
        Ok(Self {
            conn,
            cipher,
            conditions,
        })
    }

    /// Lets `read` see one state throughout, whatever is committed meanwhile.
    pub(crate) fn snapshot<T>(&self, read: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let transaction = self.conn.unchecked_transaction()?;
        let found = read(self)?;
        transaction.finish()?;
        Ok(found)
    }
}
