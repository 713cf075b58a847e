//! Devices at the door: who is let in, who is thrown out, and what a session may do.

use std::time::{Duration, Instant};

use aldis_client::{DeviceRef, TaskStatus};
use aldis_simulator::{Device, DeviceIdentity, Login};
use serde_json::json;

use crate::harness::{Plan, World};

/// Makes a login say something else.
type Change<'a> = &'a dyn Fn(&mut Login);

const NOT_AUTHORIZED: u8 = 5;

async fn code_of(world: &World, identity: &DeviceIdentity) -> u8 {
    let mut device = Device::new(identity);
    let code = device.try_connect(world.server.mqtt).await.unwrap();
    if code != 0 {
        device.expect_closed().await.unwrap();
    }
    code
}

#[tokio::test]
async fn only_a_known_enabled_device_with_its_secret_is_let_in() {
    let world = World::open().await;
    let right = world.device("d1").await;
    assert_eq!(code_of(&world, &right).await, 0);
    let secret = &right.device_secret;
    for wrong in [
        DeviceIdentity::new("pump", "d1", "another secret"),
        DeviceIdentity::new("pump", "unknown", secret),
        DeviceIdentity::new("unknown", "d1", secret),
    ] {
        assert_eq!(code_of(&world, &wrong).await, NOT_AUTHORIZED, "{wrong:?}");
    }
    let name = DeviceRef::keys("pump", "d1");
    world.client.disable_device(&name).await.unwrap();
    assert_eq!(code_of(&world, &right).await, NOT_AUTHORIZED);
    world.client.enable_device(&name).await.unwrap();
    assert_eq!(code_of(&world, &right).await, 0);
    world.client.delete_device(&name).await.unwrap();
    assert_eq!(code_of(&world, &right).await, NOT_AUTHORIZED);
}

#[tokio::test]
async fn the_client_id_is_free_text_and_strings_that_make_no_login_are_refused() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let cases: [(Change<'_>, u8); 4] = [
        (&|login| login.client_id = "no parameters".into(), NOT_AUTHORIZED),
        (&|login| login.user_name = "d1".into(), NOT_AUTHORIZED),
        (&|login| login.password = String::new().into(), NOT_AUTHORIZED),
        (&|login| login.clean_session = false, 0),
    ];
    for (change, code) in cases {
        let mut device = Device::new(&identity);
        change(device.login_mut());
        assert_eq!(
            device.try_connect(world.server.mqtt).await.unwrap(),
            code,
            "{:?}",
            device.login_mut()
        );
    }
}

#[tokio::test]
async fn a_second_connection_takes_over() {
    let world = World::open().await;
    let mut first = world.connected("d1").await;
    let identity = first.identity().clone();
    let job = world.create(&Plan::device(&identity)).await;
    let command = first.next_command().await.unwrap();
    let waiting = world.create(&Plan::device(&identity).ttl(60)).await;
    let mut second = world.connect(&identity).await;
    first.expect_closed().await.unwrap();
    assert_eq!(world.presence(&identity).await, "online");
    // What is out is not sent again; its reply counts on the new connection, and what waits follows.
    second.no_command_within(Duration::from_millis(1500)).await.unwrap();
    second.answer(&command, 200, json!({})).await.unwrap();
    let next = second.next_command().await.unwrap();
    assert_ne!(next.id(), command.id());
    second.answer(&next, 200, json!({})).await.unwrap();
    for job in [&job, &waiting] {
        assert_eq!(world.recounted(job).await.succeed, 1);
    }
}

#[tokio::test]
async fn presence_is_a_live_session() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let identity = device.identity().clone();
    assert_eq!(world.presence(&identity).await, "online");
    let online = world
        .client
        .search_devices(&aldis_client::Search::page(Some("status = 'online'"), 1, 10))
        .await
        .unwrap();
    assert_eq!(online.pagination.unwrap().total_size, 1);
    device.ping().await.unwrap();
    device.disconnect().await.unwrap();
    world.until_presence(&identity, "offline").await;
    device.connect(world.server.mqtt).await.unwrap();
    world.until_presence(&identity, "online").await;
    device.reset_link();
    world.until_presence(&identity, "offline").await;
    device.connect(world.server.mqtt).await.unwrap();
    world
        .client
        .disable_device(&DeviceRef::keys("pump", "d1"))
        .await
        .unwrap();
    device.expect_closed().await.unwrap();
    assert_eq!(world.presence(&identity).await, "disabled");
}

#[tokio::test]
async fn a_silent_device_is_taken_for_gone_after_its_keep_alive() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let mut device = Device::new(&identity);
    device.login_mut().keep_alive_secs = 1;
    let begun = Instant::now();
    device.connect(world.server.mqtt).await.unwrap();
    device.expect_closed().await.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(1500),
        "one and a half times its keep alive"
    );
    world.until_presence(&identity, "offline").await;
}

#[tokio::test]
async fn a_device_that_promises_no_signs_of_life_may_be_silent() {
    let world = World::open().await;
    let devices = world.devices(&["d1", "d2"]).await;
    let mut silent = Device::new(&devices[0]);
    silent.login_mut().keep_alive_secs = 0;
    silent.connect(world.server.mqtt).await.unwrap();
    let mut promising = Device::new(&devices[1]);
    promising.login_mut().keep_alive_secs = 1;
    promising.connect(world.server.mqtt).await.unwrap();
    promising.expect_closed().await.unwrap();
    assert_eq!(world.presence(&devices[0]).await, "online");
    let job = world.create(&Plan::device(&devices[0])).await;
    let command = silent.next_command().await.unwrap();
    silent.answer(&command, 200, json!({})).await.unwrap();
    world.task_in(&job, TaskStatus::Succeed).await;
}

#[tokio::test]
async fn what_waits_for_a_disabled_device_fails() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let job = world.create(&Plan::device(&identity).ttl(600)).await;
    world
        .client
        .disable_device(&DeviceRef::keys("pump", "d1"))
        .await
        .unwrap();
    let task = world.task_in(&job, aldis_client::TaskStatus::Failed).await;
    assert_eq!(task.task_result.unwrap().code, Some(11888));
}

#[tokio::test]
async fn nothing_published_on_another_devices_topic_reaches_it() {
    let world = World::open().await;
    let (mut device, mut other) = (world.connected("d1").await, world.connected("d2").await);
    assert_eq!(
        other.subscribe(&["#", "/sys/pump/d1/#"]).await.unwrap(),
        [1, 1],
        "granted, and without effect"
    );
    for topic in [
        "/sys/pump/d2/thing/service/multiply",
        "/sys/pump/d2/thing/measurepoint/post",
        "any/topic",
    ] {
        let sent = device
            .publish(topic, r#"{"id":"1","version":"1.0","method":"m","params":{}}"#)
            .await
            .unwrap();
        device.acknowledged(sent).await.unwrap();
    }
    device
        .publish_qos_0("/sys/pump/d1/thing/service/multiply", r#"{"id":"2","params":{}}"#)
        .await
        .unwrap();
    device.ping().await.unwrap();
    other.no_command_within(Duration::from_millis(200)).await.unwrap();
    device.no_command_within(Duration::from_millis(1)).await.unwrap();
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    other.no_command_within(Duration::from_millis(100)).await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&job).await.succeed, 1);
}

#[tokio::test]
async fn every_request_of_a_device_is_answered() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let cases = [
        ("thing/measurepoint/post", 200, json!({})),
        ("thing/measurepoint/post/batch", 200, json!({})),
        ("thing/measurepoint/resume", 200, json!({})),
        ("thing/event/overheated/post", 200, json!({})),
        ("thing/attribute/update", 200, json!({})),
        ("thing/attribute/query", 200, json!({})),
        ("thing/tag/update", 200, json!({})),
        ("thing/tag/query", 200, json!({})),
        ("ota/device/getversion", 200, json!([])),
        ("thing/topo/add", 1220, json!({})),
        ("thing/topo/get", 200, json!([])),
        ("thing/something/new", 200, json!({})),
    ];
    for (path, code, data) in cases {
        let answer = device.request(path, json!({"temperature": 1})).await.unwrap();
        assert_eq!((&answer["code"], &answer["data"]), (&json!(code), &data), "{path}");
        assert!(
            answer["id"].is_string() && answer["message"].is_string(),
            "{path}: {answer}"
        );
    }
    let template = device.request("thing/tsltemplate/get", json!({})).await.unwrap();
    let data = &template["data"];
    assert_eq!(
        data["tslServiceMap"]["multiply"]["identifier"], "multiply",
        "{template}"
    );
    assert_eq!(
        data["tslServiceMap"]["multiply"]["inputData"][0]["dataType"], "INT",
        "{template}"
    );
    for map in ["tslAttributeMap", "tslMeasurepointMap", "tslEventMap"] {
        assert!(data[map].is_object(), "{template}");
    }
}

#[tokio::test]
async fn device_that_subscribes_to_the_topic_of_the_waiting_command_gets_it_at_once() {
    let world = World::open().await;
    for (key, filter) in [
        ("d1", "/sys/pump/d1/thing/service/multiply"),
        ("d2", "/sys/+/+/thing/service/multiply"),
    ] {
        let identity = world.device(key).await;
        let job = world.create(&Plan::device(&identity).ttl(600)).await;
        let mut device = world.connect(&identity).await;
        let came = Instant::now();
        assert_eq!(device.subscribe(&[filter]).await.unwrap(), [1]);
        let command = device.next_command().await.unwrap();
        // What a subscribing device has not subscribed to waits for five seconds.
        assert!(came.elapsed() < Duration::from_secs(4), "{filter}");
        device.answer(&command, 200, json!({})).await.unwrap();
        world.task_in(&job, TaskStatus::Succeed).await;
        device.disconnect().await.unwrap();
    }
}

#[tokio::test]
async fn device_that_leaves_before_it_is_ready_is_told_of_in_the_result() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let job = world.create(&Plan::device(&identity).ttl(3)).await;
    for _ in 0..2 {
        let mut device = world.connect(&identity).await;
        device.disconnect().await.unwrap();
        world.until_presence(&identity, "offline").await;
    }
    let task = world.task_in(&job, TaskStatus::TtlTimeout).await;
    let desc = task.task_result.unwrap().desc.unwrap_or_default();
    assert!(
        desc.ends_with("; the device came 2 times and left before it was ready for the command"),
        "{desc}"
    );
}

#[tokio::test]
async fn a_device_that_subscribes_to_commands_gets_each_kind_once_it_can_take_it() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let point = world
        .create(&Plan::device(&identity).ttl(600).sets("temperature", json!(1)))
        .await;
    let service = world.create(&Plan::device(&identity).ttl(600)).await;
    let mut device = world.connect(&identity).await;
    assert_eq!(device.subscribe(&["/sys/pump/d1/thing/service/+"]).await.unwrap(), [1]);
    // Longer than others wait, and not as long as those that never subscribe to what is at the head of their queue.
    device.no_command_within(Duration::from_millis(1500)).await.unwrap();
    let sets = ["/sys/pump/d1/thing/service/measurepoint/set"];
    assert_eq!(device.subscribe(&sets).await.unwrap(), [1]);
    for expected in ["measurepoint/set", "multiply"] {
        let command = device.next_command().await.unwrap();
        assert_eq!(command.service(), expected);
        device.answer(&command, 200, json!({})).await.unwrap();
    }
    for job in [&service, &point] {
        assert_eq!(world.recounted(job).await.succeed, 1);
    }
}

#[tokio::test]
async fn bytes_that_are_no_mqtt_end_only_their_own_connection() {
    let world = World::open().await;
    let mut good = world.connected("d1").await;
    for bytes in [&[0x10, 0xff, 0xff, 0xff, 0xff, 0xff][..], &[0xf0, 0x00], &[0; 64]] {
        let mut bad = Device::new(good.identity());
        bad.open_socket(world.server.mqtt).await.unwrap();
        bad.send_raw(bytes).await.unwrap();
        bad.expect_closed().await.unwrap();
    }
    good.ping().await.unwrap();
}
