//! The last commit, remembered answers, and who did what.

use aldis_core::ids::{AppKey, OrgId};
use aldis_core::time::Timestamp;
use aldis_store::rows::{ActionFilter, Actor, CommitNo, IdempotencyRecord, PastAction, Proof};
use aldis_store::{Found, Page, PageBytes};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use crate::cells::{Cells, int};
use crate::driver_error::{DriverError, Result};
use crate::sql;

pub(super) fn last_commit(conn: &Connection) -> Result<(CommitNo, Timestamp)> {
    let last = sql::first(conn, "SELECT commit_no, clock FROM meta", [], |row| {
        let mut cells = Cells::new(row, "meta");
        Ok((CommitNo(cells.number("commit_no")?), cells.time("clock")?))
    })?;
    last.ok_or_else(|| DriverError::corrupt("meta", "one", "no row"))
}

pub(crate) fn idempotency_record(
    conn: &Connection,
    scope: &str,
    key: &str,
    now: Timestamp,
) -> Result<Option<IdempotencyRecord>> {
    let sql = "SELECT digest, answer, at FROM remembered WHERE scope = ?1 AND key = ?2";
    let found = sql::first(conn, sql, [scope, key], |row| {
        let mut cells = Cells::new(row, "remembered");
        Ok(IdempotencyRecord {
            digest: cells.get("digest")?,
            answer: cells.get("answer")?,
            at: cells.time("at")?,
        })
    })?;
    Ok(found.filter(|remembered: &IdempotencyRecord| remembered.holds_at(now)))
}

pub(super) fn search_actions(
    conn: &Connection,
    org: &OrgId,
    filter: &ActionFilter,
    page: Page,
) -> Result<Found<PastAction>> {
    let moment = |at: Option<Timestamp>| at.map(|at| Value::Integer(at.0));
    let text = |text: Option<&str>| text.map(|text| Value::Text(text.to_owned()));
    let given = [
        ("at >= ?", moment(filter.from)),
        ("at < ?", moment(filter.until)),
        ("verb = ?", text(filter.verb.as_deref())),
        ("app_key = ?", text(filter.app_key.as_ref().map(AppKey::as_str))),
        ("subject = ?", text(filter.subject.as_deref())),
    ];
    let mut matching = "FROM action WHERE org = ?".to_owned();
    let mut values = vec![Value::Text(org.0.clone())];
    for (condition, value) in given {
        if let Some(value) = value {
            matching.push_str(&format!(" AND {condition}"));
            values.push(value);
        }
    }
    let total = sql::first(
        conn,
        &format!("SELECT count(*) {matching}"),
        params_from_iter(&values),
        |row| Cells::new(row, "action").number("count(*)"),
    )?;
    values.extend([page.take, page.skip].map(|number| Value::Integer(int(number))));
    let select = "SELECT no, org, at, verb, subject, app_key, request_id, address";
    let rows = sql::all(
        conn,
        &format!("{select} {matching} ORDER BY at DESC, no DESC LIMIT ? OFFSET ?"),
        params_from_iter(&values),
        read_action,
    )?;
    let mut bytes = PageBytes::default();
    let rows: std::result::Result<Vec<_>, aldis_store::Error> = rows.into_iter().map(|row| bytes.admit(row)).collect();
    Ok(Found {
        rows: rows?,
        total: total.unwrap_or_default(),
    })
}

pub(super) fn proofs(conn: &Connection, limit: usize) -> Result<Vec<Proof>> {
    let sql = "SELECT at, digest FROM proof ORDER BY at DESC, digest DESC LIMIT ?1";
    sql::all(conn, sql, [int(limit as u64)], |row| {
        let mut cells = Cells::new(row, "proof");
        Ok(Proof {
            at: cells.time("at")?,
            digest: cells.get("digest")?,
        })
    })
}

fn read_action(row: &Row<'_>) -> Result<PastAction> {
    let mut cells = Cells::new(row, "action");
    let (no, org, at) = (cells.number("no")?, OrgId(cells.get("org")?), cells.time("at")?);
    let (verb, subject) = (cells.get("verb")?, cells.get("subject")?);
    let app_key = cells.get::<Option<String>>("app_key")?.map(AppKey);
    let request_id = cells.get("request_id")?;
    let address: Option<String> = cells.get("address")?;
    let address = address.map(|text| text.parse().map_err(|error| cells.unfit("address", error)));
    let by = Actor {
        app_key,
        address: address.transpose()?,
        request_id,
    };
    Ok(PastAction {
        no,
        org,
        at,
        verb,
        subject,
        by,
    })
}
