//! The first part: the request of the specification page, sent as it stands there and executed by one device.

use std::time::{Duration, Instant};

use aldis_client::{Client, StatusCount, Task, TaskStatus};
use anyhow::Context as _;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

use super::fleet::Heard;
use super::stage::{Stage, in_words};
use super::world::World;
use crate::command::task::status_word;

/// The page's body with its values, folded to fit a screen.
const REQUEST: &str = include_str!("create_job.json");
/// What the device makes of the page's input.
const OUTPUT: i64 = 44;
/// Longer than the request's own time limits.
const PATIENCE: Duration = Duration::from_secs(60);
/// Short enough to see a task pass through its states.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Sends it, shows what happens, and gives the job's id and what is not as it must be.
pub(super) async fn show(stage: Stage, client: &Client, world: &mut World) -> anyhow::Result<(String, Vec<String>)> {
    stage.say(format_args!(
        "  POST /connect-service/v2.5/commands?action=createJob&orgId={}",
        client.org_id()
    ));
    stage.block(REQUEST);
    let request: &RawValue = serde_json::from_str(REQUEST)?;
    let begun = Instant::now();
    let answer = client.create_job(request).await?;
    let job = answer.data.clone();
    let id = &answer.request_id;
    stage.show(
        "answer",
        format_args!(r#"{{"code":0,"msg":"OK","requestId":"{id}","data":"{job}"}}"#),
    );
    let (task, states) = timeout(PATIENCE, until_ended(client, &job, begun))
        .await
        .context("the specification page's task does not end")??;
    let heard = timeout(PATIENCE, world.heard.recv()).await.ok().flatten();
    if let Some(heard) = &heard {
        tell_device(stage, heard);
    }
    stage.show("task", states.join(" → "));
    let count = client.statistics(&job).await?.data;
    stage.show("counted", format_args!("{} task: {}", count.total, in_words(&count)));
    Ok((job, wrong(&task, count)))
}

fn tell_device(stage: Stage, heard: &Heard) {
    let Heard {
        topic,
        payload,
        reply_topic,
        output,
    } = heard;
    stage.show("device ←", topic);
    stage.show("", payload);
    stage.show("device →", reply_topic);
    stage.show("", format_args!("code 200, data {output}"));
}

async fn until_ended(client: &Client, job: &str, begun: Instant) -> anyhow::Result<(Task, Vec<String>)> {
    let mut states = Vec::new();
    let mut last = None;
    loop {
        let task = client.tasks_of(job).next().await?.context("the job has no task")?;
        if last != Some(task.status) {
            last = Some(task.status);
            states.push(format!(
                "{} {} ms",
                status_word(task.status),
                begun.elapsed().as_millis()
            ));
        }
        if task.status.is_final() {
            return Ok((task, states));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn wrong(task: &Task, count: StatusCount) -> Vec<String> {
    let mut wrong = Vec::new();
    let output = task.task_result.as_ref().and_then(|result| result.output_data.clone());
    if task.status != TaskStatus::Succeed || output != Some(json!({"output": OUTPUT})) {
        let status = status_word(task.status);
        wrong.push(format!(
            "the specification page's task ended as {status} with {output:?}"
        ));
    }
    let expected = StatusCount {
        total: 1,
        succeed: 1,
        ..StatusCount::default()
    };
    if count != expected {
        wrong.push(format!("the specification page's job was counted as {count:?}"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use aldis_client::NewJob;

    use super::*;

    #[test]
    fn the_request_has_the_documented_shape() {
        let job: NewJob = serde_json::from_str(REQUEST).unwrap();
        assert_eq!(job.desc, "commandJobDescription");
        let service = job.command_info.service_invoke_info.unwrap();
        assert_eq!(
            (service.service_id.as_str(), service.input_data),
            ("serviceId", Some(json!({"input": 22})))
        );
    }
}
