//! A data directory that another process works with: another server, or a stranger with SQLite's own tools.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use crate::fleet::{Busy, create_as, jobs};
use crate::harness::{Plan, World, eventually};
use crate::refusals::told;

fn stranger(world: &World) -> Connection {
    Connection::open(world.server.data().join("aldis.db")).unwrap()
}

#[tokio::test]
async fn a_second_server_is_refused_and_the_first_is_not_disturbed() {
    let mut world = World::new().await;
    let busy = Busy::with_jobs(&world, 3).await;
    for _ in 0..3 {
        let told = told(&world.server.data(), &[], &[]);
        assert!(told.contains("in use by another process"), "{told}");
        assert!(told.contains(world.server.data().to_str().unwrap()), "{told}");
    }
    busy.ends_well(&world).await;
    world.server.kill_and_start_again();
    assert_eq!(jobs(&world).await, 3);
}

#[tokio::test]
async fn a_database_that_a_stranger_holds_is_waited_for_and_work_goes_on_by_itself() {
    let world = World::new().await;
    let mut busy = Busy::with_jobs(&world, 3).await;
    busy.received(20).await;
    let mut stranger = stranger(&world);
    stranger.busy_timeout(Duration::from_secs(10)).unwrap();
    let held = stranger
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .unwrap();
    let refused = create_as(&world, "key", &busy.plan()).await;
    refused.fails(500, 99500, "whether the change was made is not known");
    world.api.command("searchJob", &json!({})).await.data();
    let told = "database is locked";
    eventually(told, || async { world.server.log().contains(told).then_some(()) }).await;
    drop(held);
    let created = create_as(&world, "key", &busy.plan()).await;
    busy.jobs.push(created.data().as_str().unwrap().to_owned());
    assert_eq!(jobs(&world).await, 4);
    busy.ends_well(&world).await;
}

#[tokio::test]
async fn a_start_on_a_database_that_a_stranger_holds_is_refused() {
    let mut world = World::new().await;
    let device = world.device("d1").await;
    let job = world.create(&Plan::device(&device).ttl(600)).await;
    world.server.kill();
    let stranger = stranger(&world);
    for hold in [
        "PRAGMA locking_mode = NORMAL; BEGIN IMMEDIATE",
        "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE",
    ] {
        stranger.execute_batch(hold).unwrap();
        let told = told(&world.server.data(), &[], &[]);
        assert!(told.contains("locked"), "{told}");
        assert!(told.contains("another process"), "{told}");
        stranger.execute_batch("ROLLBACK").unwrap();
    }
    drop(stranger);
    world.server.start_again();
    assert_eq!(world.recounted(&job).await.init, 1);
}
