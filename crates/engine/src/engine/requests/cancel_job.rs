//! Cancelling a job as a whole.

use std::sync::atomic::{AtomicU64, Ordering};

use aldis_core::ids::{JobNo, TaskNo};
use aldis_store::rows::Actor;
use aldis_store::{Done, Error, JobTasks, Refusal, Write};

use super::refuse;
use crate::engine::turn::Turn;
use crate::engine::work::LISTED_MAX;
use crate::writer::{AnswerSender, WholeJob, WriterError};

impl Turn<'_> {
    /// One mark, in one commit: from the next line on nothing of the job is sent any more.
    pub(super) fn cancel_job(&mut self, no: JobNo, by: Actor, answer: AnswerSender<WholeJob>) -> Result<(), Error> {
        if !self.find_job(no)? {
            refuse(answer, Refusal::Missing);
            return Ok(());
        }
        if self.jobs().get(no).is_some_and(|job| job.cancels.is_full()) {
            refuse(answer, Refusal::Full);
            return Ok(());
        }
        let first = self.first_cancellable(no)?;
        let settled = self.count_settled(no);
        self.withdraw_all_of(no)?;
        self.raise_cancel_mark(no);
        let cancel = Write::CancelJob { job: no, by };
        self.write(
            vec![cancel],
            Box::new(move |done| drop(answer.send(whole(done, &settled, first)))),
        );
        Ok(())
    }

    /// Cancels what has been handed out and has not left, in the mark's own commit. The other rows of the job follow in
    /// slices, and none of them can leave meanwhile.
    fn withdraw_all_of(&mut self, no: JobNo) -> Result<(), Error> {
        let unsent = self
            .devices()
            .all_held()
            .filter(|held| held.is_open())
            .map(|held| held.slot.task);
        let unsent = unsent.filter(|task| self.jobs().of(*task).is_some_and(|job| job.no == no));
        let unsent: Vec<TaskNo> = unsent.collect();
        self.load(&unsent)?;
        for task in unsent {
            // A task that was cancelled before has nothing to take back.
            let _refused = self.cancel(task);
        }
        Ok(())
    }

    /// The first tasks that the mark takes. What this very turn has made of a row counts, not what was stored before
    /// it: the device may just have acknowledged or answered.
    fn first_cancellable(&mut self, no: JobNo) -> Result<Vec<TaskNo>, Error> {
        let Some(job) = self.jobs().get(no) else {
            return Ok(Vec::new());
        };
        let mut first = Vec::new();
        let mut after = None;
        while first.len() < LISTED_MAX {
            let rows = self.store().job_tasks(job, JobTasks::Unfinished, after, LISTED_MAX)?;
            let Some(last) = rows.last() else { break };
            after = Some(last.no);
            first.extend(
                rows.iter()
                    .filter(|row| self.task(row.no).unwrap_or(row).state.is_cancellable())
                    .map(|task| task.no),
            );
        }
        first.truncate(LISTED_MAX);
        Ok(first)
    }
}

fn whole(done: Result<&[Done], WriterError>, settled: &AtomicU64, first: Vec<TaskNo>) -> Result<WholeJob, WriterError> {
    match done? {
        [Done::Count(left), ..] => Ok(WholeJob {
            eligible: *left + settled.load(Ordering::Relaxed),
            first,
        }),
        [Done::Refused(refusal), ..] => Err(WriterError::Refused(*refusal)),
        _ => Err(WriterError::Unavailable),
    }
}
