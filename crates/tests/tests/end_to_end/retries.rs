//! Trying again: by the job's policy, and by hand.

use aldis_client::{JobStatus, TaskStatus};
use serde_json::json;

use crate::harness::{Plan, World};

#[tokio::test]
async fn a_failed_command_is_tried_again_by_itself() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity()).retry(0, 2)).await;
    let first = device.next_command().await.unwrap();
    device.answer(&first, 500, json!({})).await.unwrap();
    // The last result is visible while the retry waits.
    let waiting = world.task(&job).await;
    assert_eq!(waiting.status, TaskStatus::Queued);
    assert_eq!(waiting.task_result.unwrap().code, Some(500));
    let second = device.next_command().await.unwrap();
    assert_ne!(first.id(), second.id());
    assert_eq!(first.wire_id().unwrap().task(), second.wire_id().unwrap().task());
    device.answer(&second, 200, json!({"product": 42})).await.unwrap();
    let task = world.task(&job).await;
    assert_eq!(
        (task.status, task.auto_retry_count, task.manual_retry_count),
        (TaskStatus::Succeed, 1, 0)
    );
    let attempts = world.client.task_attempts(&task.task_id).await.unwrap().data;
    let outcomes: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.outcome.as_deref().unwrap())
        .collect();
    assert_eq!(outcomes, ["FAILED", "SUCCEED"]);
}

#[tokio::test]
async fn automatic_retries_end_with_their_budget() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world
        .create(&Plan::device(device.identity()).ttl(60).reply_within(1).retry(0, 1))
        .await;
    let first = device.next_command().await.unwrap();
    device.puback(&first).await.unwrap();
    let second = device.next_command().await.unwrap();
    assert_ne!(first.id(), second.id());
    device.answer(&second, 77, json!({})).await.unwrap();
    let task = world.task_in(&job, TaskStatus::Failed).await;
    assert_eq!((task.auto_retry_count, task.task_result.unwrap().code), (1, Some(77)));
    assert_eq!(world.recounted(&job).await.failed, 1);
}

#[tokio::test]
async fn what_failed_is_retried_by_hand() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 500, json!({})).await.unwrap();
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);

    let retried = world.client.retry_tasks(&job, None).await.unwrap();
    assert_eq!((retried.success_size, retried.total_size), (Some(1), Some(1)));
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::InProgress);
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    let task = world.task(&job).await;
    assert_eq!(
        (task.status, task.auto_retry_count, task.manual_retry_count),
        (TaskStatus::Succeed, 0, 1)
    );
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);
    // Nothing is left to retry.
    let none = world.client.retry_tasks(&job, None).await.unwrap();
    assert_eq!((none.data.len(), none.total_size), (0, Some(0)));
    let refused = world.client.retry_tasks(&job, Some(&[task.task_id])).await.unwrap();
    assert_eq!(refused.data[0].code, 24621);
}

#[tokio::test]
async fn both_kinds_of_timeout_are_retried_by_hand() {
    let world = World::open().await;
    let offline = world.device("offline").await;
    let mut mute = world.connected("mute").await;
    let ttl = world.create(&Plan::device(&offline).ttl(1)).await;
    let rsp = world
        .create(&Plan::device(mute.identity()).ttl(60).reply_within(1))
        .await;
    let command = mute.next_command().await.unwrap();
    mute.puback(&command).await.unwrap();
    world.task_in(&ttl, TaskStatus::TtlTimeout).await;
    world.task_in(&rsp, TaskStatus::RspTimeout).await;
    let mut offline = world.connect(&offline).await;
    // A window of one second is over before a device that has just come has settled.
    let probe = world.create(&Plan::device(offline.identity()).ttl(60)).await;
    let command = offline.next_command().await.unwrap();
    offline.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.task(&probe).await.status, TaskStatus::Succeed);
    for job in [&ttl, &rsp] {
        assert_eq!(world.client.retry_tasks(job, None).await.unwrap().success_size, Some(1));
    }
    for device in [&mut offline, &mut mute] {
        let command = device.next_command().await.unwrap();
        device.answer(&command, 200, json!({})).await.unwrap();
    }
    for job in [&ttl, &rsp] {
        let task = world.task_in(job, TaskStatus::Succeed).await;
        assert_eq!(task.manual_retry_count, 1);
        assert_eq!(world.recounted(job).await.succeed, 1);
    }
}
