//! Triggers of jobs that are due.

use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::task::{Event, State};
use aldis_store::{Error, JobTasks, Write};

use super::turn::Turn;

/// Rows of the jobs that are triggered in one turn: bounds the commit, however many small jobs are due.
const ROWS_PER_TURN: u64 = 10_000;

impl Turn<'_> {
    /// Triggers due jobs. A device list's rows exist and become due in the same commit; of a whole product only the
    /// members are fixed here, their rows follow in slices.
    pub(super) fn trigger(&mut self) -> Result<(), Error> {
        if self.is_clock_in_doubt() {
            return Ok(());
        }
        for job in self.take_triggers(ROWS_PER_TURN) {
            self.trigger_job(job)?;
        }
        Ok(())
    }

    fn trigger_job(&mut self, no: JobNo) -> Result<(), Error> {
        self.release_place(no);
        let Some(job) = self.jobs().get(no).filter(|job| !job.cancels.any()) else {
            return Ok(());
        };
        let rows = match job.members {
            Some(_) => Vec::new(),
            None => self.store().job_tasks(job, JobTasks::Init, None, usize::MAX)?,
        };
        self.write_quietly(Write::TriggerJob { job: no });
        let devices: Vec<DeviceNo> = rows.iter().map(|task| task.device).collect();
        let tasks: Vec<TaskNo> = rows.iter().map(|task| task.no).collect();
        self.take_in(rows);
        self.load_facts(&devices)?;
        for (task, device) in tasks.into_iter().zip(devices) {
            let condition = self.condition(device);
            if self.task(task).is_some_and(|task| task.state == State::Init) {
                // Refused only before its moment, which has come.
                let _refused = self.apply(task, Event::Due(&condition));
            }
        }
        Ok(())
    }
}
