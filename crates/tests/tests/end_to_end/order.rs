//! One command at a time per device, in the order in which they became due, and at most fifty in waiting.

use std::time::Duration;

use aldis_client::TaskStatus;
use serde_json::json;

use crate::harness::{Plan, World};

#[tokio::test]
async fn what_waits_is_delivered_on_connect_in_order_one_at_a_time() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let mut jobs = Vec::new();
    for left in 1..=3 {
        let plan = Plan::device(&identity)
            .ttl(600)
            .invokes("multiply", json!({"left": left, "right": 1}));
        jobs.push(world.create(&plan).await);
    }
    let mut device = world.connect(&identity).await;
    for (job, left) in jobs.iter().zip(1..) {
        let command = device.next_command().await.unwrap();
        assert_eq!(command.params()["left"], left);
        device.puback(&command).await.unwrap();
        // The next one stays where it is until this one is answered.
        device.no_command_within(Duration::from_millis(150)).await.unwrap();
        device.answer(&command, 200, json!({})).await.unwrap();
        assert_eq!(world.task(job).await.status, TaskStatus::Succeed);
    }
}

#[tokio::test]
async fn a_command_behind_another_waits_for_its_turn_and_no_longer_than_its_timeout() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let first = world.create(&Plan::device(device.identity()).reply_within(3)).await;
    let command = device.next_command().await.unwrap();
    let second = world.create(&Plan::device(device.identity()).reply_within(1)).await;
    let third = world.create(&Plan::device(device.identity()).reply_within(20)).await;
    let task = world.task_in(&second, TaskStatus::Failed).await;
    let result = task.task_result.unwrap();
    let blocker = world.task(&first).await.task_id;
    assert_eq!(
        (result.code, result.desc),
        (Some(11904), Some(format!("behind task {blocker}")))
    );
    device.answer(&command, 200, json!({})).await.unwrap();
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.task(&third).await.status, TaskStatus::Succeed);
}

#[tokio::test]
async fn the_fifty_first_waiting_command_is_refused() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let plan = Plan::device(&device).ttl(600);
    let mut jobs = Vec::new();
    for _ in 0..51 {
        jobs.push(world.create(&plan).await);
    }
    let refused = world.task_in(&jobs[50], TaskStatus::Failed).await;
    assert_eq!(refused.task_result.unwrap().code, Some(11902));
    assert_eq!(world.task(&jobs[49]).await.status, TaskStatus::Queued);
    let again = world
        .api
        .command(
            &format!("retryTask&jobId={}", jobs[50]),
            &json!({"taskIds": refused.task_id}),
        )
        .await;
    assert_eq!(again.data()[0]["code"], 11902, "{}", again.body);
    assert_eq!(world.task(&jobs[50]).await.manual_retry_count, 0);
    // With a place free again, the retry is accepted.
    world.client.cancel_tasks(&jobs[0], None).await.unwrap();
    world.task_in(&jobs[0], TaskStatus::Cancelled).await;
    let again = world
        .client
        .retry_tasks(&jobs[50], Some(&[refused.task_id]))
        .await
        .unwrap();
    assert_eq!(again.data[0].code, 0, "{}", again.raw());
    assert_eq!(world.task(&jobs[50]).await.status, TaskStatus::Queued);
}
