//! Operators create, cancel, retry and delete, and disable and replace devices.

use aldis_core::ids::{JobNo, TaskNo};

use super::{History, nth};
use crate::simulation::operation::{Call, Choice, DEVICES, Draft};
use crate::simulation::operator::Answered;
use crate::simulation::oracle::{Begun, Checked, Job};

/// Jobs that are looked after at a time: more only make a history slower.
const JOBS_MAX: usize = 14;

impl History {
    pub(super) fn create(&mut self, draft: &Draft, call: Call) {
        let alive = self.oracle.jobs.iter().filter(|job| !job.deleted).count();
        if alive >= JOBS_MAX {
            // Room for the next one, if one of them has come to its end.
            let choice = u32::try_from(self.figures.operations).unwrap_or(0);
            return self.delete_job(choice, call);
        }
        self.names += 1;
        let name = format!("job {} of all", self.names);
        let keys: Vec<String> = (0_u8..DEVICES)
            .filter(|bit| draft.devices & (1 << bit) != 0)
            .map(|bit| format!("d{bit}"))
            .collect();
        let borrowed: Vec<&str> = keys.iter().map(String::as_str).collect();
        let at = Begun {
            clock: self.world.now(),
            passed_ms: self.world.passed(),
            starts: self.world.starts,
            in_doubt: self.world.is_held(),
        };
        let answered = match borrowed.as_slice() {
            [only] if draft.single => self.world.send_single(call, draft, only, &name),
            keys => self.world.create_job(call, draft, keys, &name),
        };
        let no = match answered {
            Answered::Done(data) if draft.single => data["commandId"].as_str().and_then(|id| self.world.job_of(id)),
            Answered::Done(data) => data.as_str().and_then(JobNo::from_job_id),
            Answered::Unknown => None,
            Answered::Refused(..) => return,
        };
        self.figures.jobs += 1;
        self.oracle.created(*draft, keys, name, no, at);
    }

    /// A job that is known to exist.
    pub(super) fn job(&mut self, choice: Choice) -> Option<(usize, JobNo)> {
        let known: Vec<usize> = (0..self.oracle.jobs.len())
            .filter(|index| !self.oracle.jobs[*index].deleted)
            .collect();
        let index = *known.get(nth(choice, known.len())?)?;
        Some((index, self.oracle.jobs[index].no?))
    }

    pub(super) fn task(&mut self, job: Choice, choice: Choice) -> Option<(JobNo, TaskNo)> {
        let (_, job) = self.job(job)?;
        let tasks = self.world.tasks_of(job)?;
        self.oracle.learn(job, &tasks);
        let task = tasks.get(nth(choice, tasks.len())?)?;
        Some((job, task.no))
    }

    pub(super) fn cancel_task(&mut self, job: Choice, task: Choice, call: Call) {
        let Some((job, task)) = self.task(job, task) else {
            return;
        };
        self.oracle.cancel_asked(task);
        let is_single = |known: &&Job| known.no == Some(job) && known.draft.single;
        let answered = match self.oracle.jobs.iter().find(is_single) {
            Some(_) => self.world.cancel_single(call, task),
            None => self.world.on_job(call, "cancelTask", job, Some(&[task])),
        };
        if let Answered::Done(_) = answered {
            self.oracle.bar_tasks(&[task]);
        }
    }

    pub(super) fn cancel_job(&mut self, job: Choice, call: Call) {
        let Some((index, job)) = self.job(job) else { return };
        self.oracle.jobs[index].maybe_cancelled = true;
        if let Answered::Done(_) = self.world.on_job(call, "cancelTask", job, None) {
            self.oracle.bar_job(index);
        }
    }

    pub(super) fn retry_task(&mut self, job: Choice, task: Choice, call: Call) -> Checked {
        let Some((job, task)) = self.task(job, task) else {
            return Ok(());
        };
        self.oracle.free_tasks(&[task]);
        self.world.on_job(call, "retryTask", job, Some(&[task]));
        // A success that became durable together with the retry does not forbid it: the operator asked by name.
        self.settle()?;
        self.oracle.free_again(task);
        Ok(())
    }

    pub(super) fn retry_job(&mut self, job: Choice, call: Call) {
        let Some((index, job)) = self.job(job) else { return };
        self.oracle.free_job(index);
        self.world.on_job(call, "retryTask", job, None);
    }

    pub(super) fn delete_job(&mut self, job: Choice, call: Call) {
        let Some((index, no)) = self.job(job) else { return };
        match self.world.on_job(call, "deleteJob", no, None) {
            Answered::Done(_) => self.oracle.jobs[index].deleted = true,
            Answered::Unknown => self.oracle.jobs[index].maybe_deleted = true,
            Answered::Refused(24404, _) if self.oracle.jobs[index].maybe_deleted => {
                self.oracle.jobs[index].deleted = true
            }
            Answered::Refused(..) => {}
        }
    }

    pub(super) fn disable(&mut self, choice: Choice, disabled: bool, call: Call) {
        let Some((no, key)) = self.device(choice).map(|device| (device.no, device.key.clone())) else {
            return;
        };
        if disabled {
            self.oracle.touched(&key);
        } else {
            self.oracle.disabled(no, false);
        }
        if let Answered::Done(_) = self.world.disable_device(call, &key, disabled) {
            self.oracle.disabled(no, disabled);
        }
    }

    pub(super) fn replace(&mut self, choice: Choice, call: Call) {
        let Some((no, key)) = self.device(choice).map(|device| (device.no, device.key.clone())) else {
            return;
        };
        self.oracle.touched(&key);
        if let Answered::Done(_) = self.world.delete_device(call, &key) {
            self.oracle.gone(no);
        }
        self.live();
        // Refused while the old one still stands.
        self.world.create_device(&key);
        self.live();
        self.know_devices();
        if let Some(device) = self.device(choice)
            && device.no != no
        {
            device.got.clear();
            for session in self.world.link.all_of(no) {
                self.world.link.leave(session);
            }
        }
    }
}
