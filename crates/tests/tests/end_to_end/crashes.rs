//! kill -9 at the worst moments, and a start on the same data: nothing lost, nothing counted or sent twice.

use std::time::Duration;

use aldis_client::{Client, Error, JobStatus, TaskStatus};
use aldis_simulator::{Behaviour, FleetOptions, Journal, Received, Recipient};
use serde_json::json;

use crate::harness::{Plan, World, eventually, now_ms};

/// Devices of the jobs that are killed while their tasks are written or cancelled: several slices.
const MANY: usize = 20_000;

#[tokio::test]
async fn a_job_is_there_once_it_was_answered() {
    let mut world = World::open().await;
    let device = world.device("d1").await;
    for _ in 0..5 {
        let job = world.create(&Plan::device(&device).ttl(600)).await;
        world.server.kill_and_start_again();
        let count = world.recounted(&job).await;
        assert_eq!((count.total, count.init), (1, 1));
    }
    assert_eq!(
        world.api.command("searchJob", &json!({})).await.body["pagination"]["totalSize"],
        5
    );
}

#[tokio::test]
async fn a_job_without_an_answer_is_there_as_a_whole_or_not_at_all() {
    let mut world = World::open().await;
    let devices = world.many_devices(500).await;
    let plan = Plan::devices(&devices).ttl(600);
    for round in 0..6_u64 {
        // No repeats: the client that repeats would hide what the crash left behind.
        let create = tokio::spawn(create_once(world.client.clone(), plan.clone()));
        tokio::time::sleep(Duration::from_millis(2 * round)).await;
        world.server.kill();
        let answered = create.await.unwrap();
        world.server.start_again();
        let mut jobs = world.client.jobs(None);
        let mut found = Vec::new();
        while let Some(job) = jobs.next().await.unwrap() {
            let count = world.recounted(&job.job_id).await;
            assert_eq!((count.total, count.init), (500, 500));
            found.push(job.job_id);
        }
        if let Ok(job) = answered {
            assert!(found.contains(&job), "an answered job is lost");
        }
    }
}

async fn create_once(client: Client, plan: Plan) -> Result<String, Error> {
    let call = aldis_client::Call::post("/connect-service/v2.5/commands", "createJob").json(&plan.0);
    client.send::<String>(call).await.map(|answer| answer.data)
}

#[tokio::test]
async fn a_large_job_is_created_to_the_end() {
    let mut world = World::open().await;
    world.many_devices(MANY).await;
    let job = world.create(&Plan::product("pump").ttl(3600)).await;
    // Killed again and again while rows are being written, also before it is ready; each time it goes on where it
    // stood.
    world.server.kill();
    for after in 1..10 {
        world.server.start_and_kill(Duration::from_millis(after * 5));
    }
    world.server.start_again();
    eventually("all tasks written", || async {
        let count = world.client.statistics(&job).await.unwrap().data;
        assert_eq!((count.total, count.init), (MANY as u64, MANY as u64));
        (queued(&world.client, &job).await == MANY as u64).then_some(())
    })
    .await;
    assert_eq!(world.recounted(&job).await.init, MANY as u64);
}

async fn queued(client: &Client, job: &str) -> u64 {
    let search = aldis_client::Search::page(Some(&format!("jobId = '{job}' and status = 'QUEUED'")), 1, 0);
    client
        .search_tasks(&search)
        .await
        .unwrap()
        .pagination
        .unwrap()
        .total_size
}

#[tokio::test]
async fn a_large_job_is_cancelled_to_the_end() {
    let mut world = World::open().await;
    world.many_devices(MANY).await;
    let job = world.create(&Plan::product("pump").ttl(3600)).await;
    world
        .count_when(&job, "created", |count| count.init == MANY as u64)
        .await;
    let cancelled = world.client.cancel_tasks(&job, None).await.unwrap();
    assert_eq!(cancelled.success_size, Some(MANY as u64));
    for _ in 0..3 {
        world.server.kill_and_start_again();
    }
    world
        .count_when(&job, "cancelled", |count| count.canceled == MANY as u64)
        .await;
    assert_eq!(world.recounted(&job).await.canceled, MANY as u64);
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);
    // Nothing of it is sent to a device that comes now.
    let identity = aldis_simulator::DeviceIdentity::new("pump", "d19999", "hush-d19999-hush");
    let mut device = world.connect(&identity).await;
    device.no_command_within(Duration::from_millis(1300)).await.unwrap();
}

#[tokio::test]
async fn what_was_out_is_not_sent_again_and_its_late_reply_counts() {
    let mut world = World::open().await;
    let journal = Journal::new();
    let mut device = world.connected("d1").await;
    device.keep_journal(&journal);
    let out = world.create(&Plan::device(device.identity()).reply_within(60)).await;
    let waiting = world.create(&Plan::device(device.identity()).ttl(600)).await;
    let command = device.next_command().await.unwrap();
    assert_eq!(world.task(&out).await.status, TaskStatus::Published);

    world.server.kill();
    device.expect_closed().await.unwrap();
    world.server.start_again();
    assert_eq!(world.task(&out).await.status, TaskStatus::Published);
    device.connect(world.server.mqtt).await.unwrap();
    // Neither again, nor the next one before it: its place at the device is held across the restart.
    device.no_command_within(Duration::from_millis(1500)).await.unwrap();
    device.answer(&command, 200, json!({"product": 42})).await.unwrap();
    let task = world.task(&out).await;
    assert_eq!((task.status, task.auto_retry_count), (TaskStatus::Succeed, 0));
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.task(&waiting).await.status, TaskStatus::Succeed);
    assert_eq!((journal.len(), journal.delivered_twice().len()), (2, 0));
}

#[tokio::test]
async fn what_was_out_ends_with_its_deadline_after_a_start() {
    let mut world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world
        .create(&Plan::device(device.identity()).ttl(60).reply_within(1))
        .await;
    device.next_command().await.unwrap();
    world.server.kill_and_start_again();
    // Devices get some seconds to come back and say their replies again.
    assert_eq!(world.task(&job).await.status, TaskStatus::Published);
    let task = world.task_in(&job, TaskStatus::RspTimeout).await;
    assert_eq!(task.task_result.unwrap().code, Some(11915));
    assert_eq!(world.recounted(&job).await.rsp_timeout, 1);
}

#[tokio::test]
async fn a_fleet_in_full_flight_gets_no_attempt_twice_through_three_crashes() {
    const DEVICES: usize = 200;
    let mut world = World::open().await;
    let devices = world.many_devices(DEVICES).await;
    let journal = Journal::new();
    let slow =
        |_: &Recipient<'_>, _: &Received| Behaviour::success(json!({"product": 42})).after(Duration::from_millis(30));
    let options = FleetOptions {
        journal: Some(journal.clone()),
        back_off: aldis_simulator::BackOff {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(200),
        },
        ..FleetOptions::with(slow)
    };
    let fleet = world.fleet(devices, options).await;
    let mut jobs = Vec::new();
    for _ in 0..10 {
        jobs.push(
            world
                .create(&Plan::product("pump").ttl(600).reply_within(2).retry(0, 10))
                .await,
        );
    }
    for target in [150, 600, 1200] {
        eventually("commands under way", || async {
            (journal.len() >= target).then_some(())
        })
        .await;
        world.server.kill_and_start_again();
    }
    for job in &jobs {
        world
            .count_when(job, "answered", |count| count.succeed == DEVICES as u64)
            .await;
        assert_eq!(world.recounted(job).await.succeed, DEVICES as u64);
    }
    assert_eq!(journal.delivered_twice(), std::collections::BTreeSet::new());
    // What a crash kept from leaving was tried again under a number of its own, and nothing else was.
    let tried_again = journal.len() - 10 * DEVICES;
    assert!(tried_again <= 3 * DEVICES, "{tried_again} further attempts");
    fleet.stop().await;
}

#[tokio::test]
async fn what_was_queued_waits_on_after_a_start_and_what_came_due_meanwhile_is_done() {
    let mut world = World::open().await;
    let devices = world.devices(&["d1", "d2"]).await;
    let queued = world.create(&Plan::device(&devices[0]).ttl(600)).await;
    let later = world
        .create(&Plan::device(&devices[0]).ttl(600).at(now_ms() + 1500))
        .await;
    let expired = world.create(&Plan::device(&devices[1]).ttl(1)).await;
    world.task_in(&queued, TaskStatus::Queued).await;
    world.task_in(&expired, TaskStatus::Queued).await;
    world.server.kill();
    let down_until = now_ms() + 1600;
    eventually("the trigger's moment while the server is down", || async {
        (now_ms() > down_until).then_some(())
    })
    .await;
    world.server.start_again();
    assert_eq!(
        world
            .task_in(&expired, TaskStatus::TtlTimeout)
            .await
            .task_result
            .unwrap()
            .code,
        Some(11904)
    );
    let mut device = world.connect(&devices[0]).await;
    for job in [&queued, &later] {
        let command = device.next_command().await.unwrap();
        device.answer(&command, 200, json!({})).await.unwrap();
        assert_eq!(world.task(job).await.status, TaskStatus::Succeed);
        assert_eq!(world.recounted(job).await.succeed, 1);
    }
}

#[tokio::test]
async fn devices_that_are_expected_back_after_a_start_are_waited_for() {
    let mut world = World::open().await;
    let mut device = world.connected("d1").await;
    // No pause: what a device has been told is stored.
    world.server.kill_and_start_again();
    // Without a window; a device that is known to exist has a minute after a start to come back.
    let job = world.create(&Plan::device(device.identity()).reply_within(20)).await;
    assert_eq!(world.task_in(&job, TaskStatus::Queued).await.task_result, None);
    device.connect(world.server.mqtt).await.unwrap();
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.task(&job).await.status, TaskStatus::Succeed);
}
