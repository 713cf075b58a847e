//! A clock that was ahead is set right: see `Write::SetClockBack`. It happens once, by an operator's order, so that
//! whole tables are gone through.

use aldis_core::task::State;
use aldis_store::Done;
use rusqlite::params;

use super::{Applied, Batch};
use crate::driver_error::Result;
use crate::sql;
use crate::task_row::state_number;

/// The rows of the task table that belong to the job at hand.
const OF_JOB: &str = "id >= job.first_task AND id < job.first_task + job.allocated";

impl Batch<'_> {
    pub(super) fn set_clock_back(&mut self, by_ms: i64) -> Applied {
        self.limit_tasks()?;
        self.move_jobs_back(by_ms)?;
        let limits = [
            "UPDATE slot SET reply_deadline = min(reply_deadline, ?1 + coalesce((SELECT reply_timeout FROM job
                WHERE deleted = 0 AND first_task <= slot.task AND slot.task < first_task + allocated), 0))",
            "UPDATE history SET intent = min(intent, ?1), handed = min(handed, ?1), acked = min(acked, ?1),
                ended = min(ended, ?1)",
            "UPDATE device SET activated = min(activated, ?1), last_online = min(last_online, ?1),
                last_offline = min(last_offline, ?1), created = min(created, ?1), updated = min(updated, ?1)",
            "UPDATE reported SET at = min(at, ?1) WHERE at > ?1",
            "UPDATE action SET at = ?1 WHERE at > ?1",
            "UPDATE remembered SET at = min(at, ?1) WHERE at > ?1",
        ];
        for limit in limits {
            sql::run(self.conn, limit, [self.now.0])?;
        }
        Ok(Done::Yes)
    }

    /// Of tasks that were there before the clock went ahead. Their moments are relative to their job's release, and
    /// those of the attempt to its intent (`task_row`).
    fn limit_tasks(&self) -> Result<()> {
        let now = "(?1 - job.release)";
        let since_intent = format!("({now} - coalesce(min(task.intent, {now}), 0))");
        let sql = format!(
            "UPDATE task SET
                intent = min(task.intent, {now}),
                handed = min(task.handed, {since_intent}),
                acked = min(task.acked, {since_intent}),
                ended = min(task.ended, {since_intent}),
                updated = min(task.updated, {now}),
                due = CASE task.state WHEN ?2 THEN min(task.due, {now} + coalesce(job.retry_interval, 0))
                    ELSE min(task.due, {now}) END,
                wake = CASE task.state WHEN ?2 THEN min(task.wake, ?1 + coalesce(job.retry_interval, 0))
                    ELSE min(task.wake, ?1 + CASE WHEN job.ttl > 0 THEN job.ttl ELSE job.reply_timeout END) END
             FROM job WHERE job.created <= ?1 AND job.state <> 2 AND {OF_JOB}"
        );
        let params = params![self.now.0, state_number(State::RetryWait)];
        sql::run(self.conn, &sql, params).map(drop)
    }

    /// Jobs that were created by the clock that was ahead, with everything that belongs to them.
    fn move_jobs_back(&self, by_ms: i64) -> Result<()> {
        let ours = format!("FROM job WHERE job.created > ?1 AND {OF_JOB}");
        let statements = [
            format!("UPDATE task SET wake = wake - ?2 {ours} AND wake IS NOT NULL"),
            format!(
                "UPDATE history SET intent = intent - ?2, handed = handed - ?2, acked = acked - ?2, ended = ended - ?2
                 {}",
                ours.replace("id ", "task ")
            ),
            "UPDATE job SET created = created - ?2, tasks_created = tasks_created - ?2, release = release - ?2
             WHERE created > ?1"
                .to_owned(),
        ];
        for statement in statements {
            sql::run(self.conn, &statement, [self.now.0, by_ms])?;
        }
        Ok(())
    }
}
