//! A clock that was ahead is set right: see [`aldis_store::Write::SetClockBack`].

use std::collections::BTreeSet;

use aldis_core::ids::TaskNo;
use aldis_core::job::JobState;
use aldis_core::task::{AttemptTimes, State, Task};
use aldis_core::time::Timestamp;
use aldis_store::Done;
use aldis_store::rows::Job;

use super::Contents;

impl Contents {
    pub(super) fn set_clock_back(&mut self, by_ms: i64) -> Done {
        let now = self.clock;
        let (from_the_future, others): (Vec<Job>, Vec<Job>) = self
            .jobs
            .all()
            .map(|row| row.job.clone())
            .partition(|job| job.created > now);
        let moved = self.move_tasks_back(&from_the_future, by_ms);
        for job in others.iter().filter(|job| job.state != JobState::Finished) {
            self.limit_tasks(job);
        }
        for (no, ended) in self.tasks.all_history_mut() {
            let by_ms = if moved.contains(&no) { by_ms } else { 0 };
            each_of(&mut ended.times, |at| at.plus_ms(-by_ms).min(now));
        }
        self.limit_slots();
        for job in self.jobs.all_mut().filter(|job| job.created > now) {
            for at in [&mut job.created, &mut job.tasks_created, &mut job.release] {
                *at = at.plus_ms(-by_ms);
            }
        }
        self.limit_device_moments(now);
        self.reported.limit_moments(now);
        self.journal.limit_moments(now);
        Done::Yes
    }

    fn move_tasks_back(&mut self, jobs: &[Job], by_ms: i64) -> BTreeSet<TaskNo> {
        let tasks: BTreeSet<TaskNo> = jobs.iter().flat_map(|job| self.tasks.range_of(job)).collect();
        for no in &tasks {
            self.tasks.change(*no, |task, wake_at| {
                each_of(&mut task.times, |at| at.plus_ms(-by_ms));
                task.due = task.due.map(|at| at.plus_ms(-by_ms));
                task.updated = task.updated.plus_ms(-by_ms);
                *wake_at = wake_at.map(|at| at.plus_ms(-by_ms));
            });
        }
        tasks
    }

    fn limit_tasks(&mut self, job: &Job) {
        let (now, rules) = (self.clock, job.rules());
        let interval = job.policy.retry.as_ref().map_or(0, |retry| retry.interval_ms);
        for no in self.tasks.range_of(job) {
            self.tasks.change(no, |task, wake_at| {
                each_of(&mut task.times, |at| at.min(now));
                let latest = match task.state {
                    State::RetryWait => now.plus_ms(interval),
                    _ => now,
                };
                task.due = task.due.map(|at| at.min(latest));
                task.updated = task.updated.min(now);
                *wake_at = wake_at.and_then(|_| Task::wake_at(task, &rules));
            });
        }
    }

    fn limit_slots(&mut self) {
        let now = self.clock;
        for slot in self.slots.values_mut() {
            let job = self.jobs.of(slot.task).map(|row| row.job.policy.reply_timeout_ms);
            slot.reply_deadline = slot.reply_deadline.min(now.plus_ms(job.unwrap_or(0)));
        }
    }
}

fn each_of(times: &mut AttemptTimes, change: impl Fn(Timestamp) -> Timestamp) {
    for at in [&mut times.intent, &mut times.handed, &mut times.acked, &mut times.ended] {
        *at = at.map(&change);
    }
}
