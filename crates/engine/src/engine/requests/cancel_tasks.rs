//! Cancelling tasks of a job that are named.

use aldis_core::ids::{JobNo, TaskNo};
use aldis_store::rows::Actor;
use aldis_store::{Error, Refusal};

use super::refuse;
use crate::engine::turn::Turn;
use crate::writer::{AnswerSender, TaskEntry};

impl Turn<'_> {
    pub(super) fn cancel_tasks(
        &mut self,
        job: JobNo,
        tasks: &[TaskNo],
        by: Actor,
        answer: AnswerSender<Vec<TaskEntry>>,
    ) -> Result<(), Error> {
        if !self.find_job(job)? {
            refuse(answer, Refusal::Missing);
            return Ok(());
        }
        self.load(tasks)?;
        let entries: Vec<TaskEntry> = tasks.iter().map(|task| self.cancel_one(job, *task)).collect();
        let note = self.note(job, "task.cancel", by);
        self.write(note, Box::new(move |done| drop(answer.send(done.map(|_| entries)))));
        Ok(())
    }

    fn cancel_one(&mut self, job: JobNo, task: TaskNo) -> TaskEntry {
        if !self.is_of(job, task) {
            return TaskEntry::Missing;
        }
        let applied = self.cancel(task);
        self.entry(task, applied)
    }
}
