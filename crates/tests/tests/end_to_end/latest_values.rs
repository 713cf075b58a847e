//! What devices report about themselves is there to be seen.

use aldis_client::{DeviceRef, DeviceUpdate};
use aldis_simulator::Device;
use serde_json::{Value, json};

use crate::harness::World;

async fn latest(world: &World, key: &str) -> Value {
    let device = DeviceRef::keys("pump", key);
    let values = world.client.latest_values(&device).await.unwrap().data;
    let mut shown = serde_json::to_value(&values).unwrap();
    for kind in ["measurepoints", "attributes", "tags"] {
        for (_, latest) in shown[kind].as_object_mut().unwrap() {
            assert!(latest["timestamp"].is_i64());
            *latest = latest["value"].take();
        }
    }
    shown
}

async fn say(device: &mut Device, path: &str, params: Value) {
    let topic = format!("/sys/pump/{}/{path}", device.identity().device_key);
    let payload = json!({"id": "1", "version": "1.0", "params": params}).to_string();
    let said = device.publish(&topic, payload).await.unwrap();
    device.acknowledged(said).await.unwrap();
}

#[tokio::test]
async fn the_latest_value_of_each_name_is_shown() {
    let world = World::new().await;
    let mut device = world.connected("d1").await;
    let nothing = json!({"measurepoints": {}, "attributes": {}, "tags": {}});
    assert_eq!(latest(&world, "d1").await, nothing);
    let first = json!({"measurepoints": {"temperature": 20, "flow": {"value": 1.5, "quality": 9}}, "time": 2000});
    say(&mut device, "thing/measurepoint/post", first).await;
    let newer = json!([{"measurepoints": {"temperature": 21.5}, "time": 3000}, {"measurepoints": {"temperature": 9}, "time": 1000}]);
    say(&mut device, "thing/measurepoint/post/batch", newer).await;
    say(
        &mut device,
        "thing/attribute/update",
        json!({"attributes": {"serial": "x1", "old": true}}),
    )
    .await;
    say(&mut device, "thing/attribute/delete", json!({"attributes": ["old"]})).await;
    say(
        &mut device,
        "thing/tag/update",
        json!([{"tagKey": "floor", "tagValue": "3"}]),
    )
    .await;
    let shown = latest(&world, "d1").await;
    let expected = json!({"measurepoints": {"temperature": 21.5, "flow": 1.5}, "attributes": {"serial": "x1"}, "tags": {"floor": "3"}});
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn points_are_asked_for_as_other_programs_do_and_the_device_says_when_they_were_new() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let unknown = world
        .client
        .get_device(&DeviceRef::keys("pump", "d1"))
        .await
        .unwrap()
        .data;
    assert_eq!(unknown.measurepoint_last_update, None);
    let points = json!({"measurepoints": {"temperature": 21.5, "flow": 1.5}, "time": 2000});
    say(&mut device, "thing/measurepoint/post", points).await;
    say(
        &mut device,
        "thing/attribute/update",
        json!({"attributes": {"serial": "x1"}}),
    )
    .await;
    let flow = json!({"id": "flow", "time": "2000", "value": 1.5});
    let temperature = json!({"id": "temperature", "time": "2000", "value": 21.5});
    for (body, expected) in [
        (json!({}), json!([flow, temperature])),
        (
            json!({"measurepointIds": ["temperature", "serial"]}),
            json!([temperature]),
        ),
        (json!({"measurepointIds": []}), json!([])),
    ] {
        let query = "queryLatest&productKey=pump&deviceKey=d1";
        let answer = world
            .api
            .post("/connect-service/v2.1/measurepoints", query, &body)
            .await;
        assert_eq!(answer.data(), &expected);
    }
    let known = world
        .client
        .get_device(&DeviceRef::keys("pump", "d1"))
        .await
        .unwrap()
        .data;
    assert_eq!(known.measurepoint_last_update, Some(2000));
    assert!(known.attribute_last_update.is_some());
    let values = known.latest_values.unwrap();
    assert_eq!(values.attributes["serial"].value, json!("x1"));
    assert_eq!(values.measurepoints["flow"].timestamp, 2000);
}

#[tokio::test]
async fn nobody_reports_for_another_device() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    world.device("d2").await;
    let points = json!({"measurepoints": {"temperature": 99}});
    let for_another = json!([{"productKey": "pump", "deviceKey": "d2", "measurepoints": {"temperature": 99}}]);
    say(&mut device, "thing/measurepoint/post/batch", for_another).await;
    let payload = json!({"id": "1", "params": points}).to_string();
    let said = device
        .publish("/sys/pump/d2/thing/measurepoint/post", payload)
        .await
        .unwrap();
    device.acknowledged(said).await.unwrap();
    assert_eq!(latest(&world, "d2").await["measurepoints"], json!({}));
    assert_eq!(latest(&world, "d1").await["measurepoints"], json!({}));
}

#[tokio::test]
async fn what_was_reported_is_there_after_a_stop_and_newer_values_still_count() {
    let mut world = World::open().await;
    let mut device = world.connected("d1").await;
    let points = json!({"measurepoints": {"temperature": 20, "flow": 1}, "time": 2000});
    say(&mut device, "thing/measurepoint/post", points).await;
    say(
        &mut device,
        "thing/attribute/update",
        json!({"attributes": {"serial": "x1"}}),
    )
    .await;
    let (ended, _) = world.server.terminate();
    assert!(ended.success());
    world.server.start_again();
    let expected = json!({"measurepoints": {"temperature": 20, "flow": 1}, "attributes": {"serial": "x1"}, "tags": {}});
    assert_eq!(latest(&world, "d1").await, expected);
    device.connect(world.server.mqtt).await.unwrap();
    let newer =
        json!([{"measurepoints": {"temperature": 21}, "time": 3000}, {"measurepoints": {"flow": 9}, "time": 1000}]);
    say(&mut device, "thing/measurepoint/post/batch", newer).await;
    assert_eq!(
        latest(&world, "d1").await["measurepoints"],
        json!({"temperature": 21, "flow": 1})
    );
}

/// What the device is answered when it asks for these of its attributes or tags.
async fn asked(device: &mut Device, path: &str, params: Value) -> Value {
    let mut answer = device.request(path, params).await.unwrap();
    assert_eq!(answer["code"], 200);
    answer["data"].take()
}

#[tokio::test]
async fn a_device_is_told_its_attributes_and_tags_its_own_before_its_operators() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let change = DeviceUpdate {
        device_attributes: Some(
            json!({"limit": 7, "serial": "of the operator"})
                .as_object()
                .unwrap()
                .clone(),
        ),
        device_tags: Some([("floor".to_owned(), "3".to_owned())].into()),
        ..DeviceUpdate::default()
    };
    let name = DeviceRef::keys("pump", "d1");
    world.client.update_device(&name, &change).await.unwrap();
    let query = "thing/attribute/query";
    let registered = json!({"limit": 7, "serial": "of the operator"});
    assert_eq!(asked(&mut device, query, json!({"attributes": []})).await, registered);
    say(
        &mut device,
        "thing/attribute/update",
        json!({"attributes": {"serial": "x1"}}),
    )
    .await;
    let own = json!({"limit": 7, "serial": "x1"});
    assert_eq!(asked(&mut device, query, json!({"attributes": []})).await, own);
    let some = json!({"attributes": ["serial", "unknown"]});
    assert_eq!(asked(&mut device, query, some).await, json!({"serial": "x1"}));
    assert_eq!(
        asked(&mut device, "thing/tag/query", json!({"tags": ["floor"]})).await,
        json!({"floor": "3"})
    );
}
