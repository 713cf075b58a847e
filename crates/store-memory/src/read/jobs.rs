//! Answers about jobs and their tasks.

use aldis_core::expression::{CommandField, Filter, JobField, TaskField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::task::{AttemptRecord, Task};
use aldis_store::rows::{Job, JobDetail};
use aldis_store::{DeviceFacts, Error, Found, JobTasks, Page, ReadJobs, TaskInfo};

use super::{is_at_work, is_wanted};
use crate::MemoryStore;
use crate::jobs::JobRow;
use crate::records::{CommandRecord, JobRecord, cut, passes};

impl ReadJobs for MemoryStore {
    fn job(&self, job: JobNo) -> Result<Option<JobDetail>, Error> {
        Ok(self.contents.read().jobs.get(job).map(JobRow::detail))
    }

    fn job_names(&self, jobs: &[JobNo]) -> Result<Vec<Option<I18nText>>, Error> {
        let contents = self.contents.read();
        let name = |job: &JobNo| contents.jobs.get(*job).map(|row| row.text.name.clone());
        Ok(jobs.iter().map(name).collect())
    }

    fn search_jobs(
        &self,
        org: &OrgId,
        filter: Option<&Filter<JobField>>,
        page: Page,
    ) -> Result<Found<JobDetail>, Error> {
        let contents = self.contents.read();
        let of_org = |row: &&JobRow| row.job.org == *org && !row.job.single;
        let jobs = contents.jobs.live().rev().filter(of_org);
        let found = jobs.filter(|row| {
            let (job, text) = (&row.job, row.text.as_ref());
            passes(filter, &JobRecord { job, text })
        });
        cut(found.map(JobRow::detail), page)
    }

    fn jobs_at_work(&self) -> Result<Vec<Job>, Error> {
        let contents = self.contents.read();
        let jobs = contents.jobs.all().map(|row| &row.job);
        Ok(jobs.filter(|job| is_at_work(job)).cloned().collect())
    }

    fn numbers_at_work(&self) -> Result<Vec<JobNo>, Error> {
        let contents = self.contents.read();
        let jobs = contents.jobs.all().map(|row| &row.job);
        Ok(jobs.filter(|job| is_at_work(job)).map(|job| job.no).collect())
    }

    fn jobs_of(&self, tasks: &[TaskNo]) -> Result<Vec<Job>, Error> {
        let contents = self.contents.read();
        let jobs = tasks
            .iter()
            .filter_map(|task| contents.jobs.of(*task))
            .map(|row| &row.job);
        let mut jobs: Vec<Job> = jobs.cloned().collect();
        jobs.sort_by_key(|job| job.no);
        jobs.dedup_by_key(|job| job.no);
        Ok(jobs)
    }

    fn tasks(&self, tasks: &[TaskNo]) -> Result<Vec<Option<Task>>, Error> {
        let contents = self.contents.read();
        Ok(tasks.iter().map(|no| contents.task(*no).cloned()).collect())
    }

    fn task_infos(&self, tasks: &[TaskNo]) -> Result<Vec<Option<TaskInfo>>, Error> {
        let contents = self.contents.read();
        Ok(tasks.iter().map(|no| contents.task_info(*no)).collect())
    }

    fn search_tasks(
        &self,
        org: &OrgId,
        filter: Option<&Filter<TaskField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error> {
        let contents = self.contents.read();
        let tasks = contents.tasks.all().rev();
        let found = tasks.filter(|task| contents.task_passes(org, filter, task));
        cut(found.filter_map(|task| contents.task_info(task.no)), page)
    }

    fn search_commands(
        &self,
        device: DeviceNo,
        filter: Option<&Filter<CommandField>>,
        page: Page,
    ) -> Result<Found<TaskInfo>, Error> {
        let contents = self.contents.read();
        let tasks = contents.tasks.all().rev().filter(|task| task.device == device);
        let found = tasks.filter(|task| {
            let row = contents.jobs.of(task.no).filter(|row| row.job.single);
            row.is_some_and(|row| passes(filter, &CommandRecord { task, row }))
        });
        cut(found.filter_map(|task| contents.task_info(task.no)), page)
    }

    fn history(&self, task: TaskNo) -> Result<Vec<AttemptRecord>, Error> {
        let contents = self.contents.read();
        let known = contents.task(task).is_some();
        Ok(if known {
            contents.tasks.history(task)
        } else {
            Vec::new()
        })
    }

    fn job_tasks(&self, job: &Job, which: JobTasks, after: Option<TaskNo>, limit: usize) -> Result<Vec<Task>, Error> {
        let contents = self.contents.read();
        let numbers = contents.tasks.range_of(job).into_iter();
        let later = numbers.filter(|no| after.is_none_or(|after| *no > after));
        let wanted = later
            .filter_map(|no| contents.task(no))
            .filter(|task| is_wanted(which, task));
        Ok(wanted.take(limit).cloned().collect())
    }

    fn members(&self, job: &Job, limit: usize) -> Result<Vec<DeviceFacts>, Error> {
        let contents = self.contents.read();
        let stored = contents.jobs.get(job.no).and_then(|row| row.job.members.as_ref());
        let cursor = stored.map(|members| members.cursor).unwrap_or_default();
        let members = contents.members_of(job.no).into_iter().filter(|no| *no > cursor);
        let facts = members
            .filter_map(|no| contents.devices.get(no))
            .map(|device| contents.facts(device));
        Ok(facts.take(limit).collect())
    }
}
