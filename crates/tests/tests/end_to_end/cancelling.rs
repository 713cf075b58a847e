//! Taking tasks back: one, some, all, before and after they were sent.

use std::time::Duration;

use aldis_client::{JobStatus, TaskStatus};
use serde_json::json;

use crate::harness::{Plan, World, now_ms};

#[tokio::test]
async fn a_waiting_command_that_is_cancelled_never_leaves() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let job = world.create(&Plan::device(&identity).ttl(600)).await;
    let task = world.task(&job).await.task_id;
    assert_eq!(
        world
            .client
            .cancel_tasks(&job, Some(&[task]))
            .await
            .unwrap()
            .success_size,
        Some(1)
    );
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);
    let mut device = world.connect(&identity).await;
    device.no_command_within(Duration::from_millis(1500)).await.unwrap();
}

#[tokio::test]
async fn a_sent_command_is_cancelled_but_keeps_its_place_at_the_device() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity()).reply_within(60)).await;
    let command = device.next_command().await.unwrap();
    let next = world.create(&Plan::device(device.identity()).ttl(60)).await;
    let cancelled = world.client.cancel_tasks(&job, None).await.unwrap();
    assert_eq!(cancelled.success_size, Some(1));
    let task = world.task_in(&job, TaskStatus::Cancelled).await;
    let desc = task.task_result.unwrap().desc.unwrap();
    assert!(desc.contains("may have executed"), "{desc}");
    device.no_command_within(Duration::from_millis(300)).await.unwrap();
    // The reply frees the place; it changes nothing about the cancelled task.
    device.answer(&command, 200, json!({})).await.unwrap();
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.task(&next).await.status, TaskStatus::Succeed);
    assert_eq!(world.task(&job).await.status, TaskStatus::Cancelled);
}

#[tokio::test]
async fn what_is_being_executed_is_not_cancelled_but_not_tried_again_either() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity()).retry(0, 3)).await;
    let command = device.next_command().await.unwrap();
    device.puback(&command).await.unwrap();
    let task = world.task_in(&job, TaskStatus::InProgress).await.task_id;
    let refused = world.client.cancel_tasks(&job, Some(&[task])).await.unwrap();
    assert_eq!(refused.data[0].code, 24620);
    assert!(refused.data[0].msg.contains("retr"), "{}", refused.data[0].msg);
    device.answer(&command, 500, json!({})).await.unwrap();
    let task = world.task(&job).await;
    assert_eq!((task.status, task.auto_retry_count), (TaskStatus::Failed, 0));
}

#[tokio::test]
async fn some_tasks_are_cancelled_and_the_others_run() {
    let world = World::open().await;
    let devices = world.devices(&["d1", "d2", "d3"]).await;
    let job = world.create(&Plan::devices(&devices).ttl(600)).await;
    let tasks = world.tasks(&job).await;
    let of = |key: &str| {
        tasks
            .iter()
            .find(|task| task.device_key.as_deref() == Some(key))
            .unwrap()
            .task_id
            .clone()
    };
    let cancelled = world
        .client
        .cancel_tasks(&job, Some(&[of("d1"), of("d3")]))
        .await
        .unwrap();
    assert_eq!(cancelled.success_size, Some(2));
    let mut device = world.connect(&devices[1]).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    let count = world.recounted(&job).await;
    assert_eq!((count.total, count.succeed, count.canceled), (3, 1, 2));
}

#[tokio::test]
async fn a_job_that_has_not_triggered_is_cancelled_as_a_whole() {
    let world = World::open().await;
    let devices = world.many_devices(5).await;
    let later = now_ms() + 3_600_000;
    for plan in [Plan::devices(&devices), Plan::product("pump")] {
        let job = world.create(&plan.at(later).ttl(60)).await;
        world.client.cancel_tasks(&job, None).await.unwrap();
        assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);
        world.client.delete_job(&job).await.unwrap();
    }
}

#[tokio::test]
async fn all_of_many_tasks_are_cancelled_with_one_mark() {
    let world = World::open().await;
    world.many_devices(3000).await;
    let job = world.create(&Plan::product("pump").ttl(600)).await;
    world.count_when(&job, "all created", |count| count.total == 3000).await;
    let cancelled = world.client.cancel_tasks(&job, None).await.unwrap();
    assert_eq!((cancelled.success_size, cancelled.total_size), (Some(3000), Some(3000)));
    assert_eq!(cancelled.data.len(), 200);
    world
        .count_when(&job, "all cancelled", |count| count.canceled == 3000)
        .await;
    assert_eq!(world.recounted(&job).await.canceled, 3000);
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);
    // Cancelled tasks cannot be retried.
    assert_eq!(world.client.retry_tasks(&job, None).await.unwrap().total_size, Some(0));
    world.client.delete_job(&job).await.unwrap();
    assert_eq!(world.client.get_job(&job).await.unwrap_err().code(), Some(24404));
}
