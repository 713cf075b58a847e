//! What a device's developer gets to see.

use aldis_client::{DeviceRef, TraceEntry};
use aldis_simulator::{Device, DeviceIdentity};
use serde_json::json;

use crate::harness::{Plan, World, eventually};

async fn trace(world: &World) -> Vec<TraceEntry> {
    let device = DeviceRef::keys("pump", "d1");
    world.client.device_trace(&device).await.unwrap().data
}

fn events(trace: &[TraceEntry]) -> Vec<&str> {
    trace.iter().map(|entry| entry.event.as_str()).collect()
}

fn last(trace: &[TraceEntry]) -> (&str, &str) {
    let last = trace.last().unwrap();
    (&last.event, &last.detail)
}

#[tokio::test]
async fn a_refused_login_is_told_with_its_real_reason_to_the_operator_alone() {
    let world = World::new().await;
    let identity = world.device("d1").await;
    let wrong = DeviceIdentity::new("pump", "d1", "another-secret".to_owned());
    assert_eq!(Device::new(&wrong).try_connect(world.server.mqtt).await.unwrap(), 5);
    let (event, why) = (trace(&world).await, "the signature is wrong");
    assert_eq!(events(&event), ["REFUSED"]);
    assert!(event[0].detail.starts_with(why), "{event:?}");
    let device = DeviceRef::keys("pump", "d1");
    world.client.disable_device(&device).await.unwrap();
    assert_eq!(Device::new(&identity).try_connect(world.server.mqtt).await.unwrap(), 5);
    assert_eq!(last(&trace(&world).await), ("REFUSED", "the device is disabled"));
    // Nobody learns from the answer whether there is such a device; and nothing is noted for one that is not.
    let nobody = DeviceIdentity::new("pump", "none", "another-secret".to_owned());
    assert_eq!(Device::new(&nobody).try_connect(world.server.mqtt).await.unwrap(), 5);
    assert_eq!(trace(&world).await.len(), 2);
}

#[tokio::test]
async fn sessions_commands_and_dropped_replies_are_told_in_order() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    let other = r#"{"id":"1000000000000999999","code":200,"data":{}}"#;
    for payload in [other, r#"{"code":200}"#, "not json"] {
        let reply = device.reply_raw(&command, payload.as_bytes().to_vec()).await.unwrap();
        device.acknowledged(reply).await.unwrap();
    }
    device.answer(&command, 2001, json!({})).await.unwrap();
    device.disconnect().await.unwrap();
    let ended = eventually("the end of the session", || async {
        let trace = trace(&world).await;
        (last(&trace).0 == "ENDED").then_some(trace)
    });
    let trace = ended.await;
    let mut seen = events(&trace);
    // What the network and the device did, and the first dropped reply, may be of the same millisecond.
    assert!(seen.contains(&"SENT") && seen.contains(&"ACKNOWLEDGED"), "{seen:?}");
    seen.retain(|event| !["SENT", "ACKNOWLEDGED"].contains(event));
    let dropped = "REPLY_DROPPED";
    assert_eq!(
        seen,
        ["CONNECTED", "COMMAND", dropped, dropped, dropped, "REPLIED", "ENDED"]
    );
    assert_eq!(last(&trace), ("ENDED", "the device disconnected"));
    let why: Vec<&str> = trace
        .iter()
        .filter(|entry| entry.event == dropped)
        .map(|entry| entry.detail.as_str())
        .collect();
    assert_eq!(
        why,
        [
            "there is no such command",
            "it has no id of a command",
            "it has no id of a command"
        ]
    );
    let replied = trace.iter().find(|entry| entry.event == "REPLIED").unwrap();
    let task = world.task(&job).await;
    assert_eq!(
        (replied.code, replied.task_id.as_deref(), replied.attempt),
        (Some(2001), Some(task.task_id.as_str()), Some(1))
    );
}

#[tokio::test]
async fn two_clients_with_the_same_keys_are_slowed_down_and_shown() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let mut device = world.connect(&identity).await;
    for _ in 0..4 {
        device = world.connect(&identity).await;
    }
    let begun = std::time::Instant::now();
    let _last = world.connect(&identity).await;
    assert!(begun.elapsed().as_secs() >= 4, "{:?}", begun.elapsed());
    device.expect_closed().await.unwrap();
    let trace = trace(&world).await;
    let replaced = trace.iter().filter(|entry| entry.event == "REPLACED").count();
    assert_eq!(replaced, 5, "{trace:?}");
    assert!(
        world
            .server
            .log()
            .contains("two clients with the keys of one device throw each other out")
    );
}
