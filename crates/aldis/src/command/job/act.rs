//! `aldis job cancel` and `aldis job retry`: some tasks, or all that can be.

use aldis_client::{Answer, BatchEntry, Client, Error, Task, TaskStatus, quoted};
use clap::{Args, ValueEnum};

use crate::command::task::status_word;
use crate::context::Context;
use crate::exit::Outcome;
use crate::pick::elements;

/// The most that one call names, and lists.
const TASKS_PER_CALL: usize = 200;

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The job's id
    job_id: String,
    /// Only this task; repeatable
    #[arg(long = "task", value_name = "ID")]
    tasks: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// The job's id
    job_id: String,
    /// Only this task; repeatable
    #[arg(long = "task", value_name = "ID")]
    tasks: Vec<String>,
    /// Only tasks that ended so, without those that are known to have succeeded late; repeatable
    #[arg(long, value_enum, ignore_case = true, conflicts_with = "tasks")]
    status: Vec<Finished>,
}

/// How a task ended that can be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Finished {
    /// The device or the server reported an error
    #[value(name = "FAILED")]
    Failed,
    /// No reply came in time
    #[value(name = "RSP_TIMEOUT")]
    RspTimeout,
    /// The command was not sent in time
    #[value(name = "TTL_TIMEOUT")]
    TtlTimeout,
}

impl Finished {
    fn word(self) -> &'static str {
        status_word(match self {
            Self::Failed => TaskStatus::Failed,
            Self::RspTimeout => TaskStatus::RspTimeout,
            Self::TtlTimeout => TaskStatus::TtlTimeout,
        })
    }
}

type Entries = Answer<Vec<BatchEntry<String>>>;

/// What all calls of one command did.
#[derive(Debug, Default)]
struct Done {
    succeeded: u64,
    total: u64,
    refused: bool,
    entries: Vec<String>,
}

impl Cancel {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        let mut done = Done::default();
        if self.tasks.is_empty() {
            done.take(context, &client.cancel_tasks(&self.job_id, None).await?)?;
        }
        for tasks in self.tasks.chunks(TASKS_PER_CALL) {
            let answer = client.cancel_tasks(&self.job_id, Some(tasks)).await;
            done.take(context, &answer.map_err(|error| done.broken_off(error, "cancelled"))?)?;
        }
        done.report(context, "cancelled")
    }
}

impl Retry {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        let mut done = Done::default();
        let tasks = if self.status.is_empty() {
            self.tasks.clone()
        } else {
            self.ended_so(client).await?
        };
        if tasks.is_empty() && self.status.is_empty() {
            done.take(context, &client.retry_tasks(&self.job_id, None).await?)?;
        }
        for tasks in tasks.chunks(TASKS_PER_CALL) {
            let answer = client.retry_tasks(&self.job_id, Some(tasks)).await;
            done.take(context, &answer.map_err(|error| done.broken_off(error, "retried"))?)?;
        }
        done.report(context, "retried")
    }

    /// The tasks in the wanted states. All are looked up before the first is retried: a retry changes what is found.
    async fn ended_so(&self, client: &Client) -> anyhow::Result<Vec<String>> {
        // A job that does not exist has no tasks, which would look like success.
        client.get_job(&self.job_id).await?;
        let words: Vec<_> = self.status.iter().map(|status| quoted(status.word())).collect();
        let (job, states) = (quoted(&self.job_id), words.join(", "));
        let mut tasks = client.tasks(Some(&format!("jobId = {job} and status in ({states})")));
        let mut found = Vec::new();
        while let Some(task) = tasks.next().await? {
            if !has_succeeded_late(client, &task).await? {
                found.push(task.task_id);
            }
        }
        Ok(found)
    }
}

/// Whether the device has done what the task says although the task ended otherwise: a retry would do it twice.
async fn has_succeeded_late(client: &Client, task: &Task) -> Result<bool, Error> {
    let sent_once = task.auto_retry_count + task.manual_retry_count == 0;
    if sent_once && task.status != TaskStatus::RspTimeout {
        return Ok(false);
    }
    let attempts = client.task_attempts(&task.task_id).await?;
    Ok(attempts
        .iter()
        .any(|attempt| attempt.late == Some(true) && attempt.code == Some(0)))
}

impl Done {
    fn take(&mut self, context: &Context, answer: &Entries) -> anyhow::Result<()> {
        context.screen.warning(answer);
        for entry in answer.iter().filter(|entry| entry.code != 0) {
            let task = entry.data.as_deref().unwrap_or("?");
            self.refused = true;
            context
                .screen
                .note(format_args!("task {task}: {} (code {})", entry.msg, entry.code));
        }
        self.succeeded += answer.success_size.unwrap_or_default();
        self.total += answer.total_size.unwrap_or_default();
        self.entries.extend(elements(answer.raw())?);
        Ok(())
    }

    /// What calls before the one that failed have done stays done.
    fn broken_off(&self, error: Error, done: &str) -> anyhow::Error {
        match self.total {
            0 => error.into(),
            total => anyhow::Error::from(error).context(format!("{} of {total} tasks {done} before", self.succeeded)),
        }
    }

    fn report(&self, context: &Context, done: &str) -> anyhow::Result<Outcome> {
        let (succeeded, total, listed) = (self.succeeded, self.total, self.entries.len());
        if context.screen.json {
            let entries = self.entries.join(",");
            context.screen.line(format_args!(
                "{{\"successSize\":{succeeded},\"totalSize\":{total},\"data\":[{entries}]}}"
            ))?;
            if u64::try_from(listed)? < total {
                context
                    .screen
                    .note(format_args!("the first {listed} of {total} tasks are listed"));
            }
        } else {
            context
                .screen
                .line(format_args!("{succeeded} of {total} tasks {done}"))?;
        }
        Ok(if self.refused { Outcome::NotAll } else { Outcome::Done })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_fails_behind_others_says_what_those_have_done() {
        let refused = || Error::Refused {
            code: 429,
            msg: "too many calls".into(),
            request_id: "r".into(),
            field: None,
        };
        let mut done = Done::default();
        let first = format!("{:#}", done.broken_off(refused(), "retried"));
        assert!(first.starts_with("too many calls"), "{first}");
        (done.succeeded, done.total) = (150, 200);
        let later = format!("{:#}", done.broken_off(refused(), "retried"));
        assert!(
            later.starts_with("150 of 200 tasks retried before: too many calls"),
            "{later}"
        );
    }
}
