//! `aldis job cancel` and `aldis job retry`: some tasks, or all that can be.

use aldis_client::{Answer, BatchEntry, Client};
use clap::Args;

use crate::context::Context;
use crate::exit::Outcome;

#[derive(Debug, Args)]
pub(crate) struct Act {
    job_id: String,
    /// Only this task; repeatable, at most 200
    #[arg(long = "task", value_name = "ID")]
    tasks: Vec<String>,
}

impl Act {
    pub(crate) async fn cancel(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        report(
            context,
            "cancelled",
            &client.cancel_tasks(&self.job_id, self.tasks()).await?,
        )
    }

    pub(crate) async fn retry(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        report(
            context,
            "retried",
            &client.retry_tasks(&self.job_id, self.tasks()).await?,
        )
    }

    fn tasks(&self) -> Option<&[String]> {
        (!self.tasks.is_empty()).then_some(&*self.tasks)
    }
}

fn report(context: &Context, done: &str, answer: &Answer<Vec<BatchEntry<String>>>) -> anyhow::Result<Outcome> {
    let refused: Vec<_> = answer.iter().filter(|entry| entry.code != 0).collect();
    for entry in &refused {
        let task = entry.data.as_deref().unwrap_or("?");
        context
            .screen
            .note(format_args!("task {task}: {} (code {})", entry.msg, entry.code))?;
    }
    context.screen.answer(answer, |_| {
        let figure = |size: Option<u64>| size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        let (some, all) = (figure(answer.success_size), figure(answer.total_size));
        format!("{some} of {all} tasks {done}")
    })?;
    Ok(if refused.is_empty() {
        Outcome::Done
    } else {
        Outcome::NotAll
    })
}
