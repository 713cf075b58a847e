//! The second part: one job for the whole product, while some of its devices misbehave.

use std::time::Duration;

use aldis_client::{
    Client, CommandInfo, JobStatus, NewJob, RetryPolicy, StatusCount, TargetScope, Task, TimeoutPolicy,
};
use anyhow::Context as _;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::stage::{Stage, in_words};
use super::world::PRODUCT;

/// How often the statistics are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What a job may take beyond its own time limits, on a machine that has other things to do.
const GRACE: Duration = Duration::from_secs(120);

/// Seconds for a reply, and for a device to come: short, so that one sees timeouts happen, and more for a fleet that
/// takes longer to be served.
fn limit_secs(devices: usize) -> u32 {
    3 + u32::try_from(devices / 5000).unwrap_or(0)
}

/// Runs the job and gives its id, its final statistics and its tasks.
pub(super) async fn run(
    stage: Stage,
    client: &Client,
    devices: usize,
) -> anyhow::Result<(String, StatusCount, Vec<Task>)> {
    let request = request(devices);
    let job = client.create_job(&request).await?.data;
    let secs = limit_secs(devices);
    stage.show(
        "job",
        format_args!(
            "{job}: setpoint = 21.5; replies within {secs} s, {secs} s for a device to come, one retry after 1 s"
        ),
    );
    // A round and its retry, each with its reply timeout.
    let limit = Duration::from_secs(u64::from(secs) * 2) + GRACE;
    let count = timeout(limit, until_finished(stage, client, &job, devices)).await;
    let count = count.context("the whole-product job does not end")??;
    let mut tasks = Vec::with_capacity(devices);
    let mut pages = client.tasks_of(&job);
    while let Some(task) = pages.next().await? {
        tasks.push(task);
    }
    Ok((job, count, tasks))
}

fn request(devices: usize) -> NewJob {
    let secs = limit_secs(devices);
    NewJob {
        timeout_policy: Some(TimeoutPolicy {
            in_progress_timeout_in_seconds: Some(secs),
            ttl_timeout_in_seconds: Some(secs),
        }),
        retry_policy: Some(RetryPolicy {
            enable_retry: true,
            retry_count: Some(1),
            retry_interval_in_seconds: Some(1),
        }),
        ..NewJob::new(
            "New setpoint for everybody",
            TargetScope::products([PRODUCT]),
            CommandInfo::measurepoint("setpoint", json!(21.5)),
        )
    }
}

async fn until_finished(stage: Stage, client: &Client, job: &str, devices: usize) -> anyhow::Result<StatusCount> {
    let mut progress = stage.progress(devices);
    loop {
        // The status first: counts that are read after FINISHED are the final ones.
        let status = client.get_job(job).await?.status;
        let count = client.statistics(job).await?.data;
        if status == JobStatus::Finished {
            progress.end();
            return Ok(count);
        }
        progress.show(count.ended(), devices, &in_words(&count));
        sleep(LOOK_EVERY).await;
    }
}
