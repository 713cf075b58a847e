//! The shapes of a query: at most one row, a list, or a page of what passes a filter.

use std::ops::ControlFlow;

use aldis_store::{Found, Page, PageBytes, Weigh};
use rusqlite::{CachedStatement, Connection, Params, Row};

use crate::driver_error::Result;

/// The first row, with a statement that is kept prepared.
pub(crate) fn first<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// All rows, with a statement that is kept prepared.
pub(crate) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    collect(&mut statement, params, read)
}

/// All rows, with a statement that is made for this search alone and would only crowd out others.
pub(crate) fn all_once<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    collect(&mut conn.prepare(sql)?, params, read)
}

/// Visits the rows one by one until it is told to stop, with a statement that is made for this search alone.
pub(crate) fn each_once(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut visit: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        if visit(row)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The page of those rows that pass; one row at a time is held beside the page's own.
pub(crate) fn page<T: Weigh>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    page: Page,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
    passes: impl Fn(&T) -> Result<bool>,
) -> Result<Found<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut bytes = PageBytes::default();
    let (mut found, mut total) = (Vec::new(), 0_u64);
    while let Some(row) = rows.next()? {
        let row = read(row)?;
        if passes(&row)? {
            if total >= page.skip && total - page.skip < page.take {
                found.push(bytes.admit(row)?);
            }
            total += 1;
        }
    }
    Ok(Found { rows: found, total })
}

/// A statement that is asked for one row again and again.
pub(crate) struct Lookup<'c>(CachedStatement<'c>);

impl<'c> Lookup<'c> {
    pub(crate) fn new(conn: &'c Connection, sql: &str) -> Result<Self> {
        Ok(Self(conn.prepare_cached(sql)?))
    }

    /// The first row.
    pub(crate) fn first<T>(
        &mut self,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.0.query(params)?.next()?.map(read).transpose()
    }
}

/// Whether there is any row.
pub(crate) fn exists(conn: &Connection, sql: &str, params: impl Params) -> Result<bool> {
    Ok(conn.prepare_cached(sql)?.exists(params)?)
}

/// Runs a statement and says how many rows it changed.
pub(crate) fn run(conn: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    Ok(conn.prepare_cached(sql)?.execute(params)?)
}

fn collect<T>(
    statement: &mut rusqlite::Statement<'_>,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}
