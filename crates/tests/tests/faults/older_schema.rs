//! A data directory as the first released schema left it, under the present program: all of it is there, what was
//! under way comes to its end, and devices and keys go on as before.

use std::path::Path;

use aldis_client::{AccessKey, TaskStatus};
use aldis_simulator::{Device, DeviceIdentity};
use serde_json::json;

use crate::harness::{Api, Plan, Server, World, eventually};

const SQL: &str = "../store-sqlite/tests/schemas/10.sql";

/// A server on the directory of an earlier one.
async fn server_on_old_data() -> Server {
    let mut server = Server::start().await;
    server.terminate();
    let data = server.data();
    for file in std::fs::read_dir(&data).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let sql = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(SQL)).unwrap();
    let conn = rusqlite::Connection::open(data.join("aldis.db")).unwrap();
    conn.execute_batch(&sql).unwrap();
    conn.close().unwrap();
    std::fs::write(data.join("secret.key"), [0x2a; 32]).unwrap();
    server.start_again();
    server
}

#[tokio::test]
async fn what_an_older_version_has_stored_is_there_and_goes_on() {
    let server = server_on_old_data().await;
    assert!(!server.data().join("admin-key.json").exists(), "no second first key");
    let key = AccessKey {
        org_id: "default".into(),
        app_key: "9JKKL2kZywAdtyvnRu3z".into(),
        app_secret: "fg8LWUCXjQ8SF3QNtqr5GFQf6omBQMDp".into(),
    };
    let world = World {
        api: Api::signed(server.http, key.clone()).await,
        client: server.client(key),
        server,
    };
    let job = |number: u64| (8_000_000_000_000_000_000 + number).to_string();
    // History reads as it was.
    let done = world.tasks(&job(1)).await;
    assert_eq!(
        [done[0].status, done[1].status],
        [TaskStatus::Succeed, TaskStatus::Failed]
    );
    assert_eq!(done[1].task_result.as_ref().unwrap().code, Some(2000));
    assert_eq!(world.task(&job(4)).await.task_result.unwrap().code, Some(11915));
    assert_eq!(world.recounted(&job(6)).await.ttl_timeout, 3);
    // What was out and what waited ends: their time is over.
    world.task_in(&job(7), TaskStatus::RspTimeout).await;
    world.count_when(&job(8), "over", |count| count.ttl_timeout == 3).await;
    for number in 1..=8 {
        let count = world.recounted(&job(number)).await;
        assert_eq!(
            count.init + count.published + count.in_progress,
            0,
            "job {number}: {count:?}"
        );
    }
    // Devices come in with their secrets, and new work is done.
    let identity = DeviceIdentity::new("valves", "valve-3", "hush-valve-3");
    let mut device = Device::connected(&identity, world.server.mqtt).await.unwrap();
    let plan = Plan::device(&identity).invokes("open", json!({"percent": 7})).ttl(60);
    let new = world.create(&plan).await;
    assert!(new > job(9), "numbers go on beyond all that were given out: {new}");
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    eventually("the counted reply", || async {
        (world.recounted(&new).await.succeed == 1).then_some(())
    })
    .await;
}
