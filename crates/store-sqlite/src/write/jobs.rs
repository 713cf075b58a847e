//! Jobs: created, triggered, cancelled, deleted, purged.

use std::collections::BTreeSet;

use aldis_core::ids::{DeviceNo, JobNo, ProductKey, TaskNo};
use aldis_core::job::{Counters, JobState};
use aldis_core::task::{State, Task};
use aldis_store::rows::{Actor, Cancels, Idempotency, Members, NewJob, TargetScope, TaskRange};
use aldis_store::status_names::verb;
use aldis_store::{Done, Refusal};
use rusqlite::params;

use super::{Applied, Batch, Stop, refuse_if};
use crate::cells::{Cells, int, json};
use crate::driver_error::Result;
use crate::job_row::{JobRow, MemberRow, command_to_text};
use crate::shards::Changes;
use crate::sql;
use crate::task_row;

impl Batch<'_> {
    pub(super) fn create_job(&mut self, new: &NewJob) -> Applied {
        if let Some(earlier) = self.earlier_job(new.idempotency.as_ref())? {
            return Ok(Done::Job {
                no: earlier,
                created: false,
            });
        }
        let no = JobNo(self.next.job);
        self.next.job += 1;
        let mut row = self.new_row(no, new);
        if let Some(devices) = &new.devices {
            self.allocate(&mut row, devices.len() as u64);
            self.write_device_list(&mut row, devices)?;
        }
        row.insert(self.conn)?;
        self.jobs.forget(no);
        let sql = "INSERT INTO job_text (job, command, name, text) VALUES (?1, ?2, ?3, ?4)";
        let texts = params![
            int(no.0),
            command_to_text(&new.command),
            json(&new.text.name),
            json(&new.text)
        ];
        sql::run(self.conn, sql, texts)?;
        self.act(&new.org, verb::CREATE_JOB, &no.to_job_id(), &new.by)?;
        if let Some(idempotency) = &new.idempotency {
            self.remember(idempotency, &no.0.to_string())?;
        }
        Ok(Done::Job { no, created: true })
    }

    fn earlier_job(&self, idempotency: Option<&Idempotency>) -> Result<Option<JobNo>, Stop> {
        let Some(idempotency) = idempotency else {
            return Ok(None);
        };
        let Some(remembered) =
            crate::read::idempotency_record(self.conn, &idempotency.scope, &idempotency.key, self.now)?
        else {
            return Ok(None);
        };
        let same = remembered.digest == idempotency.digest;
        let no = remembered.answer.parse().ok().filter(|_| same).map(JobNo);
        no.map(Some).ok_or_else(|| Refusal::Mismatch.into())
    }

    fn new_row(&self, no: JobNo, new: &NewJob) -> JobRow {
        let members = match &new.text.targets {
            TargetScope::Devices(_) | TargetScope::Single(_) => None,
            TargetScope::Products { products, .. } => Some(Members {
                products: products.clone(),
                trigger: None,
                watermark: DeviceNo::default(),
                cursor: DeviceNo::default(),
            }),
        };
        JobRow {
            no,
            org: new.org.clone(),
            state: JobState::Init,
            total: None,
            range: TaskRange::default(),
            release: new.release,
            created: self.now,
            tasks_created: self.now,
            policy: new.policy,
            cancels: Cancels::default(),
            deleted: false,
            single: new.text.targets.is_single(),
            members: members.map(|is| MemberRow {
                is,
                trigger_change: None,
            }),
            counters: Counters::default(),
            shards: Changes::default(),
        }
    }

    /// Gives a job its tasks' numbers.
    fn allocate(&mut self, row: &mut JobRow, count: u64) {
        if count > 0 {
            row.range.first = Some(TaskNo(self.next.task));
            row.range.allocated = count;
            self.next.task += count;
        }
    }

    fn write_device_list(&self, row: &mut JobRow, devices: &[DeviceNo]) -> Result<()> {
        let first = row.range.first.map_or(0, |first| first.0);
        let mut insert = self.conn.prepare_cached(task_row::INSERT)?;
        for (no, device) in (first..).zip(devices) {
            let task = Task::new(TaskNo(no), *device, self.now);
            task_row::insert(&mut insert, &task, None, row.release)?;
            row.count(task.no, None, State::Init);
        }
        Ok(())
    }

    pub(super) fn trigger_job(&mut self, no: JobNo) -> Applied {
        let row = self.jobs.live(self.conn, no)?;
        refuse_if(row.total.is_some() || row.cancels.any(), Refusal::Unchanged)?;
        let mut row = row.clone();
        if row.members.is_some() {
            let count = self.fix_members(&mut row)?;
            self.allocate(&mut row, count);
            row.tasks_created = self.now;
        }
        let total = row.range.allocated;
        row.total = Some(total);
        *self.jobs.live(self.conn, no)? = row;
        Ok(Done::Count(total))
    }

    /// From here on the members are known, whatever happens to the devices; says how many there are.
    fn fix_members(&self, row: &mut JobRow) -> Result<u64> {
        let org = row.org.clone();
        let Some(members) = &mut row.members else { return Ok(0) };
        members.is.trigger = Some(self.number);
        members.is.watermark = DeviceNo(self.next.device - 1);
        let last = sql::first(self.conn, "SELECT max(no) AS no FROM device_change", [], |row| {
            Cells::new(row, "device_change").get::<Option<i64>>("no")
        })?;
        members.trigger_change = Some(last.flatten().unwrap_or(0));
        let products: BTreeSet<&ProductKey> = members.is.products.iter().collect();
        let sql = "SELECT count(*) FROM device INDEXED BY device_member
                   WHERE product = ?1 AND disabled = 0 AND deleted = 0
                     AND EXISTS (SELECT 1 FROM product WHERE product.key = ?1 AND product.org = ?2)";
        let mut count = 0;
        for product in products {
            let of_product = sql::first(self.conn, sql, [&product.0, &org.0], |row| {
                Cells::new(row, "device").number::<u64>("count(*)")
            })?;
            count += of_product.unwrap_or(0);
        }
        Ok(count)
    }

    pub(super) fn cancel_job(&mut self, no: JobNo, by: &Actor) -> Applied {
        let row = self.jobs.live(self.conn, no)?;
        refuse_if(row.cancels.is_full(), Refusal::Full)?;
        let unwritten = row.total.unwrap_or(0).saturating_sub(row.counters.written());
        let cancellable = State::ALL.into_iter().filter(|state| state.is_cancellable());
        let eligible = unwritten + cancellable.map(|state| row.counters.of(state)).sum::<u64>();
        row.cancels.made += 1;
        let org = row.org.clone();
        self.act(&org, verb::CANCEL_JOB, &no.to_job_id(), by)?;
        Ok(Done::Count(eligible))
    }

    pub(super) fn settled_job(&mut self, no: JobNo, mark: u16) -> Applied {
        let row = self.jobs.live(self.conn, no)?;
        row.cancels.settled = row.cancels.settled.max(mark);
        Ok(Done::Yes)
    }

    pub(super) fn delete_job(&mut self, no: JobNo, by: &Actor) -> Applied {
        let row = self.jobs.live(self.conn, no)?;
        refuse_if(row.roll_up() == JobState::InProgress, Refusal::InUse)?;
        row.deleted = true;
        let org = row.org.clone();
        self.act(&org, verb::DELETE_JOB, &no.to_job_id(), by)?;
        Ok(Done::Yes)
    }

    pub(super) fn purge_job(&mut self, no: JobNo, limit: usize) -> Applied {
        let row = self
            .jobs
            .any(self.conn, no)?
            .filter(|row| row.deleted)
            .ok_or(Refusal::Missing)?;
        let (first, end) = match row.range.first {
            Some(first) => (int(first.0), int(first.0 + row.range.allocated)),
            None => (0, 0),
        };
        let sql = "SELECT max(id), count(*) FROM
                     (SELECT id FROM task WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3)";
        let slice = sql::first(self.conn, sql, params![first, end, int(limit as u64)], |row| {
            let mut cells = Cells::new(row, "task");
            Ok((cells.get::<Option<i64>>("max(id)")?, cells.number::<u64>("count(*)")?))
        })?;
        let (last, count) = slice.unwrap_or((None, 0));
        if let Some(last) = last {
            sql::run(
                self.conn,
                "DELETE FROM history WHERE task >= ?1 AND task <= ?2",
                [first, last],
            )?;
            sql::run(self.conn, "DELETE FROM task WHERE id >= ?1 AND id <= ?2", [first, last])?;
        }
        if !sql::exists(self.conn, "SELECT 1 FROM task WHERE id >= ?1 AND id < ?2", [first, end])? {
            self.remove_job(no)?;
        }
        Ok(Done::Count(count))
    }

    fn remove_job(&mut self, no: JobNo) -> Result<()> {
        for sql in [
            "DELETE FROM job_counter WHERE job = ?1",
            "DELETE FROM job_text WHERE job = ?1",
            "DELETE FROM job WHERE no = ?1",
        ] {
            sql::run(self.conn, sql, [int(no.0)])?;
        }
        self.jobs.forget(no);
        Ok(())
    }
}
