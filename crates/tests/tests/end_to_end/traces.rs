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
    // The answer does not reveal whether there is such a device; and nothing is noted for one that is not.
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
    assert_eq!(seen, ["CONNECTED", "COMMAND", dropped, dropped, "REPLIED", "ENDED"]);
    assert_eq!(last(&trace), ("ENDED", "the device disconnected"));
    let why: Vec<(&str, u32)> = trace
        .iter()
        .filter(|entry| entry.event == dropped)
        .map(|entry| (entry.detail.as_str(), entry.count))
        .collect();
    assert_eq!(
        why,
        [
            ("there is no such command", 1),
            ("it has no id of a command that can be read", 2)
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
    let last = world.connect(&identity).await;
    assert!(begun.elapsed().as_secs() >= 1, "{:?}", begun.elapsed());
    device.expect_closed().await.unwrap();
    let shown = trace(&world).await;
    let replaced = shown.iter().filter(|entry| entry.event == "REPLACED").count();
    assert_eq!(replaced, 5, "{shown:?}");
    let told = "two clients with the keys of one device throw each other out";
    eventually(told, || async { world.server.log().contains(told).then_some(()) }).await;
    // A client that gives up while it waits ends no session, and one that has lost its rights meanwhile is refused.
    let mut impatient = Device::new(&identity);
    impatient.set_patience(std::time::Duration::from_millis(300));
    impatient.connect(world.server.mqtt).await.unwrap_err();
    impatient.reset_link();
    let connected = trace(&world)
        .await
        .iter()
        .filter(|entry| entry.event == "CONNECTED")
        .count();
    let waits = || world.server.log().matches("throw each other out").count();
    let before = waits();
    let mut waiting = Device::new(&identity);
    let (code, disabled) = tokio::join!(waiting.try_connect(world.server.mqtt), async {
        let device = DeviceRef::keys("pump", "d1");
        eventually("its wait", || async { (waits() > before).then_some(()) }).await;
        world.client.disable_device(&device).await
    });
    disabled.unwrap();
    assert_eq!(code.unwrap(), 5);
    drop(last);
    let ended = eventually("the end of the session", || async {
        let trace = trace(&world).await;
        trace
            .iter()
            .any(|entry| entry.detail == "the device was disabled")
            .then_some(trace)
    });
    let shown = ended.await;
    assert_eq!(
        shown.iter().filter(|entry| entry.event == "CONNECTED").count(),
        connected
    );
}

#[tokio::test]
async fn a_command_that_is_out_is_shown_whatever_waits_behind_it() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let out = world.create(&Plan::device(device.identity())).await;
    device.next_command().await.unwrap();
    for _ in 0..25 {
        world.create(&Plan::device(device.identity()).ttl(600)).await;
    }
    let task = world.task(&out).await.task_id;
    let shown = trace(&world).await;
    let command = shown.iter().find(|entry| entry.event == "COMMAND").unwrap();
    assert_eq!(command.task_id, Some(task), "{shown:?}");
}

#[tokio::test]
async fn what_a_developer_took_for_a_reply_is_shown_with_what_is_wrong() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    world.device("d2").await;
    let right = "/sys/pump/d1/thing/service/x";
    let means_nothing = "its topic means nothing: sys/pump/d1/thing/service/x_reply";
    let no_reply = |path: &str| format!("its topic is that of no reply to a command: {path}");
    let topics = [
        right.to_owned(),
        "/sys/pump/d1/thing/services/x_reply".to_owned(),
        "/sys/pump/d1/thing/service/measurepoint/get_reply".to_owned(),
        "/ext/session/pump/d1/thing/service/x_reply".to_owned(),
    ];
    let mut expected: Vec<String> = topics.iter().map(|topic| no_reply(topic)).collect();
    expected.push(means_nothing.to_owned());
    expected.push("its topic names a device that it may not speak for: /sys/pump/d2/".to_owned());
    let more = [
        "sys/pump/d1/thing/service/x_reply",
        "/sys/pump/d2/thing/service/x_reply",
    ]
    .map(str::to_owned);
    for topic in topics.iter().chain(&more) {
        for _ in 0..20 {
            let reply = device.publish(topic, "{}").await.unwrap();
            device.acknowledged(reply).await.unwrap();
        }
    }
    let shown = trace(&world).await;
    let (first, dropped) = shown.split_first().unwrap();
    assert_eq!(first.event, "CONNECTED");
    let dropped: Vec<(&str, u32)> = dropped
        .iter()
        .map(|entry| (entry.detail.as_str(), entry.count))
        .collect();
    let expected: Vec<(&str, u32)> = expected.iter().map(|detail| (detail.as_str(), 20)).collect();
    assert_eq!(dropped, expected);
}
