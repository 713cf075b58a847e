//! Single commands that wait for their device and are not wanted any more.

use aldis_core::expression::{CommandField, Comparison, Filter, Value};
use aldis_core::ids::{DeviceNo, TaskNo};
use aldis_core::task::State;
use aldis_store::rows::{Action, Actor};
use aldis_store::{Error, Page, Write, words};

use super::turn::Turn;
use crate::writer::Answer;

/// Rows that are looked at: far more than may wait for one device, with those that are just about to.
const LOOKED_AT_MAX: u64 = 1000;

impl Turn<'_> {
    /// Cancels the cached commands of a device that have not been sent, or one of them.
    pub(super) fn cancel_commands(
        &mut self,
        device: DeviceNo,
        only: Option<TaskNo>,
        by: Actor,
        answer: Answer<Vec<TaskNo>>,
    ) -> Result<(), Error> {
        let mut tasks = match only {
            Some(task) => vec![task],
            None => self.created_commands(device)?,
        };
        tasks.sort_unstable();
        self.load(&tasks)?;
        tasks.retain(|task| self.is_cached(*task) && self.cancel(*task).is_ok());
        let notes = tasks.iter().filter_map(|task| self.note_cancel(*task, &by)).collect();
        self.write(notes, Box::new(move |done| drop(answer.send(done.map(|_| tasks)))));
        Ok(())
    }

    /// Those not sent yet, as stored before this turn.
    fn created_commands(&self, device: DeviceNo) -> Result<Vec<TaskNo>, Error> {
        let created = Filter::Compare {
            field: CommandField::State,
            sub: None,
            op: Comparison::Eq,
            value: Value::from(words::command_state(State::Queued)),
        };
        let page = Page {
            skip: 0,
            take: LOOKED_AT_MAX,
        };
        let found = self.store.search_commands(device, Some(&created), page)?;
        Ok(found.rows.into_iter().map(|info| info.task.no).collect())
    }

    /// It is a single command that may wait for its device, and it still does.
    fn is_cached(&self, no: TaskNo) -> bool {
        let waits = |state| matches!(state, State::Init | State::Queued | State::RetryWait);
        let job = self.memory.jobs.of(no);
        job.is_some_and(|job| job.single && job.policy.ttl_ms > 0)
            && self.task(no).is_some_and(|task| waits(task.state))
    }

    fn note_cancel(&self, no: TaskNo, by: &Actor) -> Option<Write> {
        let job = self.memory.jobs.of(no)?;
        Some(Write::Note(Action {
            org: job.org.clone(),
            verb: "command.cancel",
            subject: job.no.to_job_id(),
            by: by.clone(),
        }))
    }
}
