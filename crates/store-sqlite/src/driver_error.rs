//! What can go wrong inside the driver, and how it looks from outside.

use aldis_store::Error;
use rusqlite::ErrorCode;

/// A failure on its way out of the driver.
#[derive(Debug)]
pub(crate) enum DriverError {
    /// SQLite's own.
    Sqlite(rusqlite::Error),
    /// Already in the seam's words.
    Store(Error),
}

pub(crate) type Result<T, E = DriverError> = std::result::Result<T, E>;

impl From<rusqlite::Error> for DriverError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for DriverError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl DriverError {
    /// A stored value makes no sense.
    pub(crate) fn corrupt(table: &'static str, column: &'static str, what: impl ToString) -> Self {
        let what = what.to_string();
        Self::Store(Error::Corrupt { table, column, what })
    }

    /// The seam's error; `what` says what was being done.
    pub(crate) fn during(self, what: &str) -> Error {
        match self {
            Self::Store(error) => error,
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Error::GivenUp,
            Self::Sqlite(error) => Error::Unavailable {
                what: what.to_owned(),
                source: Some(Box::new(error)),
            },
        }
    }
}
