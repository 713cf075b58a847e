//! The schema's versions: one file each, applied in order, never changed once released.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use crate::driver_error::Result;
use crate::secret::Cipher;

/// Marks a file as ours: "ALDS".
const APPLICATION_ID: i64 = 0x414C_4453;
/// Small enough to make a random update cheap.
const PAGE_SIZE: i64 = 4096;
/// Up to this size a file is checked page by page at every start: a fraction of a second.
const FULL_CHECK_MAX_PAGES: i64 = 16_384;

/// The first schema that was released. Databases with an earlier one cannot be opened.
pub(crate) const FIRST: i64 = 10;
/// The first makes a new database; each further one changes the schema before it.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0010_start.sql")];
/// The newest schema that this program knows.
pub(crate) const KNOWN: i64 = FIRST + MIGRATIONS.len() as i64 - 1;

/// Builds a new database and closes it again, with nothing left in a log.
pub(crate) fn create(path: &Path, cipher: &Cipher) -> Result<()> {
    let mut conn = Connection::open(path)?;
    conn.pragma_update(None, "page_size", PAGE_SIZE)?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(&mut conn)?;
    let sql = "INSERT INTO meta (one, commit_no, clock, next_device, next_job, next_task, key_check)
               VALUES (1, 0, 0, 1, 1, 1, ?1)";
    conn.execute(sql, [cipher.key_check()?])?;
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    conn.close().map_err(|(_conn, error)| error)?;
    Ok(())
}

/// Brings the schema up to date.
pub(crate) fn migrate(conn: &mut Connection) -> Result<()> {
    apply(conn, &MIGRATIONS)
}

/// Applies the migrations that are missing, each in a transaction of its own, which also holds the new version's
/// number: whenever the process dies, the next start goes on after the last one that is whole.
fn apply(conn: &mut Connection, migrations: &[&str]) -> Result<()> {
    let done = usize::try_from(version(conn)? - FIRST + 1).unwrap_or(0);
    for (number, sql) in (FIRST..).zip(migrations).skip(done) {
        let transaction = conn.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

pub(crate) fn is_ours(conn: &Connection) -> Result<bool> {
    Ok(pragma(conn, "application_id")? == APPLICATION_ID)
}

pub(crate) fn version(conn: &Connection) -> Result<i64> {
    pragma(conn, "user_version")
}

/// Finds out whether another process's SQLite holds the file.
pub(crate) fn can_write(conn: &Connection) -> Result<()> {
    conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok(())
}

/// What is wrong with the file, as far as a look that does not take long can tell.
pub(crate) fn damage(conn: &Connection) -> Result<Option<String>> {
    if pragma(conn, "page_count")? > FULL_CHECK_MAX_PAGES {
        return Ok(None);
    }
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

pub(crate) fn key_check(conn: &Connection) -> Result<Option<Vec<u8>>> {
    Ok(conn
        .query_row("SELECT key_check FROM meta", [], |row| row.get(0))
        .optional()?)
}

fn pragma(conn: &Connection, name: &str) -> Result<i64> {
    Ok(conn.pragma_query_value(None, name, |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(conn: &Connection) -> Vec<String> {
        crate::sql::all(conn, "SELECT name FROM sqlite_master ORDER BY name", [], |row| {
            Ok(row.get(0)?)
        })
        .unwrap()
    }

    #[test]
    fn only_the_missing_steps_are_taken_and_each_is_taken_once() {
        let mut conn = Connection::open_in_memory().unwrap();
        let steps = [
            "CREATE TABLE a (x)",
            "CREATE TABLE b (x); INSERT INTO a VALUES (1)",
            "CREATE TABLE c (x)",
        ];
        for upto in 0..=steps.len() {
            for _ in 0..2 {
                apply(&mut conn, &steps[..upto]).unwrap();
                let done = FIRST + i64::try_from(upto).unwrap() - 1;
                assert_eq!(version(&conn).unwrap(), if upto == 0 { 0 } else { done });
            }
        }
        assert_eq!(names(&conn), ["a", "b", "c"]);
        let rows: i64 = conn.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn a_step_that_fails_half_way_leaves_what_the_one_before_made() {
        let mut conn = Connection::open_in_memory().unwrap();
        let steps = [
            "CREATE TABLE a (x)",
            "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)",
        ];
        apply(&mut conn, &steps).unwrap_err();
        assert_eq!((version(&conn).unwrap(), names(&conn)), (FIRST, vec!["a".to_owned()]));
        apply(&mut conn, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        assert_eq!(
            (version(&conn).unwrap(), names(&conn)),
            (FIRST + 1, vec!["a".to_owned(), "b".to_owned()])
        );
    }
}
