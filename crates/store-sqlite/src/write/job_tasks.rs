//! Rows of tasks: written, stepped, with their history; and the slots of devices. What a task becomes was decided by
//! `core::task::step`; here it is compared and kept.

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::task::{AttemptOutcome, AttemptRecord};
use aldis_store::rows::Slot;
use aldis_store::{Done, Refusal, StepWrite};
use rusqlite::{CachedStatement, Connection, params};

use super::{Applied, Batch, Stop, refuse_if};
use crate::cells::int;
use crate::driver_error::Result;
use crate::task_row;

impl Batch<'_> {
    pub(super) fn write_tasks(&mut self, no: JobNo, after: DeviceNo, cursor: DeviceNo, tasks: &[StepWrite]) -> Applied {
        let row = self.jobs.live(self.conn, no)?;
        let release = row.release;
        let triggered = row.members.as_mut().filter(|members| members.is.trigger.is_some());
        let members = triggered.ok_or(Refusal::Unchanged)?;
        refuse_if(members.is.cursor != after, Refusal::Unchanged)?;
        members.is.cursor = cursor;
        let mut insert = self.conn.prepare_cached(task_row::INSERT)?;
        let mut history = History::new(self.conn)?;
        for write in tasks {
            task_row::insert(&mut insert, &write.task, write.wake_at, release)?;
            row.count(write.task.no, None, write.task.state);
            history.add(write.task.no, &write.ended)?;
        }
        Ok(Done::Yes)
    }

    /// In the order of the tasks' numbers, because neighbours share a page; steps of one task stay in their order.
    pub(super) fn take_steps(&mut self, steps: &[StepWrite]) -> Applied {
        let mut order: Vec<usize> = (0..steps.len()).collect();
        order.sort_by_key(|index| steps[*index].task.no);
        let mut update = self.conn.prepare_cached(task_row::UPDATE)?;
        let mut history = History::new(self.conn)?;
        let mut applied = vec![false; steps.len()];
        for index in order {
            let step = &steps[index];
            let row = match self.jobs.live(self.conn, step.job) {
                Ok(row) if row.range.contains(step.task.no) => row,
                Ok(_) | Err(Stop::Refused(_)) => continue,
                Err(failed) => return Err(failed),
            };
            if task_row::update(&mut update, step.from, &step.task, step.wake_at, row.release)? {
                row.count(step.task.no, Some(step.from.0), step.task.state);
                history.add(step.task.no, &step.ended)?;
                applied[index] = true;
            }
        }
        Ok(Done::Steps(applied))
    }

    pub(super) fn set_slots(&mut self, slots: &[(DeviceNo, Option<Slot>)]) -> Applied {
        let hold = "INSERT INTO slot (device, task, attempt, reply_deadline, acked) VALUES (?1, ?2, ?3, ?4, ?5)
                    ON CONFLICT (device) DO UPDATE SET task = excluded.task, attempt = excluded.attempt,
                        reply_deadline = excluded.reply_deadline, acked = excluded.acked";
        let mut hold = self.conn.prepare_cached(hold)?;
        let mut free = self.conn.prepare_cached("DELETE FROM slot WHERE device = ?1")?;
        for (device, slot) in slots {
            match slot {
                Some(Slot {
                    task,
                    attempt,
                    reply_deadline,
                    acked,
                    device: _,
                }) => hold.execute(params![int(device.0), int(task.0), attempt.0, reply_deadline.0, acked])?,
                None => free.execute([int(device.0)])?,
            };
        }
        Ok(Done::Yes)
    }
}

/// Adds rows to the history of attempts.
struct History<'c>(CachedStatement<'c>);

impl<'c> History<'c> {
    fn new(conn: &'c Connection) -> Result<Self> {
        // The only conflict is a second late reply to the same attempt.
        let sql = "INSERT INTO history (task, attempt, how, intent, handed, acked, ended, code, desc, output, sent)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
        Ok(Self(conn.prepare_cached(sql)?))
    }

    fn add(&mut self, task: TaskNo, ended: &[AttemptRecord]) -> Result<()> {
        for AttemptRecord {
            attempt,
            how,
            times,
            outcome,
        } in ended
        {
            self.0.execute(params![
                int(task.0),
                attempt.0,
                how_number(*how),
                times.intent.map(|at| at.0),
                times.handed.map(|at| at.0),
                times.acked.map(|at| at.0),
                times.ended.map(|at| at.0),
                outcome.code,
                outcome.desc,
                outcome.output,
                task_row::to_flags(outcome),
            ])?;
        }
        Ok(())
    }
}

fn how_number(how: AttemptOutcome) -> i64 {
    int(how.index() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_over_late_replies_has_their_number() {
        assert_eq!(
            how_number(AttemptOutcome::Late),
            5,
            "migrations/0010_start.sql, history_late"
        );
    }
}
