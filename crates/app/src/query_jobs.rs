//! Jobs as their owner sees them: one, or those that a search finds.

use aldis_core::expression::{Filter, JobField};
use aldis_core::ids::JobNo;
use aldis_store::Page;
use aldis_store::rows::JobDetail;

use super::{App, Caller, Error, Results};

impl App {
    /// A job of the caller's organization.
    ///
    /// # Errors
    /// [`Error::NoJob`].
    pub async fn job(&self, caller: &Caller, id: &str) -> Result<JobDetail, Error> {
        let missing = || Error::NoJob(id.to_owned());
        let no = JobNo::from_job_id(id).ok_or_else(missing)?;
        let found = self.read(move |store| store.job(no)).await?;
        found
            .filter(|detail| detail.job.org == caller.org && !detail.job.deleted)
            .ok_or_else(missing)
    }

    /// Jobs of the caller's organization, newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn search_jobs(
        &self,
        caller: &Caller,
        filter: Option<Filter<JobField>>,
        page: Page,
    ) -> Result<Results<JobDetail>, Error> {
        let org = caller.org.clone();
        self.search(caller, filter.is_some(), move |store| {
            store.search_jobs(&org, filter.as_ref(), page)
        })
        .await
    }
}
