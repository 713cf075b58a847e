//! Cancelling single commands that wait for their device.

use aldis_core::ids::{DeviceNo, TaskNo};
use aldis_core::task::State;
use aldis_store::rows::{Action, Actor};
use aldis_store::{Error, Write};

use crate::engine::turn::Turn;
use crate::writer::AnswerSender;

impl Turn<'_> {
    /// Cancels the cached commands of a device that have not been sent, or one of them.
    pub(super) fn cancel_commands(
        &mut self,
        device: DeviceNo,
        only: Option<TaskNo>,
        by: Actor,
        answer: AnswerSender<Vec<TaskNo>>,
    ) -> Result<(), Error> {
        let mut tasks = match only {
            Some(task) => vec![task],
            None => self.waiting_for(device)?,
        };
        tasks.sort_unstable();
        self.load(&tasks)?;
        tasks.retain(|task| self.is_cached(*task) && self.cancel(*task).is_ok());
        let notes = tasks.iter().filter_map(|task| self.note_cancel(*task, &by)).collect();
        self.write(notes, Box::new(move |done| drop(answer.send(done.map(|_| tasks)))));
        Ok(())
    }

    /// What waits for the device, as stored before this turn: everything that is queued, and what is yet to trigger.
    fn waiting_for(&mut self, device: DeviceNo) -> Result<Vec<TaskNo>, Error> {
        let rows = self.store().waiting(device)?;
        let mut tasks: Vec<TaskNo> = rows.iter().map(|task| task.no).collect();
        self.take_in_with_jobs(rows)?;
        tasks.extend(self.jobs().tasks_with_reservation(device));
        Ok(tasks)
    }

    /// It is a single command that may wait for its device, and it still does.
    fn is_cached(&self, no: TaskNo) -> bool {
        let waits = |state| matches!(state, State::Init | State::Queued | State::RetryWait);
        let job = self.jobs().of(no);
        job.is_some_and(|job| job.single && job.policy.ttl_ms > 0)
            && self.task(no).is_some_and(|task| waits(task.state))
    }

    fn note_cancel(&self, no: TaskNo, by: &Actor) -> Option<Write> {
        let job = self.jobs().of(no)?;
        Some(Write::Note(Action {
            org: job.org.clone(),
            verb: "command.cancel",
            subject: job.no.to_job_id(),
            by: by.clone(),
        }))
    }
}
