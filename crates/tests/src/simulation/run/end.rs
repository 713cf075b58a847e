//! The end of a history: every fault stops, every device is there and answers, and everything must end.

use aldis_core::ids::JobNo;
use aldis_store::JobTasks;

use super::{AFTER_FAULTS_MS, History};
use crate::simulation::disk::Ending;
use crate::simulation::operation::{Call, ReplyKind};
use crate::simulation::oracle::{Checked, broken};

/// Longer than any window, timeout and retry of a drawn job, in steps of the end.
const STEPS_TO_THE_END: usize = 2_000;
/// A step of the end.
const STEP_MS: i64 = 4_000;

impl History {
    /// Every fault stops, every device is there and answers: everything must end.
    pub(super) fn end(&mut self) -> Checked {
        self.world.disk_heals();
        self.live();
        self.wait(AFTER_FAULTS_MS)?;
        if self.world.is_held() {
            self.accept_clock(1_000)?;
        }
        for index in 0..self.devices.len() {
            let (key, no) = (self.devices[index].key.clone(), self.devices[index].no);
            self.world.disable_device(Call::Answered, &key, false);
            self.oracle.disabled(no, false);
        }
        let mut steps = 0;
        while !self.is_over() {
            steps += 1;
            if steps > STEPS_TO_THE_END {
                return self.what_is_left();
            }
            self.step_to_the_end()?;
        }
        self.look_at_all()?;
        self.slots_are_free()?;
        let before = self.shown();
        self.die(Ending::Killed, 1_000);
        self.settle()?;
        self.look_at_all()?;
        if self.shown() == before {
            Ok(())
        } else {
            broken("a_restart_changes_nothing", format!("{before:?}"))
        }
    }

    pub(super) fn step_to_the_end(&mut self) -> Checked {
        for index in 0..self.devices.len() {
            let choice = u32::try_from(index).unwrap_or(0);
            if self.world.link.current(self.devices[index].no).is_none() {
                self.connect(choice);
            }
            self.settles(choice, 0);
        }
        self.settle()?;
        self.deliver_all()?;
        for index in 0..self.devices.len() {
            let waiting: Vec<u32> = (0_u32..)
                .zip(self.devices[index].got.iter().rev())
                .filter(|(_, got)| !got.replied)
                .map(|(back, _)| back)
                .collect();
            for back in waiting {
                self.reply(u32::try_from(index).unwrap_or(0), back, ReplyKind::Well);
            }
        }
        self.settle()?;
        self.wait(STEP_MS)?;
        self.note()
    }

    pub(super) fn is_over(&self) -> bool {
        let store = self.world.stored();
        store.jobs_at_work().expect("the observer's way never fails").is_empty() && self.world.held_slots().is_empty()
    }

    pub(super) fn what_is_left(&self) -> Checked {
        let store = self.world.stored();
        let jobs = store.jobs_at_work().expect("the observer's way never fails");
        let slots = self.world.held_slots();
        let tasks: Vec<_> = jobs
            .iter()
            .flat_map(|job| {
                store
                    .job_tasks(job, JobTasks::Unfinished, None, usize::MAX)
                    .unwrap_or_default()
            })
            .map(|task| (task.no, task.device, task.state, task.due))
            .collect();
        broken(
            "everything_ends",
            format!(
                "at {}: {tasks:?}, slots {slots:?}, jobs {jobs:?}",
                self.world.engine_now().0
            ),
        )
    }

    pub(super) fn look_at_all(&mut self) -> Checked {
        (0..self.oracle.jobs.len()).try_for_each(|index| self.look_at(index))
    }

    pub(super) fn slots_are_free(&self) -> Checked {
        let held = self.world.held_slots();
        if held.is_empty() {
            Ok(())
        } else {
            broken("slots_are_freed", format!("{held:?}"))
        }
    }

    pub(super) fn shown(&mut self) -> Vec<serde_json::Value> {
        let jobs: Vec<JobNo> = self
            .oracle
            .jobs
            .iter()
            .filter(|job| !job.deleted)
            .filter_map(|job| job.no)
            .collect();
        let tasks = jobs.into_iter().filter_map(|job| self.world.tasks_of(job));
        tasks.flatten().map(|task| task.whole).collect()
    }
}
