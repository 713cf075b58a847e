//! Between SQLite's cells and our types. Reading goes from left to right: a name is looked up for no row. In builds with
//! debug assertions, as in all tests, each cell's name in the statement is compared with the name that it is read by, so
//! that a list of columns and its reader cannot differ. An unfit value names its table and column.

use aldis_core::time::Timestamp;
use rusqlite::Row;
use rusqlite::types::FromSql;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::driver_error::{DriverError, Result};

/// The cells of a row, in the order of the statement's columns.
pub(crate) struct Cells<'r, 's> {
    row: &'r Row<'s>,
    table: &'static str,
    next: usize,
}

impl<'r, 's> Cells<'r, 's> {
    pub(crate) fn new(row: &'r Row<'s>, table: &'static str) -> Self {
        Self { row, table, next: 0 }
    }

    /// Goes on with another table's columns of the same row.
    pub(crate) fn table(&mut self, table: &'static str) -> &mut Self {
        self.table = table;
        self
    }

    pub(crate) fn get<T: FromSql>(&mut self, column: &'static str) -> Result<T> {
        debug_assert_eq!(
            self.row.as_ref().column_name(self.next),
            Ok(column),
            "of {}",
            self.table
        );
        let value = self.row.get(self.next).map_err(|error| self.unfit(column, error))?;
        self.next += 1;
        Ok(value)
    }

    pub(crate) fn number<N: TryFrom<i64>>(&mut self, column: &'static str) -> Result<N> {
        let value: i64 = self.get(column)?;
        self.fit(column, value)
    }

    pub(crate) fn optional_number<N: TryFrom<i64>>(&mut self, column: &'static str) -> Result<Option<N>> {
        let value: Option<i64> = self.get(column)?;
        value.map(|value| self.fit(column, value)).transpose()
    }

    pub(crate) fn flag(&mut self, column: &'static str) -> Result<bool> {
        Ok(self.get::<i64>(column)? != 0)
    }

    pub(crate) fn time(&mut self, column: &'static str) -> Result<Timestamp> {
        self.get(column).map(Timestamp)
    }

    pub(crate) fn optional_time(&mut self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self, column: &'static str) -> Result<T> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|error| self.unfit(column, error))
    }

    /// One of a list, stored by its place in it.
    pub(crate) fn choice<T: Copy>(&mut self, column: &'static str, all: &[T]) -> Result<T> {
        let index: usize = self.number(column)?;
        let found = all.get(index).copied();
        found.ok_or_else(|| self.unfit(column, format!("number {index} of {}", all.len())))
    }

    pub(crate) fn unfit(&self, column: &'static str, what: impl ToString) -> DriverError {
        DriverError::corrupt(self.table, column, what)
    }

    fn fit<N: TryFrom<i64>>(&self, column: &'static str, value: i64) -> Result<N> {
        N::try_from(value).map_err(|_out_of_range| self.unfit(column, format!("{value} is out of range")))
    }
}

/// A number as SQLite keeps it. Ours are numbers of rows and stay far below 2^63; beyond, nothing is ever found.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A value as JSON text.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("rows are made of texts, numbers and maps with text keys")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// serde_json reads numbers to the last digit only with its feature `float_roundtrip`.
        #[test]
        fn a_number_in_json_comes_back_to_the_last_digit(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let value = serde_json::json!({"value": number});
            let back: serde_json::Value = serde_json::from_str(&json(&value)).unwrap();
            prop_assert_eq!(back, value);
        }
    }
}
