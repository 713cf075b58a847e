//! Remembered answers, and who did what.

use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;
use aldis_store::rows::{ANSWER_KEPT_MS, Action, Actor, Idempotency, Proof};
use aldis_store::{Done, Refusal, Write};
use rusqlite::params;

use super::{Applied, Batch, refuse_if};
use crate::cells::int;
use crate::driver_error::Result;
use crate::sql;

impl Batch<'_> {
    pub(super) fn remember(&mut self, idempotency: &Idempotency, answer: &str) -> Applied {
        let Idempotency { scope, key, digest } = idempotency;
        let oldest = self.now.plus_ms(-ANSWER_KEPT_MS);
        sql::run(self.conn, "DELETE FROM remembered WHERE at < ?1", [oldest.0])?;
        let sql = "INSERT INTO remembered (scope, key, digest, answer, at) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO NOTHING";
        let written = sql::run(self.conn, sql, params![scope, key, digest, answer, self.now.0])?;
        refuse_if(written == 0, Refusal::Taken)?;
        Ok(Done::Yes)
    }

    pub(super) fn use_up(&mut self, proofs: &[Proof], before: Timestamp, limit: usize) -> Applied {
        let sql = "INSERT INTO proof (at, digest) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        for Proof { at, digest } in proofs {
            sql::run(self.conn, sql, params![at.0, digest])?;
        }
        let sql = "DELETE FROM proof WHERE (at, digest) IN
                   (SELECT at, digest FROM proof WHERE at < ?1 ORDER BY at, digest LIMIT ?2)";
        sql::run(self.conn, sql, [before.0, int(limit as u64)])?;
        Ok(Done::Yes)
    }

    pub(super) fn note(&mut self, action: &Action) -> Applied {
        self.act(&action.org, action.verb, &action.subject, &action.by)?;
        Ok(Done::Yes)
    }

    pub(super) fn noted(&mut self, write: &Write, actions: &[Action]) -> Applied {
        let done = self.apply(write)?;
        for action in done.took_place(actions) {
            self.note(action)?;
        }
        Ok(done)
    }

    pub(super) fn act(&self, org: &OrgId, verb: &str, subject: &str, by: &Actor) -> Result<()> {
        let sql = "INSERT INTO action (commit_no, at, org, verb, subject, app_key, request_id, address)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let app_key = by.app_key.as_ref().map(|key| key.as_str());
        let row = params![
            int(self.number.0),
            self.now.0,
            org.0,
            verb,
            subject,
            app_key,
            by.request_id,
            by.address.map(|address| address.to_string()),
        ];
        sql::run(self.conn, sql, row).map(drop)
    }
}
