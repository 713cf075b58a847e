//! A job as its row, with its counters. The command and the other long texts are in a table of their own.

use std::sync::Arc;

use aldis_core::command::Command;
use aldis_core::ids::{DeviceNo, JobNo, OrgId, ProductKey, TaskNo};
use aldis_core::job::{self, Counters, JobState};
use aldis_core::policy::{Policy, Retry};
use aldis_core::task::State;
use aldis_core::time::Timestamp;
use aldis_store::rows::{Cancels, CommitNo, Job, Members, TaskRange};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cells::{Cells, int, json};
use crate::driver_error::Result;
use crate::shards::{Changes, has_shards, read_counters};
use crate::sql;

/// The columns that [`JobRow::read`] takes, in its order.
pub(crate) const COLUMNS: &str = "job.no, job.org, job.state, job.total, job.first_task, job.allocated, job.written, \
     job.release, job.created, job.tasks_created, job.ttl, job.reply_timeout, job.retry_count, job.retry_interval, \
     job.cancel_mark, job.settled_mark, job.deleted, job.single, job.products, job.trigger_commit, job.trigger_change, \
     job.watermark, job.cursor, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9";

/// What [`COLUMNS`] are taken from.
pub(crate) const TABLES: &str = "job JOIN job_counter ON job_counter.job = job.no AND job_counter.shard = 0";

/// A job without its texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobRow {
    pub(crate) no: JobNo,
    pub(crate) org: OrgId,
    pub(crate) state: JobState,
    pub(crate) total: Option<u64>,
    pub(crate) range: TaskRange,
    pub(crate) release: Timestamp,
    pub(crate) created: Timestamp,
    pub(crate) tasks_created: Timestamp,
    pub(crate) policy: Policy,
    pub(crate) cancels: Cancels,
    pub(crate) deleted: bool,
    pub(crate) single: bool,
    pub(crate) members: Option<MemberRow>,
    pub(crate) counters: Counters,
    /// Not yet written.
    pub(crate) shards: Changes,
}

/// The members of a product job, with the place of its trigger among the changes of devices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MemberRow {
    pub(crate) is: Members,
    pub(crate) trigger_change: Option<i64>,
}

impl JobRow {
    pub(crate) fn read(row: &Row<'_>) -> Result<Self> {
        let mut cells = Cells::new(row, "job");
        let no = JobNo(cells.number("no")?);
        let org = OrgId(cells.get("org")?);
        let state = cells.choice("state", &JobState::ALL)?;
        let total = cells.optional_number("total")?;
        let range = TaskRange {
            first: cells.optional_number("first_task")?.map(TaskNo),
            allocated: cells.number("allocated")?,
        };
        let _written: i64 = cells.get("written")?;
        let (release, created, tasks_created) = (
            cells.time("release")?,
            cells.time("created")?,
            cells.time("tasks_created")?,
        );
        let policy = read_policy(&mut cells)?;
        let cancels = Cancels {
            made: cells.number("cancel_mark")?,
            settled: cells.number("settled_mark")?,
        };
        let deleted = cells.flag("deleted")?;
        let single = cells.flag("single")?;
        let members = read_members(&mut cells)?;
        let counters = read_counters(&mut cells)?;
        Ok(Self {
            no,
            org,
            state,
            total,
            range,
            release,
            created,
            tasks_created,
            policy,
            cancels,
            deleted,
            single,
            members,
            counters,
            shards: Changes::default(),
        })
    }

    /// The seam's row.
    pub(crate) fn with(self, command: Arc<Command>) -> Job {
        Job {
            no: self.no,
            org: self.org,
            command,
            policy: self.policy,
            release: self.release,
            created: self.created,
            state: self.state,
            total: self.total,
            range: self.range,
            tasks_created: self.tasks_created,
            members: self.members.map(|members| members.is),
            counters: self.counters,
            cancels: self.cancels,
            deleted: self.deleted,
            single: self.single,
        }
    }

    /// The state that the rest amounts to.
    pub(crate) fn roll_up(&self) -> JobState {
        job::roll_up(self.total, &self.counters, self.cancels.any())
    }

    /// Counts a task that has come to `to`, from `from` if it had been counted before.
    pub(crate) fn count(&mut self, task: TaskNo, from: Option<State>, to: State) {
        if let Some(from) = from {
            self.counters.add(from, -1);
        }
        self.counters.add(to, 1);
        if has_shards(self.range.allocated) {
            let first = self.range.first.map_or(0, |first| first.0);
            self.shards.note(task.0.saturating_sub(first), from, to);
        }
    }

    pub(crate) fn insert(&mut self, conn: &Connection) -> Result<()> {
        let sql = "INSERT INTO job_counter (job, shard, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9)
                   VALUES (?1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)";
        sql::run(conn, sql, [int(self.no.0)])?;
        self.write_counters(conn)?;
        let sql =
            "INSERT INTO job (no, org, release, created, ttl, reply_timeout, retry_count, retry_interval, products, single,
                                    state, allocated, written, tasks_created, cancel_mark, settled_mark, deleted)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, 0, 0, 0, 0, 0)";
        let retry = self.policy.retry;
        let fixed = params![
            int(self.no.0),
            self.org.0,
            self.release.0,
            self.created.0,
            self.policy.ttl_ms,
            self.policy.reply_timeout_ms,
            retry.map(|retry| retry.count),
            retry.map(|retry| retry.interval_ms),
            self.members.as_ref().map(|members| json(&members.is.products)),
            self.single,
        ];
        sql::run(conn, sql, fixed)?;
        self.write(conn)
    }

    /// Writes what can change after creation, except the counters.
    pub(crate) fn write(&self, conn: &Connection) -> Result<()> {
        let sql = "UPDATE job SET state = ?2, total = ?3, first_task = ?4, allocated = ?5, written = ?6,
                          tasks_created = ?7, cancel_mark = ?8, settled_mark = ?9, deleted = ?10, trigger_commit = ?11,
                          trigger_change = ?12, watermark = ?13, cursor = ?14
                   WHERE no = ?1";
        let members = self.members.as_ref();
        let changing = params![
            int(self.no.0),
            int(self.state as u64),
            self.total.map(int),
            self.range.first.map(|no| int(no.0)),
            int(self.range.allocated),
            int(self.counters.written()),
            self.tasks_created.0,
            self.cancels.made,
            self.cancels.settled,
            self.deleted,
            members
                .and_then(|members| members.is.trigger)
                .map(|commit| int(commit.0)),
            members.and_then(|members| members.trigger_change),
            members.map(|members| int(members.is.watermark.0)),
            members.map(|members| int(members.is.cursor.0)),
        ];
        sql::run(conn, sql, changing).map(drop)
    }

    /// Writes the counters, those of shards too.
    pub(crate) fn write_counters(&mut self, conn: &Connection) -> Result<()> {
        let sql = "UPDATE job_counter SET c0 = ?2, c1 = ?3, c2 = ?4, c3 = ?5, c4 = ?6, c5 = ?7, c6 = ?8, c7 = ?9,
                          c8 = ?10, c9 = ?11
                   WHERE job = ?1 AND shard = 0";
        let numbers = State::ALL.map(|state| int(self.counters.of(state)));
        sql::run(
            conn,
            sql,
            rusqlite::params_from_iter([int(self.no.0)].into_iter().chain(numbers)),
        )?;
        self.shards.write(conn, self.no)
    }
}

fn read_policy(cells: &mut Cells<'_, '_>) -> Result<Policy> {
    let ttl_ms = cells.get("ttl")?;
    let reply_timeout_ms = cells.get("reply_timeout")?;
    let count = cells.optional_number("retry_count")?;
    let interval_ms: Option<i64> = cells.get("retry_interval")?;
    let retry = count
        .zip(interval_ms)
        .map(|(count, interval_ms)| Retry { count, interval_ms });
    Ok(Policy {
        ttl_ms,
        reply_timeout_ms,
        retry,
    })
}

fn read_members(cells: &mut Cells<'_, '_>) -> Result<Option<MemberRow>> {
    let products: Option<String> = cells.get("products")?;
    let trigger = cells.optional_number("trigger_commit")?.map(CommitNo);
    let trigger_change = cells.get("trigger_change")?;
    let watermark = DeviceNo(cells.optional_number("watermark")?.unwrap_or(0));
    let cursor = DeviceNo(cells.optional_number("cursor")?.unwrap_or(0));
    let Some(products) = products else { return Ok(None) };
    let products: Vec<ProductKey> = serde_json::from_str(&products).map_err(|error| cells.unfit("products", error))?;
    Ok(Some(MemberRow {
        is: Members {
            products,
            trigger,
            watermark,
            cursor,
        },
        trigger_change,
    }))
}

/// A command as it is stored.
#[derive(Serialize, Deserialize)]
enum StoredCommand {
    Service { id: String, input: Map<String, Value> },
    Measurepoint { id: String, value: Value },
}

pub(crate) fn command_to_text(command: &Command) -> String {
    json(&match command.clone() {
        Command::InvokeService { service_id, input } => StoredCommand::Service { id: service_id, input },
        Command::SetMeasurepoint { measurepoint_id, value } => StoredCommand::Measurepoint {
            id: measurepoint_id,
            value,
        },
    })
}

pub(crate) fn read_command(cells: &mut Cells<'_, '_>) -> Result<Command> {
    Ok(match cells.table("job_text").json("command")? {
        StoredCommand::Service { id, input } => Command::InvokeService { service_id: id, input },
        StoredCommand::Measurepoint { id, value } => Command::SetMeasurepoint {
            measurepoint_id: id,
            value,
        },
    })
}
