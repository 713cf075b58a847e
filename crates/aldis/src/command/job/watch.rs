//! `aldis job watch`: a bar that fills as tasks end, and the counts when the job has finished.

use std::time::Duration;

use aldis_client::{Answer, Client, JobStatus, StatusCount};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::counts;
use crate::context::Context;
use crate::exit::Outcome;

/// Often enough to look alive, seldom enough to cost the server nothing.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The job's id
    job_id: String,
}

impl Watch {
    pub(crate) async fn run(&self, context: &Context, client: &Client) -> anyhow::Result<Outcome> {
        watch(context, client, &self.job_id).await
    }
}

/// Follows a job until it has finished. Without a terminal there is no bar.
pub(super) async fn watch(context: &Context, client: &Client, job_id: &str) -> anyhow::Result<Outcome> {
    let bar = ProgressBar::new(0).with_style(style());
    let count = follow(client, job_id, &bar).await;
    bar.finish_and_clear();
    let count = count?;
    context.screen.answer(&count, counts)?;
    Ok(outcome(&count))
}

async fn follow(client: &Client, job_id: &str, bar: &ProgressBar) -> anyhow::Result<Answer<StatusCount>> {
    loop {
        // A job that is cancelled before its trigger is FINISHED at once, while its tasks end within moments.
        let status = client.get_job(job_id).await?.status;
        let count = client.statistics(job_id).await?;
        if status == JobStatus::Finished && count.ended() == count.total {
            return Ok(count);
        }
        bar.set_length(count.total);
        bar.set_position(count.ended());
        bar.set_message(message(status, &count));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len}\n{msg}")
        .expect("the template is constant and right")
}

fn message(status: JobStatus, count: &StatusCount) -> String {
    if status == JobStatus::Init {
        return "not triggered yet".to_owned();
    }
    let figures = [
        ("waiting", count.init),
        ("published", count.published),
        ("in progress", count.in_progress),
        ("succeeded", count.succeed),
        ("failed", count.failed),
        ("cancelled", count.canceled),
        ("never sent", count.ttl_timeout),
        ("no reply", count.rsp_timeout),
    ];
    let shown = figures.into_iter().filter(|(_, figure)| *figure > 0);
    let texts: Vec<_> = shown.map(|(name, figure)| format!("{name} {figure}")).collect();
    texts.join("  ")
}

fn outcome(count: &StatusCount) -> Outcome {
    // A job that reached no device has not succeeded.
    if count.total > 0 && count.succeed == count.total {
        Outcome::Done
    } else {
        Outcome::NotAll
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: StatusCount = StatusCount {
        total: 3,
        init: 0,
        published: 0,
        in_progress: 0,
        succeed: 3,
        failed: 0,
        canceled: 0,
        ttl_timeout: 0,
        rsp_timeout: 0,
    };

    #[test]
    fn only_a_job_whose_tasks_all_succeeded_ends_well() {
        assert_eq!(outcome(&COUNT), Outcome::Done);
        let cancelled = StatusCount {
            succeed: 2,
            canceled: 1,
            ..COUNT
        };
        assert_eq!(outcome(&cancelled), Outcome::NotAll);
        assert_eq!(outcome(&StatusCount::default()), Outcome::NotAll);
    }

    #[test]
    fn the_message_names_the_states_that_occur() {
        let count = StatusCount {
            init: 1,
            rsp_timeout: 2,
            ..COUNT
        };
        assert_eq!(
            message(JobStatus::InProgress, &count),
            "waiting 1  succeeded 3  no reply 2"
        );
        assert_eq!(message(JobStatus::Init, &count), "not triggered yet");
    }
}
