//! What can go wrong below the seam.

/// A failure of the store itself; that something is missing or refused is no failure (see [`crate::Refusal`]).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The medium failed: disk full, I/O error, locked by another process. It may work later.
    #[error("the store is unavailable: {what}")]
    Unavailable {
        /// What was being done.
        what: String,
        /// The driver's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A stored value makes no sense.
    #[error("the store holds a value that makes no sense: {table}.{column}: {what}")]
    Corrupt {
        /// In which table.
        table: &'static str,
        /// In which column.
        column: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A file of the open store has been removed, replaced or cut: what is written from now on would be lost. The
    /// process has to end.
    #[error("{path} was removed or replaced or cut while it was open; {}", rescue(.saved))]
    Replaced {
        /// Which file.
        path: std::path::PathBuf,
        /// Everything that was committed is in the database file all the same.
        saved: bool,
    },
    /// Another writer has begun since this one did. This writer has to stop: its view of the store is out of date.
    #[error("expected a commit of epoch {}, found epoch {}: another writer has replaced this one", current.0, given.0)]
    StaleEpoch {
        /// The epoch of the commit.
        given: crate::Epoch,
        /// The epoch of the writer that has begun last.
        current: crate::Epoch,
    },
    /// The rows of a page hold more than [`crate::PAGE_BYTES_MAX`] together: fewer have to be asked for.
    #[error("the page is too large")]
    PageTooLarge,
    /// The search's [`crate::Budget`] was over before it had its result.
    #[error("the search was given up")]
    GivenUp,
}

fn rescue(saved: &bool) -> &'static str {
    match saved {
        true => "everything that was committed is in the database",
        false => "the last commits may be lost",
    }
}
