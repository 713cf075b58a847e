//! Devices that are reached through gateways.

use std::time::Duration;

use aldis_client::{Client, DeviceRef, NewProduct, ProductChange, TaskStatus};
use aldis_simulator::{Device, DeviceIdentity, Received};
use serde_json::{Value, json};

use crate::harness::{Plan, World, eventually};

/// The product of gateways.
const BOXES: &str = "box";

fn name(device: &DeviceIdentity) -> DeviceRef {
    DeviceRef::keys(&device.product_key, &device.device_key)
}

fn keys(device: &DeviceIdentity) -> Value {
    json!({"productKey": device.product_key, "deviceKey": device.device_key})
}

/// A world with gateways.
async fn world() -> World {
    let world = World::open().await;
    let boxes = NewProduct {
        product_type: Some("Gateway".to_owned()),
        ..crate::harness::product(BOXES)
    };
    world.client.create_product(&boxes).await.unwrap();
    world
}

async fn gateway(world: &World, key: &str) -> Device {
    let identity = world.register(BOXES, &[key.to_owned()]).await.remove(0);
    world.connect(&identity).await
}

async fn put_under(client: &Client, gateway: &Device, devices: &[DeviceIdentity]) {
    let devices: Vec<DeviceRef> = devices.iter().map(name).collect();
    client
        .add_sub_devices(&name(gateway.identity()), &devices)
        .await
        .unwrap();
}

async fn log_in(gateway: &mut Device, device: &DeviceIdentity) -> Value {
    gateway.log_in(device).await.unwrap()
}

/// A gateway, and sub-devices of it that are in.
async fn crowd(world: &World, key: &str, sub_devices: &[&str]) -> (Device, Vec<DeviceIdentity>) {
    let mut gateway = gateway(world, key).await;
    let devices = world.devices(sub_devices).await;
    put_under(&world.client, &gateway, &devices).await;
    for device in &devices {
        assert_eq!(log_in(&mut gateway, device).await["code"], 200);
    }
    (gateway, devices)
}

fn is_for(command: &Received, device: &DeviceIdentity) -> bool {
    command.reply_topic().starts_with(&device.topic(""))
}

#[tokio::test]
async fn a_sub_device_is_online_from_its_login_to_its_logout_or_its_gateways_end() {
    let world = world().await;
    let mut gateway = gateway(&world, "g1").await;
    let device = world.device("s1").await;
    put_under(&world.client, &gateway, std::slice::from_ref(&device)).await;
    assert_eq!(world.presence(&device).await, "inactive");
    let answer = log_in(&mut gateway, &device).await;
    let expected = json!({"assetId": "asset-pump-s1", "productKey": "pump", "deviceKey": "s1"});
    assert_eq!((&answer["code"], &answer["data"]), (&json!(200), &expected));
    assert_eq!(world.presence(&device).await, "online");
    let answer = gateway.session_request("combine/logout", keys(&device)).await.unwrap();
    assert_eq!((&answer["code"], &answer["data"]), (&json!(200), &keys(&device)));
    assert_eq!(world.presence(&device).await, "offline");
    log_in(&mut gateway, &device).await;
    assert_eq!(world.presence(&device).await, "online");
    gateway.reset_link();
    world.until_presence(&device, "offline").await;
    gateway.connect(world.server.mqtt).await.unwrap();
    assert_eq!(
        world.presence(&device).await,
        "offline",
        "its gateway's login is not its own"
    );
}

#[tokio::test]
async fn commands_travel_through_the_gateway_and_replies_come_back_the_same_way() {
    let world = world().await;
    let (mut gateway, devices) = crowd(&world, "g1", &["s1", "s2"]).await;
    let own = gateway.identity().clone();
    let all = [own.clone(), devices[0].clone(), devices[1].clone()];
    let job = world.create(&Plan::devices(&all)).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let command = gateway.next_command().await.unwrap();
        seen.extend(all.iter().position(|device| is_for(&command, device)));
        gateway.answer(&command, 200, json!({"product": 42})).await.unwrap();
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2]);
    assert_eq!(world.recounted(&job).await.succeed, 3);
}

#[tokio::test]
async fn a_job_for_a_product_reaches_its_devices_behind_all_gateways_and_without() {
    let world = world().await;
    let (mut first, _) = crowd(&world, "g1", &["s1", "s2"]).await;
    let (mut second, _) = crowd(&world, "g2", &["s3"]).await;
    let mut alone = world.connected("d1").await;
    let job = world.create(&Plan::product("pump")).await;
    for (gateway, commands) in [(&mut first, 2), (&mut second, 1), (&mut alone, 1)] {
        for _ in 0..commands {
            let command = gateway.next_command().await.unwrap();
            gateway.answer(&command, 200, json!({})).await.unwrap();
        }
    }
    assert_eq!(world.recounted(&job).await.succeed, 4);
}

#[tokio::test]
async fn what_waits_is_delivered_after_the_sub_devices_own_login() {
    let world = world().await;
    let mut gateway = gateway(&world, "g1").await;
    let device = world.device("s1").await;
    put_under(&world.client, &gateway, std::slice::from_ref(&device)).await;
    let waiting = world.create(&Plan::device(&device).ttl(600)).await;
    let instant = world.create(&Plan::device(&device)).await;
    assert_eq!(world.task_in(&instant, TaskStatus::Failed).await.task_id.len(), 19);
    gateway.no_command_within(Duration::from_millis(1500)).await.unwrap();
    log_in(&mut gateway, &device).await;
    let command = gateway.next_command().await.unwrap();
    assert!(is_for(&command, &device));
    gateway.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&waiting).await.succeed, 1);
}

#[tokio::test]
async fn only_the_gateway_that_a_device_is_in_over_speaks_for_it() {
    let world = world().await;
    let (mut right, devices) = crowd(&world, "g1", &["s1"]).await;
    let (mut wrong, _) = crowd(&world, "g2", &["s2"]).await;
    let job = world.create(&Plan::device(&devices[0])).await;
    let command = right.next_command().await.unwrap();
    let forged = wrong.reply(&command, 200, json!({}), "").await.unwrap();
    wrong.acknowledged(forged).await.unwrap();
    let foreign = devices[0].topic("thing/measurepoint/post");
    wrong.publish(&foreign, r#"{"id":"9","params":{}}"#).await.unwrap();
    let (topic, payload) = wrong.next_message().await.unwrap();
    assert_eq!(topic, format!("{foreign}_reply"));
    let answer: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(answer["code"], 1009);
    right.puback(&command).await.unwrap();
    world.task_in(&job, TaskStatus::InProgress).await;
    right.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&job).await.succeed, 1);
    // However often it speaks for others, a gateway keeps its connection.
    for _ in 0..40 {
        wrong
            .publish_qos_0(&devices[0].topic("thing/service/x_reply"), "{}")
            .await
            .unwrap();
    }
    wrong.ping().await.unwrap();
}

#[tokio::test]
async fn a_gateway_may_have_much_to_say_before_its_sub_devices_are_in() {
    let world = world().await;
    let devices = world.devices(&["s1"]).await;
    let mut gateway = gateway(&world, "g1").await;
    let mut plain = world.connected("d1").await;
    let topic = devices[0].topic("thing/measurepoint/post");
    for _ in 0..100 {
        gateway.publish_qos_0(&topic, "{}").await.unwrap();
    }
    gateway.ping().await.unwrap();
    // Asking what only gateways ask for makes no gateway of it.
    plain.request("thing/topo/get", json!({})).await.unwrap();
    for _ in 0..21 {
        plain.publish_qos_0(&topic, "{}").await.unwrap();
    }
    plain.expect_closed().await.unwrap();
    gateway.ping().await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_subscribes_gets_each_kind_once_its_sub_device_can_take_it() {
    let world = world().await;
    let (mut gateway, devices) = crowd(&world, "g1", &["s1"]).await;
    let point = Plan::device(&devices[0]).ttl(600).sets("temperature", json!(1));
    let point = world.create(&point).await;
    let service = devices[0].topic("thing/service/+");
    assert_eq!(gateway.subscribe(&[&service]).await.unwrap(), [1]);
    // The point is the head of the queue, and waits for its own subscription.
    gateway.no_command_within(Duration::from_millis(1500)).await.unwrap();
    let set = devices[0].topic("thing/service/measurepoint/set");
    gateway.subscribe(&[&set]).await.unwrap();
    let command = gateway.next_command().await.unwrap();
    gateway.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&point).await.succeed, 1);
}

#[tokio::test]
async fn a_device_that_moves_is_out_at_its_first_gateway_and_needs_a_login_at_the_next() {
    let world = world().await;
    let (mut first, devices) = crowd(&world, "g1", &["s1", "s2"]).await;
    let mut second = gateway(&world, "g2").await;
    let device = &devices[0];
    let out = world.create(&Plan::device(device)).await;
    let command = first.next_command().await.unwrap();
    assert_eq!(log_in(&mut second, device).await["code"], 740);
    let answer = second
        .request("thing/topo/add", json!([device.sub_login()]))
        .await
        .unwrap();
    assert_eq!(answer["code"], 200, "{answer}");
    world.until_presence(device, "offline").await;
    assert_eq!(world.presence(&devices[1]).await, "online");
    assert_eq!(log_in(&mut first, device).await["code"], 740);
    assert_eq!(log_in(&mut second, device).await["code"], 200);
    let waiting = world.create(&Plan::device(device).ttl(600)).await;
    // What went out through the first gateway is answered by whichever has the device now.
    second.no_command_within(Duration::from_millis(1500)).await.unwrap();
    second.answer(&command, 200, json!({})).await.unwrap();
    let command = second.next_command().await.unwrap();
    second.answer(&command, 200, json!({})).await.unwrap();
    for job in [&out, &waiting] {
        assert_eq!(world.recounted(job).await.succeed, 1);
    }
}

#[tokio::test]
async fn a_gateway_is_told_what_operators_do_and_loses_only_that_device() {
    let world = world().await;
    let (mut gateway, devices) = crowd(&world, "g1", &["s1", "s2"]).await;
    world.client.disable_device(&name(&devices[0])).await.unwrap();
    world.client.enable_device(&name(&devices[0])).await.unwrap();
    for word in ["disable", "enable"] {
        let (topic, payload) = gateway.next_message().await.unwrap();
        assert_eq!(topic, gateway.identity().session_topic(&format!("combine/{word}")));
        let told: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            (&told["params"], told["id"].as_str().unwrap().len()),
            (&keys(&devices[0]), 18)
        );
        let reply = json!({"id": told["id"], "code": 200, "data": {}}).to_string();
        let reply = gateway.publish(&format!("{topic}_reply"), reply).await.unwrap();
        gateway.acknowledged(reply).await.unwrap();
    }
    assert_eq!(world.presence(&devices[0]).await, "offline", "it has to log in again");
    assert_eq!(world.presence(&devices[1]).await, "online");
    world.client.delete_device(&name(&devices[1])).await.unwrap();
    let (topic, _) = gateway.next_message().await.unwrap();
    assert_eq!(topic, gateway.identity().session_topic("combine/delete"));
    assert_eq!(log_in(&mut gateway, &devices[0]).await["code"], 200);
    let left = gateway.request("thing/topo/get", json!({})).await.unwrap();
    assert_eq!(left["data"], json!([keys(&devices[0])]));
    world
        .client
        .remove_sub_devices(&name(gateway.identity()), &[name(&devices[0])])
        .await
        .unwrap();
    world.until_presence(&devices[0], "offline").await;
    gateway.ping().await.unwrap();
}

#[tokio::test]
async fn a_device_is_in_over_one_connection_only() {
    let world = world().await;
    let (mut gateway, devices) = crowd(&world, "g1", &["s1"]).await;
    let mut direct = world.connect(&devices[0]).await;
    assert_eq!(world.presence(&devices[0]).await, "online");
    let job = world.create(&Plan::device(&devices[0])).await;
    let command = direct.next_command().await.unwrap();
    direct.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&job).await.succeed, 1);
    gateway.no_command_within(Duration::from_millis(100)).await.unwrap();
    assert_eq!(log_in(&mut gateway, &devices[0]).await["code"], 200);
    direct.expect_closed().await.unwrap();
    assert_eq!(world.presence(&devices[0]).await, "online");
    assert_eq!(
        log_in(&mut gateway, &devices[0]).await["code"],
        200,
        "a second login over the same connection"
    );
    let job = world.create(&Plan::device(&devices[0])).await;
    let command = gateway.next_command().await.unwrap();
    gateway.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&job).await.succeed, 1);
}

#[tokio::test]
async fn a_login_that_proves_nothing_is_told_why() {
    let world = world().await;
    let mut gateway = gateway(&world, "g1").await;
    let devices = world.devices(&["s1", "s2", "s3"]).await;
    put_under(&world.client, &gateway, &devices[..2]).await;
    world.client.disable_device(&name(&devices[1])).await.unwrap();
    gateway.next_message().await.unwrap();
    let with = |field: &str, value: Value| {
        let mut login = devices[0].sub_login();
        login[field] = value;
        login
    };
    let unknown = DeviceIdentity::new("pump", "nobody", "secret");
    let cases = [
        (with("sign", json!("00")), 742),
        (with("timestamp", json!("1")), 742),
        (with("secureMode", json!("3")), 770),
        (with("clientId", Value::Null), 1220),
        (unknown.sub_login(), 705),
        (devices[1].sub_login(), 723),
        (devices[2].sub_login(), 740),
        (gateway.identity().sub_login(), 740),
    ];
    for (login, code) in cases {
        let answer = gateway.session_request("combine/login", login.clone()).await.unwrap();
        assert_eq!(answer["code"], code, "{login}: {answer}");
        let told = if code == 1220 { &json!("") } else { &login["deviceKey"] };
        assert_eq!(&answer["data"]["deviceKey"], told);
    }
    assert_eq!(world.presence(&devices[0]).await, "inactive");
    // A device that is no gateway has no sub-devices.
    let mut plain = world.connected("d1").await;
    assert_eq!(log_in(&mut plain, &devices[0]).await["code"], 740);
    let answer = plain
        .request("thing/topo/add", json!([devices[0].sub_login()]))
        .await
        .unwrap();
    assert_eq!(answer["code"], 1009);
}

#[tokio::test]
async fn the_product_may_vouch_for_a_device_that_does_not_know_its_secret_yet() {
    let world = world().await;
    let product = NewProduct {
        product_secret: Some("product-secret".into()),
        dynamic_activate_enabled: Some(true),
        ..crate::harness::product("meter")
    };
    world.client.create_product(&product).await.unwrap();
    let device = world.register("meter", &["m1".to_owned()]).await.remove(0);
    let mut gateway = gateway(&world, "g1").await;
    put_under(&world.client, &gateway, std::slice::from_ref(&device)).await;
    let answer = gateway
        .session_request("combine/login", by_product("m1"))
        .await
        .unwrap();
    assert_eq!(answer["data"]["deviceSecret"], device.device_secret, "{answer}");
    assert_eq!(world.presence(&device).await, "online");
}

/// What a client signs for a meter with its product's secret.
fn by_product(key: &str) -> Value {
    let mut login = DeviceIdentity::new("meter", key, "product-secret").sub_login();
    login["secureMode"] = json!(3);
    login
}

#[tokio::test]
async fn a_products_secret_takes_no_device_away_and_tells_no_secret_that_was_used() {
    let world = world().await;
    let product = NewProduct {
        product_secret: Some("product-secret".into()),
        dynamic_activate_enabled: Some(true),
        ..crate::harness::product("meter")
    };
    world.client.create_product(&product).await.unwrap();
    let devices = world.register("meter", &["m1", "m2", "m3"].map(str::to_owned)).await;
    let mut first = gateway(&world, "g1").await;
    let mut second = gateway(&world, "g2").await;
    // In over its gateway with its own secret.
    put_under(&world.client, &first, &devices[..1]).await;
    assert_eq!(log_in(&mut first, &devices[0]).await["code"], 200);
    // In by itself.
    drop(world.connect(&devices[1]).await);
    for (key, why) in [("m1", "not a sub-device of this"), ("m2", "its own secret")] {
        let answer = second
            .request("thing/topo/add", json!([by_product(key)]))
            .await
            .unwrap();
        assert_eq!(answer["code"], 1255, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(why), "{answer}");
        let answer = second.session_request("combine/login", by_product(key)).await.unwrap();
        assert_eq!(answer["code"], 740, "{answer}");
    }
    assert_eq!(world.presence(&devices[0]).await, "online");
    // Programs that know no other secret come back with it, to the gateway that has the device already.
    let expected = json!({"assetId": "asset-meter-m1", "productKey": "meter", "deviceKey": "m1"});
    let answer = first.session_request("combine/login", by_product("m1")).await.unwrap();
    assert_eq!((&answer["code"], &answer["data"]), (&json!(200), &expected));
    let answer = first
        .request("thing/topo/add", json!([by_product("m1")]))
        .await
        .unwrap();
    assert_eq!(answer["code"], 200, "{answer}");
    // A device that was never activated belongs to the first client.
    let answer = second
        .request("thing/topo/add", json!([by_product("m3")]))
        .await
        .unwrap();
    assert_eq!(answer["code"], 200, "{answer}");
    let answer = first
        .request("thing/topo/add", json!([by_product("m3")]))
        .await
        .unwrap();
    assert_eq!(answer["code"], 1255, "{answer}");
}

#[tokio::test]
async fn one_element_that_cannot_be_read_keeps_no_other_out() {
    let world = world().await;
    let mut gateway = gateway(&world, "g1").await;
    let device = world.device("s1").await;
    put_under(&world.client, &gateway, std::slice::from_ref(&device)).await;
    let batch = json!({"clientId": "login.batch", "timestamp": 1, "signMethod": "sha256",
        "subDevices": [{"productKey": "pump"}, device.sub_login(), {"productKey": "pump", "deviceKey": "unsigned"}]});
    let answer = gateway.session_request("combine/login/batch", batch).await.unwrap();
    assert_eq!(answer["code"], 723, "{answer}");
    assert_eq!(answer["data"]["loginedSubDevices"][0]["deviceKey"], "s1");
    let unsigned = json!([{"productKey": "pump", "deviceKey": "unsigned"}]);
    assert_eq!(answer["data"]["failedSubDevices"], unsigned);
    assert_eq!(world.presence(&device).await, "online");
}

#[tokio::test]
async fn a_sub_device_is_asked_nothing_that_only_a_gateway_is() {
    let world = world().await;
    let (mut gateway, devices) = crowd(&world, "g1", &["s1"]).await;
    for (path, data) in [
        ("thing/topo/get", json!([])),
        ("thing/device/register", json!([])),
        ("thing/topo/add", json!({})),
    ] {
        let topic = devices[0].topic(path);
        let ask = json!({"id": "7", "params": [{"productKey": "pump", "deviceKey": "new"}]});
        gateway.publish(&topic, ask.to_string()).await.unwrap();
        let (to, payload) = gateway.next_message().await.unwrap();
        assert_eq!(to, format!("{topic}_reply"));
        let answer: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!((&answer["code"], &answer["data"]), (&json!(1009), &data), "{path}");
    }
}

/// An operator puts it here, a gateway with the device's secret puts it there.
#[tokio::test]
async fn a_device_that_is_claimed_twice_is_in_nowhere_but_where_it_is_under() {
    let world = world().await;
    let mut first = gateway(&world, "g1").await;
    let mut second = gateway(&world, "g2").await;
    let device = world.device("s1").await;
    let this = [name(&device)];
    let here = name(first.identity());
    for _ in 0..30 {
        let add = world.client.add_sub_devices(&here, &this);
        let claim = second.request("thing/topo/add", json!([device.sub_login()]));
        let (added, claimed) = tokio::join!(
            async {
                let added = add.await.is_ok();
                added && log_in(&mut first, &device).await["code"] == 200
            },
            claim
        );
        assert_eq!(claimed.unwrap()["code"], 200);
        // The claim takes it away also from where it was put a moment before, and was let in.
        world.until_presence_is_not(&device, "online").await;
        assert_eq!(log_in(&mut first, &device).await["code"], 740, "let in before: {added}");
        let there = name(second.identity());
        world.client.remove_sub_devices(&there, &this).await.unwrap();
    }
}

#[tokio::test]
async fn two_hundred_sub_devices_are_in_and_one_more_is_not() {
    let world = world().await;
    let mut gateway = gateway(&world, "g1").await;
    let devices = world.many_devices(201).await;
    put_under(&world.client, &gateway, &devices).await;
    let elements: Vec<Value> = devices.iter().map(DeviceIdentity::sub_login).collect();
    let batch = json!({"clientId": "login.batch", "timestamp": 1, "signMethod": "sha256", "subDevices": elements});
    let answer = gateway.session_request("combine/login/batch", batch).await.unwrap();
    assert_eq!(answer["code"], 723);
    let counts = ["loginedSubDevices", "failedSubDevices"].map(|list| answer["data"][list].as_array().unwrap().len());
    assert_eq!(counts, [200, 1]);
    let job = world.create(&Plan::product("pump").ttl(600)).await;
    for _ in 0..200 {
        let command = gateway.next_command().await.unwrap();
        gateway.answer(&command, 200, json!({})).await.unwrap();
    }
    world
        .count_when(&job, "200 succeeded", |count| count.succeed == 200)
        .await;
    let last = answer["data"]["failedSubDevices"][0]["deviceKey"].as_str().unwrap();
    let last = devices.iter().find(|device| device.device_key == last).unwrap();
    assert_eq!(log_in(&mut gateway, last).await["code"], 739);
    assert_eq!(world.presence(last).await, "inactive", "it has never been in");
    gateway
        .session_request("combine/logout", keys(&devices[0]))
        .await
        .unwrap();
    assert_eq!(log_in(&mut gateway, last).await["code"], 200);
}

#[tokio::test]
async fn gateways_register_devices_and_arrange_their_topology() {
    let world = world().await;
    let mut gateway = gateway(&world, "g1").await;
    let refused = json!([{"productKey": "pump", "deviceKey": "n1"}]);
    let refused = gateway.request("thing/device/register", refused).await.unwrap();
    assert_eq!(
        (&refused["code"], &refused["data"]),
        (&json!(1009), &json!([])),
        "it is off at first"
    );
    let open = ProductChange {
        gateway_register_enabled: Some(true),
        ..ProductChange::default()
    };
    world.client.update_product("pump", &open).await.unwrap();
    let gateways = world.client.update_product(BOXES, &open).await.unwrap_err();
    assert!(gateways.to_string().contains("gatewayRegisterEnabled"), "{gateways}");
    let more = gateway.request(
        "thing/device/register",
        json!([{"productKey": BOXES, "deviceKey": "g2"}]),
    );
    assert_eq!(more.await.unwrap()["code"], 1009, "a gateway registers no gateways");
    let new = json!([{"productKey": "pump", "deviceKey": "n1"}, {"productKey": "pump", "deviceName": "second"}]);
    let answer = gateway.request("thing/device/register", new.clone()).await.unwrap();
    assert_eq!(answer["code"], 200, "{answer}");
    let registered: Vec<DeviceIdentity> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|device| {
            let text = |field: &str| device[field].as_str().unwrap();
            DeviceIdentity::new(text("productKey"), text("deviceKey"), text("deviceSecret"))
        })
        .collect();
    assert_eq!((registered.len(), registered[0].device_key.as_str()), (2, "n1"));
    let found = gateway.request("thing/topo/get", json!({})).await.unwrap();
    assert_eq!(
        found["data"],
        json!([keys(&registered[0]), keys(&registered[1])]),
        "they are under it"
    );
    let again = gateway.request("thing/device/register", new).await.unwrap();
    assert_eq!(
        (&again["code"], again["data"].as_array().unwrap().len()),
        (&json!(702), 1)
    );
    let foreign = json!([{"productKey": "nowhere", "deviceKey": "n1"}]);
    assert_eq!(
        gateway.request("thing/device/register", foreign).await.unwrap()["code"],
        1009
    );

    let mut forged = registered[1].sub_login();
    forged["sign"] = json!("00");
    let third = json!({"productKey": "pump", "deviceKey": again["data"][0]["deviceKey"]});
    let away = json!([keys(&registered[1]), third]);
    let away = gateway.request("thing/topo/delete", away).await.unwrap();
    assert_eq!(away["code"], 200, "{away}");
    let add = json!([registered[0].sub_login(), forged]);
    let answer = gateway.request("thing/topo/add", add).await.unwrap();
    assert_eq!(answer["code"], 1255, "{answer}");
    let found = gateway.request("thing/topo/get", json!({})).await.unwrap();
    assert_eq!(found["data"], json!([keys(&registered[0])]));
    assert_eq!(log_in(&mut gateway, &registered[0]).await["code"], 200);
    let remove = json!([keys(&registered[0]), keys(&registered[1])]);
    let answer = gateway.request("thing/topo/delete", remove).await.unwrap();
    assert_eq!(answer["code"], 1256, "{answer}");
    world.until_presence(&registered[0], "offline").await;
    let found = gateway.request("thing/topo/get", json!({})).await.unwrap();
    assert_eq!(found["data"], json!([]));
}

#[tokio::test]
async fn what_a_gateway_was_sent_before_a_crash_is_answered_after_it() {
    let mut world = world().await;
    let (mut gateway, devices) = crowd(&world, "g1", &["s1", "s2"]).await;
    let job = world.create(&Plan::device(&devices[0]).reply_within(60)).await;
    let command = gateway.next_command().await.unwrap();
    world.server.kill_and_start_again();
    gateway.connect(world.server.mqtt).await.unwrap();
    // Libraries say again what was not acknowledged, before they log their sub-devices in again.
    gateway.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&job).await.succeed, 1);
    let waiting = world.create(&Plan::device(&devices[0]).ttl(600)).await;
    gateway.no_command_within(Duration::from_millis(1500)).await.unwrap();
    log_in(&mut gateway, &devices[0]).await;
    let command = gateway.next_command().await.unwrap();
    gateway.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.recounted(&waiting).await.succeed, 1);
}

#[tokio::test]
async fn a_device_that_is_moved_in_the_midst_of_its_login_is_where_its_topology_is() {
    let world = world().await;
    let mut gateways = [gateway(&world, "g1").await, gateway(&world, "g2").await];
    let device = world.device("s1").await;
    let this = [name(&device)];
    put_under(&world.client, &gateways[0], std::slice::from_ref(&device)).await;
    for round in 0..40 {
        let (from, to) = (round % 2, (round + 1) % 2);
        let names = gateways.each_ref().map(|gateway| name(gateway.identity()));
        let client = world.client.clone();
        let (old, new, moved) = (names[from].clone(), names[to].clone(), this.clone());
        let moves = tokio::spawn(async move {
            client.remove_sub_devices(&old, &moved).await.unwrap();
            client.add_sub_devices(&new, &moved).await.unwrap();
        });
        let code = log_in(&mut gateways[from], &device).await["code"].clone();
        assert!([json!(200), json!(740)].contains(&code), "{code}");
        moves.await.unwrap();
        // The gateway that it was under before the move has lost it.
        world.until_presence_is_not(&device, "online").await;
        assert_eq!(log_in(&mut gateways[to], &device).await["code"], 200);
        assert_eq!(world.presence(&device).await, "online");
    }
}

#[tokio::test]
async fn a_gateway_that_drops_in_the_midst_of_its_logins_leaves_nobody_online() {
    let world = world().await;
    let (mut gateway, devices) = crowd(&world, "g1", &["s1", "s2", "s3"]).await;
    let job = world.create(&Plan::devices(&devices).ttl(600)).await;
    for round in 0..20 {
        for device in &devices {
            let login = json!({"id": "1", "params": device.sub_login()}).to_string();
            let topic = gateway.identity().session_topic("combine/login");
            gateway.publish_qos_0(&topic, login).await.unwrap();
        }
        match round % 3 {
            0 => gateway.reset_link(),
            1 => gateway.drop_link(),
            _ => gateway.disconnect().await.unwrap(),
        }
        let own = gateway.identity().clone();
        world.until_presence(&own, "offline").await;
        for device in &devices {
            world.until_presence_is_not(device, "online").await;
        }
        gateway.connect(world.server.mqtt).await.unwrap();
    }
    for device in &devices {
        assert_eq!(log_in(&mut gateway, device).await["code"], 200);
    }
    for _ in &devices {
        let command = gateway.next_command().await.unwrap();
        gateway.answer(&command, 200, json!({})).await.unwrap();
    }
    assert_eq!(world.recounted(&job).await.succeed, 3);
}

/// Each takes a device that it has at hand from the other, as soon as that has it.
#[tokio::test]
async fn a_device_that_two_gateways_take_from_each_other_stays_with_one_for_a_while() {
    let world = world().await;
    let mut boxes = [gateway(&world, "g1").await, gateway(&world, "g2").await];
    let device = world.device("s1").await;
    let mut refused = 0;
    for turn in 0..20 {
        let gateway = &mut boxes[turn % 2];
        let add = json!([device.sub_login()]);
        let added = gateway.request("thing/topo/add", add).await.unwrap();
        let answer = log_in(gateway, &device).await;
        assert_eq!(added["code"] == 200, answer["code"] == 200, "{added} {answer}");
        if answer["code"] != 200 {
            assert!(
                added["message"].as_str().unwrap().contains("several gateways"),
                "{added}"
            );
            refused += 1;
        }
    }
    assert!(refused >= 7, "{refused}");
    assert_eq!(world.presence(&device).await, "online", "with the one that had it last");
    let told = "a sub-device is taken over again and again";
    eventually(told, || async { world.server.log().contains(told).then_some(()) }).await;
}

#[tokio::test]
async fn a_device_that_logs_in_again_over_the_same_gateway_fights_with_nobody() {
    let world = world().await;
    let (mut gateway, devices) = crowd(&world, "g1", &["s1"]).await;
    for _ in 0..6 {
        assert_eq!(log_in(&mut gateway, &devices[0]).await["code"], 200);
    }
    let _direct = world.connect(&devices[0]).await;
    assert!(!world.server.log().contains("throw each other out"));
    let trace = world.client.device_trace(&name(&devices[0])).await.unwrap().data;
    let seen: Vec<(&str, u32)> = trace.iter().map(|entry| (entry.event.as_str(), entry.count)).collect();
    assert_eq!(seen, [("CONNECTED", 7), ("REPLACED", 1), ("CONNECTED", 1)]);
}

#[tokio::test]
async fn the_trace_of_a_sub_device_names_the_gateway_and_why_it_is_out() {
    let world = world().await;
    let (gateway, devices) = crowd(&world, "g1", &["s1"]).await;
    let ended = |why: &'static str| {
        let (world, device) = (&world, name(&devices[0]));
        async move {
            eventually(why, || async {
                let trace = world.client.device_trace(&device).await.unwrap().data;
                trace.iter().any(|entry| entry.detail == why).then_some(())
            })
            .await;
        }
    };
    ended("over the connection of gateway box/g1").await;
    world.client.disable_device(&name(gateway.identity())).await.unwrap();
    ended("its gateway's connection has ended: the device was disabled (gateway box/g1)").await;
}
