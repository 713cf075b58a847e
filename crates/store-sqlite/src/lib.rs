//! The embedded driver: everything in one SQLite file, `aldis.db`, in a data directory that one process holds.
//!
//! [`SqliteDriver`] is what a server opens. [`open`] gives the writer ([`SqliteStore`]) and a reader that may be cloned ([`SqliteReader`]). What the traits
//! promise stands in `aldis_store`; here is only how it is kept: `write` turns a commit into one transaction, `read`
//! answers from snapshots, `filter` turns search expressions into SQL. Nothing here decides what becomes of a task.

mod cells;
mod database;
mod db;
mod driver;
mod driver_error;
mod files;
mod filter;
mod job_row;
mod lock;
mod open;
mod read;
mod schema;
mod secret;
mod shards;
mod sql;
mod stored_numbers;
mod task_row;
mod write;

#[cfg(test)]
mod fault_injection;

pub use database::{Database, Pool, Sole, SqliteReader, SqliteStore};
pub use driver::SqliteDriver;
pub use open::{DATABASE, OpenError, Options, open};
