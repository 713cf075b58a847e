//! Questions about jobs and their tasks.

use aldis_core::expression::{CommandField, Filter, JobField, TaskField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::task::{AttemptRecord, Task};

use crate::rows::{Job, JobDetail};
use crate::{DeviceFacts, Error, Found, JobTasks, Page, TaskInfo};

/// Reads jobs and their tasks.
///
/// Deleted devices and deleted jobs are found only where a method says so.
pub trait ReadJobs: Send + Sync {
    /// A job with its text, of whatever organization.
    fn job(&self, job: JobNo) -> Result<Option<JobDetail>, Error>;
    /// The names of jobs, in the order asked for, without their commands.
    fn job_names(&self, jobs: &[JobNo]) -> Result<Vec<Option<I18nText>>, Error>;
    /// Jobs of an organization, newest first; single commands are passed over.
    fn search_jobs(
        &self,
        org: &OrgId,
        filter: Option<&Filter<JobField>>,
        page: Page,
    ) -> Result<Found<JobDetail>, Error>;
    /// Every job that the engine has to do with: not finished, or with a cancel to settle, or deleted with rows left.
    fn jobs_at_work(&self) -> Result<Vec<Job>, Error>;
    /// The numbers of those jobs, without a look at the jobs themselves.
    fn numbers_at_work(&self) -> Result<Vec<JobNo>, Error>;
    /// The jobs that own these tasks, deduplicated, in any order; those of deleted jobs are left out.
    fn jobs_of(&self, tasks: &[TaskNo]) -> Result<Vec<Job>, Error>;
    /// Tasks, in the order asked for; those of deleted jobs are absent.
    fn tasks(&self, tasks: &[TaskNo]) -> Result<Vec<Option<Task>>, Error>;
    /// Tasks with what is around them, in the order asked for, of whatever organization.
    fn task_infos(&self, tasks: &[TaskNo]) -> Result<Vec<Option<TaskInfo>>, Error>;
    /// Tasks of an organization, newest (largest number) first.
    fn search_tasks(
        &self,
        org: &OrgId,
        filter: Option<&Filter<TaskField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error>;
    /// The single commands of a device, newest first.
    fn search_commands(
        &self,
        device: DeviceNo,
        filter: Option<&Filter<CommandField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error>;
    /// A task's history rows, by attempt and time; of deleted jobs none.
    fn history(&self, task: TaskNo) -> Result<Vec<AttemptRecord>, Error>;
    /// Rows of one job after a number (`None`: from its first), by number; `usize::MAX` is no limit. Of deleted jobs
    /// none.
    fn job_tasks(&self, job: &Job, which: JobTasks, after: Option<TaskNo>, limit: usize) -> Result<Vec<Task>, Error>;
    /// Members of a triggered product job that have no row yet, by number. A deleted device may be among them.
    fn members(&self, job: &Job, limit: usize) -> Result<Vec<DeviceFacts>, Error>;
}
