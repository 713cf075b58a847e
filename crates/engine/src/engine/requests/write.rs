//! Plain writes of a caller, in one commit.

use aldis_core::task::QUEUE_MAX;
use aldis_store::{Done, Error, Refusal, Write};

use super::refuse;
use crate::engine::turn::Turn;
use crate::writer::AnswerSender;

impl Turn<'_> {
    pub(super) fn plain_writes(&mut self, writes: Vec<Write>, answer: AnswerSender<Vec<Done>>) -> Result<(), Error> {
        if !self.reserve_places(&writes)? {
            refuse(answer, Refusal::Full);
            return Ok(());
        }
        self.forget_jobs_deleted_by(&writes);
        self.write(
            writes,
            Box::new(move |done| drop(answer.send(done.map(<[Done]>::to_vec)))),
        );
        Ok(())
    }

    /// Reserves a place for every single command among these writes that may wait for its device; false if there is
    /// none. Only the turn can decide this, because many commands may be on their way at once. A repeated request has
    /// its place already.
    fn reserve_places(&mut self, writes: &[Write]) -> Result<bool, Error> {
        for write in writes {
            let Write::CreateJob(job) = write else { continue };
            let Some(device) = job.cached_for() else { continue };
            self.load_queue_length(device)?;
            if self.queued(device) < QUEUE_MAX {
                self.reserve_place(device);
                continue;
            }
            match &job.idempotency {
                Some(asked) if self.is_repeated(asked)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A job that is deleted before its trigger does not trigger any more, also not in this very turn.
    fn forget_jobs_deleted_by(&mut self, writes: &[Write]) {
        for write in writes {
            if let Write::DeleteJob { job, .. } = write
                && self.jobs().get(*job).is_some_and(|job| job.total.is_none())
            {
                self.forget_job(*job);
            }
        }
    }
}
