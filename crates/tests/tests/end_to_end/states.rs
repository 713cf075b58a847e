//! Every state of a task, reached by what really leads to it, and kept where it has to be.

use std::time::Duration;

use aldis_client::{JobStatus, TaskStatus};
use serde_json::{Value, json};

use crate::harness::{Plan, World, now_ms};

#[tokio::test]
async fn a_command_is_sent_acknowledged_executed_and_counted() {
    let world = World::new().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    assert_eq!(command.params(), json!({"left": 6, "right": 7}));
    assert_eq!((command.qos(), command.dup(), command.retain()), (1, false, false));

    assert_eq!(world.task(&job).await.status, TaskStatus::Published);
    assert_eq!(world.client.statistics(&job).await.unwrap().published, 1);
    device.puback(&command).await.unwrap();
    world.task_in(&job, TaskStatus::InProgress).await;
    let count = world.client.statistics(&job).await.unwrap().data;
    assert_eq!((count.total, count.in_progress), (1, 1));
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::InProgress);

    let reply = device
        .reply(&command, 200, json!({"product": 42}), "done")
        .await
        .unwrap();
    device.acknowledged(reply).await.unwrap();
    // The reply's PUBACK comes after the commit, so there is nothing to wait for.
    let task = world.task(&job).await;
    let result = task.task_result.unwrap();
    assert_eq!(
        (task.status, result.code, result.desc.as_deref()),
        (TaskStatus::Succeed, Some(0), Some("done"))
    );
    assert_eq!(result.output_data, Some(json!({"product": 42})));
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);
    let count = world.recounted(&job).await;
    assert_eq!((count.total, count.succeed), (1, 1));
}

#[tokio::test]
async fn a_measurement_point_is_set() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world
        .create(&Plan::device(device.identity()).sets("temperature", json!(21.5)))
        .await;
    let command = device.next_command().await.unwrap();
    assert_eq!(command.service(), "measurepoint/set");
    assert_eq!(command.params(), json!({"temperature": 21.5}));
    assert_eq!(command.method(), "thing.service.measurepoint.set");
    device.answer(&command, 200, json!({})).await.unwrap();
    let task = world.task(&job).await;
    assert_eq!(task.status, TaskStatus::Succeed);
    assert_eq!(task.task_result.unwrap().code, Some(0));
}

#[tokio::test]
async fn the_devices_own_error_fails_its_task() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    let reply = device
        .reply(&command, 1234, json!({"why": "valve"}), "valve stuck")
        .await
        .unwrap();
    device.acknowledged(reply).await.unwrap();
    let task = world.task(&job).await;
    let result = task.task_result.unwrap();
    assert_eq!((task.status, result.code), (TaskStatus::Failed, Some(1234)));
    assert_eq!(
        (result.desc.as_deref(), result.output_data),
        (Some("valve stuck"), Some(json!({"why": "valve"})))
    );
    assert_eq!(world.recounted(&job).await.failed, 1);
}

#[tokio::test]
async fn a_device_that_cannot_be_reached_fails_its_task_at_once() {
    let world = World::open().await;
    let never = world.device("never").await;
    let mut gone = world.connected("gone").await;
    gone.disconnect().await.unwrap();
    world.until_presence(gone.identity(), "offline").await;
    assert_eq!(world.presence(&never).await, "inactive");

    for (device, code, desc) in [
        (&never, 11888, "never activated"),
        (gone.identity(), 11900, "offline since"),
    ] {
        let job = world.create(&Plan::device(device)).await;
        let task = world.task_in(&job, TaskStatus::Failed).await;
        let result = task.task_result.unwrap();
        assert_eq!(result.code, Some(code));
        assert!(result.desc.as_deref().unwrap().contains(desc), "{result:?}");
        assert_eq!(world.client.task_attempts(&task.task_id).await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn waiting_for_a_device_ends_with_its_window() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let job = world.create(&Plan::device(&device).ttl(1)).await;
    let task = world.task_in(&job, TaskStatus::Queued).await;
    assert_eq!(task.task_result, None);
    assert_eq!(world.client.statistics(&job).await.unwrap().init, 1);
    let task = world.task_in(&job, TaskStatus::TtlTimeout).await;
    assert_eq!(task.task_result.unwrap().code, Some(11904));
    assert_eq!(world.recounted(&job).await.ttl_timeout, 1);
    // What has ended is not sent any more.
    let mut device = world.connect(&device).await;
    device.no_command_within(Duration::from_millis(1500)).await.unwrap();
}

#[tokio::test]
async fn silence_ends_with_the_reply_timeout() {
    let world = World::open().await;
    let (mut mute, mut slow) = (world.connected("mute").await, world.connected("slow").await);
    let plans = [&mute, &slow].map(|device| Plan::device(device.identity()).ttl(60).reply_within(1));
    let (unacknowledged, silent) = (world.create(&plans[0]).await, world.create(&plans[1]).await);
    mute.next_command().await.unwrap();
    let command = slow.next_command().await.unwrap();
    slow.puback(&command).await.unwrap();
    for (job, desc) in [
        (&unacknowledged, "unacknowledged"),
        (&silent, "acknowledged but silent"),
    ] {
        let task = world.task_in(job, TaskStatus::RspTimeout).await;
        let result = task.task_result.unwrap();
        assert_eq!((result.code, result.desc.as_deref()), (Some(11915), Some(desc)));
        assert_eq!(world.recounted(job).await.rsp_timeout, 1);
    }
    // What may be stuck on the way to a device that acknowledged nothing is discarded with its connection.
    mute.expect_closed().await.unwrap();
    slow.ping().await.unwrap();
}

#[tokio::test]
async fn a_job_waits_for_its_trigger() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let trigger = now_ms() + 2500;
    let job = world.create(&Plan::device(device.identity()).at(trigger)).await;
    assert_eq!(world.task(&job).await.status, TaskStatus::Init);
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Init);
    let command = device.next_command().await.unwrap();
    assert!(now_ms() >= trigger, "triggered too early");
    device.answer(&command, 0, json!({})).await.unwrap();
    assert_eq!(world.task(&job).await.status, TaskStatus::Succeed);
}

#[tokio::test]
async fn a_trigger_in_the_past_means_now() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let past = now_ms() - 86_400_000;
    let job = world.create(&Plan::device(device.identity()).at(past).ttl(5)).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, Value::Null).await.unwrap();
    assert_eq!(world.task(&job).await.status, TaskStatus::Succeed);
    let shown = world.client.get_job(&job).await.unwrap().data;
    assert_eq!(
        shown.schedule_policy.disposable_schedule_policy.unwrap().trigger_ts,
        Some(past)
    );
}

#[tokio::test]
async fn a_whole_product_is_commanded() {
    let world = World::open().await;
    let mut first = world.connected("d1").await;
    let mut second = world.connected("d2").await;
    let disabled = world.device("d3").await;
    let name = aldis_client::DeviceRef::keys(&disabled.product_key, &disabled.device_key);
    world.client.disable_device(&name).await.unwrap();
    let job = world.create(&Plan::product("pump")).await;
    for device in [&mut first, &mut second] {
        let command = device.next_command().await.unwrap();
        device.answer(&command, 200, json!({"product": 42})).await.unwrap();
    }
    let count = world.recounted(&job).await;
    assert_eq!((count.total, count.succeed), (2, 2));
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);
}
