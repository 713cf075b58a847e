//! SIGTERM under load: nothing new begins, what is in hand is finished, and nothing is lost or sent twice.

use std::time::Duration;

use aldis_simulator::{BackOff, Behaviour, FleetOptions, Journal, Received, Recipient};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{Plan, World, eventually};

/// A stop may take so long.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_fleet_in_full_flight_survives_three_stops() {
    const DEVICES: usize = 200;
    let mut world = World::open().await;
    let devices = world.many_devices(DEVICES).await;
    let journal = Journal::new();
    let slow = |_: &Recipient<'_>, _: &Received| Behaviour::success(json!({})).after(Duration::from_millis(30));
    let options = FleetOptions {
        journal: Some(journal.clone()),
        back_off: BackOff {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(200),
        },
        ..FleetOptions::with(slow)
    };
    let fleet = world.fleet(devices, options).await;
    let mut jobs = Vec::new();
    for _ in 0..10 {
        jobs.push(world.create(&Plan::product("pump").ttl(600).reply_within(60)).await);
    }
    for target in [150, 600, 1200] {
        eventually("commands under way", || async {
            (journal.len() >= target).then_some(())
        })
        .await;
        let (status, took) = world.server.terminate();
        assert!(
            status.success() && took < STOP_WITHIN,
            "{status} after {took:?}:\n{}",
            world.server.log()
        );
        world.server.start_again();
    }
    for job in &jobs {
        world
            .count_when(job, "answered", |count| count.succeed == DEVICES as u64)
            .await;
        assert_eq!(world.recounted(job).await.succeed, DEVICES as u64);
    }
    assert_eq!(journal.delivered_twice(), std::collections::BTreeSet::new());
    assert_eq!(
        journal.len(),
        10 * DEVICES,
        "an attempt that was cut off by an orderly stop"
    );
    fleet.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_nobody_who_dawdles() {
    let mut world = World::open().await;
    world.many_devices(20_000).await;
    let idle = TcpStream::connect(world.server.http).await.unwrap();
    let mut half = TcpStream::connect(world.server.http).await.unwrap();
    half.write_all(b"POST /connect-service/v2.5/commands?action=createJob HTTP/1.1\r\nContent-Length: 99\r\n\r\n{")
        .await
        .unwrap();
    let silent = TcpStream::connect(world.server.mqtt).await.unwrap();
    let job = world.create(&Plan::product("pump").ttl(3600)).await;
    let (status, took) = world.server.terminate();
    assert!(status.success() && took < STOP_WITHIN, "{status} after {took:?}");
    drop((idle, half, silent));
    world.server.start_again();
    world.count_when(&job, "created", |count| count.init == 20_000).await;
    eventually("all tasks written", || async {
        let search = aldis_client::Search::page(Some(&format!("jobId = '{job}'")), 1, 0);
        let written = world
            .client
            .search_tasks(&search)
            .await
            .unwrap()
            .pagination
            .unwrap()
            .total_size;
        (written == 20_000).then_some(())
    })
    .await;
    assert_eq!(world.recounted(&job).await.init, 20_000);
}
