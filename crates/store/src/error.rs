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
    /// The rows of a page hold more than [`crate::PAGE_BYTES_MAX`] together: fewer have to be asked for.
    #[error("the page is too large")]
    PageTooLarge,
}
