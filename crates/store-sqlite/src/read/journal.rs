//! The last commit, remembered answers, and who did what.

use aldis_core::ids::{AppKey, OrgId};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Actor, CommitNo, PastAction, Remembered};
use rusqlite::Connection;

use crate::cells::Cells;
use crate::failure::{Failure, Result};
use crate::sql;

pub(super) fn last_commit(conn: &Connection) -> Result<(CommitNo, Timestamp)> {
    let last = sql::first(conn, "SELECT commit_no, clock FROM meta", [], |row| {
        let mut cells = Cells::new(row, "meta");
        Ok((CommitNo(cells.number("commit_no")?), cells.time("clock")?))
    })?;
    last.ok_or_else(|| Failure::corrupt("meta", "one", "no row"))
}

pub(crate) fn remembered(conn: &Connection, scope: &str, key: &str) -> Result<Option<Remembered>> {
    let sql = "SELECT digest, answer, at FROM remembered WHERE scope = ?1 AND key = ?2";
    sql::first(conn, sql, [scope, key], |row| {
        let mut cells = Cells::new(row, "remembered");
        Ok(Remembered {
            digest: cells.get("digest")?,
            answer: cells.get("answer")?,
            at: cells.time("at")?,
        })
    })
}

pub(super) fn actions(conn: &Connection, org: &OrgId, subject: &str) -> Result<Vec<PastAction>> {
    let sql = "SELECT at, verb, subject, app_key, request_id FROM action WHERE org = ?1 AND subject = ?2 ORDER BY no";
    sql::all(conn, sql, [org.as_str(), subject], |row| {
        let mut cells = Cells::new(row, "action");
        let (at, verb, subject) = (cells.time("at")?, cells.get("verb")?, cells.get("subject")?);
        let app_key = cells.get::<Option<String>>("app_key")?.map(AppKey);
        let by = Actor {
            app_key,
            request_id: cells.get("request_id")?,
        };
        Ok(PastAction { at, verb, subject, by })
    })
}
