//! The same request again: the header `Idempotency-Key`.

use aldis_client::TaskStatus;
use serde_json::{Value, json};

use crate::harness::{Answered, COMMANDS, Plan, World};

async fn with_key(world: &World, query: &str, body: &Value, key: &str) -> Answered {
    world
        .api
        .send(
            "POST",
            COMMANDS,
            query,
            &[("Idempotency-Key", key)],
            body.to_string().as_bytes(),
        )
        .await
}

#[tokio::test]
async fn a_repeated_create_makes_one_job_also_across_a_crash() {
    let mut world = World::new().await;
    let device = world.device("d1").await;
    let plan = Plan::device(&device).ttl(600);
    let first = with_key(&world, "createJob", &plan.0, "key-1").await.data().clone();
    assert_eq!(*with_key(&world, "createJob", &plan.0, "key-1").await.data(), first);
    let other = plan.clone().with("/desc", json!("another"));
    with_key(&world, "createJob", &other.0, "key-1")
        .await
        .fails(200, 99400, "Idempotency-Key");
    assert_ne!(*with_key(&world, "createJob", &plan.0, "key-2").await.data(), first);
    with_key(&world, "createJob", &plan.0, &"k".repeat(129))
        .await
        .fails(200, 99400, "Idempotency-Key");

    world.server.kill_and_start_again();
    assert_eq!(*with_key(&world, "createJob", &plan.0, "key-1").await.data(), first);
    let jobs = world.api.command("searchJob", &json!({})).await;
    assert_eq!(jobs.body["pagination"]["totalSize"], 2);
}

#[tokio::test]
async fn a_repeated_retry_retries_once() {
    let world = World::new().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 500, json!({})).await.unwrap();
    let query = format!("retryTask&jobId={job}");
    let first = with_key(&world, &query, &json!({}), "key").await;
    assert_eq!(first.body["successSize"], 1);
    let command = device.next_command().await.unwrap();
    device.answer(&command, 500, json!({})).await.unwrap();
    let again = with_key(&world, &query, &json!({}), "key").await;
    assert_eq!((again.data(), &again.body["successSize"]), (first.data(), &json!(1)));
    let task = world.task(&job).await;
    assert_eq!((task.status, task.manual_retry_count), (TaskStatus::Failed, 1));
}
