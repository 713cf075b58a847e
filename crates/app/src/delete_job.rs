//! Deleting a job: gone from the API in one commit, its rows follow in slices.

use aldis_store::{Refusal, Write};

use super::{App, Caller, Error};

impl App {
    /// Deletes a job that has not triggered or is finished. Replies that still come are acknowledged and dropped.
    ///
    /// # Errors
    /// [`Error::NoJob`]; [`Error::JobRunning`].
    pub async fn delete_job(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let job = self.job(caller, id).await?.job.no;
        let write = Write::DeleteJob {
            job,
            by: caller.actor(),
        };
        match self.write_one(write).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::NoJob(id.to_owned())),
            Err(Refusal::InUse) => Err(Error::JobRunning(id.to_owned())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}
