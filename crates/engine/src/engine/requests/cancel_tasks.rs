//! Cancelling tasks of a job that are named.

use aldis_core::ids::{JobNo, TaskNo};
use aldis_store::rows::Actor;
use aldis_store::{Error, Refusal};

use super::refuse;
use crate::engine::turn::Turn;
use crate::writer::{Answer, Entry};

impl Turn<'_> {
    pub(super) fn cancel_tasks(
        &mut self,
        job: JobNo,
        tasks: &[TaskNo],
        by: Actor,
        answer: Answer<Vec<Entry>>,
    ) -> Result<(), Error> {
        if !self.find_job(job)? {
            refuse(answer, Refusal::Missing);
            return Ok(());
        }
        self.load(tasks)?;
        let entries: Vec<Entry> = tasks.iter().map(|task| self.cancel_one(job, *task)).collect();
        let note = self.note(job, "task.cancel", by);
        self.write(note, Box::new(move |done| drop(answer.send(done.map(|_| entries)))));
        Ok(())
    }

    fn cancel_one(&mut self, job: JobNo, task: TaskNo) -> Entry {
        if !self.is_of(job, task) {
            return Entry::Missing;
        }
        let applied = self.cancel(task);
        self.entry(task, applied)
    }
}
