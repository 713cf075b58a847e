//! The two shapes of a query: at most one row, or a list.

use rusqlite::{CachedStatement, Connection, Params, Row};

use crate::failure::Result;

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
