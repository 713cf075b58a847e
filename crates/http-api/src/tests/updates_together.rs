//! Changes that are made at the same moment: each is answered with 0, so each has to last.

use aldis_store::DeviceRef;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::world::{Answered, World};
use aldis_app::Settings;

const MODELS: &str = "/model-service/v2.1/thing-models";
const PRODUCTS: &str = "/connect-service/v2.1/products";
const DEVICES: &str = "/connect-service/v2.1/devices";

/// More than the writer takes at a time, so that some meet in one commit and some do not.
const CALLERS: usize = 40;

async fn call(world: &World, path: &str, query: &str, body: Value) -> Answered {
    world.post(&format!("{path}?orgId=o1&action={query}"), body).await
}

async fn world(settings: Settings) -> World {
    let world = World::with(Settings {
        no_auth: true,
        ..settings
    })
    .await;
    let model = json!({"modelId": "m", "name": {"defaultValue": "M"}});
    call(&world, MODELS, "create", model).await.data();
    let product = json!({"productName": {"defaultValue": "P"}, "modelId": "m", "productType": "Device", "dataFormat": "Json",
        "biDirectionalAuth": false, "productKey": "pk"});
    call(&world, PRODUCTS, "create", product).await.data();
    world
}

fn device(key: &str) -> Value {
    json!({"productKey": "pk", "deviceKey": key, "timezone": "+00:00", "deviceName": {"defaultValue": key}})
}

/// Sends all bodies at once.
async fn together(world: &World, path: &str, query: &str, bodies: &[Value]) -> Vec<Answered> {
    join_all(bodies.iter().map(|body| call(world, path, query, body.clone()))).await
}

#[tokio::test]
async fn product_updates_at_the_same_moment_all_last() {
    let world = world(Settings::default()).await;
    let changes = [
        json!({"biDirectionalAuth": true}),
        json!({"productDesc": "changed"}),
        json!({"dynamicActivateEnabled": true}),
        json!({"productTags": {"a": "b"}}),
        json!({"productName": {"defaultValue": "changed"}}),
        json!({"commandQos": 0}),
    ];
    for answered in together(&world, PRODUCTS, "update&productKey=pk", &changes).await {
        answered.data();
    }
    let got = call(&world, PRODUCTS, "get&productKey=pk", json!({})).await;
    for change in changes {
        for (field, value) in change.as_object().unwrap() {
            let is = &got.data()[field];
            assert_eq!(is["defaultValue"], value["defaultValue"], "{field}");
            assert!(is == value || field == "productName", "{field}: {is} is not {value}");
        }
    }
}

#[tokio::test]
async fn device_updates_at_the_same_moment_all_last() {
    let world = world(Settings::default()).await;
    call(&world, DEVICES, "create", device("d1")).await.data();
    let changes = [
        json!({"deviceDesc": "changed"}),
        json!({"deviceAttributes": {"power": 1}}),
        json!({"deviceTags": {"a": "b"}}),
        json!({"deviceName": {"defaultValue": "changed"}}),
    ];
    for answered in together(&world, DEVICES, "update&productKey=pk&deviceKey=d1", &changes).await {
        answered.data();
    }
    let keys = [DeviceRef::Keys("pk".into(), "d1".into())];
    let is = world.store().devices(&keys).unwrap().remove(0).unwrap().is;
    assert_eq!(
        (is.desc.as_str(), is.name.default_value.as_str()),
        ("changed", "changed")
    );
    assert_eq!((is.attributes["power"].clone(), is.tags["a"].as_str()), (json!(1), "b"));
}

#[tokio::test]
async fn thing_model_updates_at_the_same_moment_all_last() {
    let world = world(Settings::default()).await;
    let point = |n: usize| json!({"name": {"defaultValue": format!("Point {n}")}, "dataType": "DOUBLE"});
    let changes: Vec<Value> = (0..CALLERS)
        .map(|n| json!({"measurepoints": {format!("p{n}"): point(n)}}))
        .collect();
    for answered in together(&world, MODELS, "update&modelId=m", &changes).await {
        answered.data();
    }
    let got = call(&world, MODELS, "get&modelId=m", json!({})).await;
    assert_eq!(got.data()["measurepoints"].as_object().unwrap().len(), CALLERS);
}

#[tokio::test]
async fn devices_registered_at_the_same_moment_stay_below_the_limit() {
    const MOST: usize = 50;
    let world = world(Settings {
        devices_per_product_max: Some(MOST as u64),
        ..Settings::default()
    })
    .await;
    let batch = |n: usize| {
        let list: Vec<Value> = (0..MOST).map(|m| device(&format!("d{n}-{m}"))).collect();
        json!({"deviceList": list})
    };
    let batches: Vec<Value> = (0..4).map(batch).collect();
    let answers = together(&world, DEVICES, "batchCreate", &batches).await;
    let entries: Vec<&Value> = answers
        .iter()
        .flat_map(|answer| answer.body["data"].as_array().unwrap())
        .collect();
    let created = entries.iter().filter(|entry| entry["code"] == 0).count();
    let refused = entries.iter().filter(|entry| entry["code"] == 11739).count();
    assert_eq!((created, refused), (MOST, 3 * MOST));
    let found = world.store().search_devices(
        &"o1".into(),
        None,
        &aldis_store::OnlineDevices::default(),
        aldis_store::Page { skip: 0, take: 0 },
    );
    assert_eq!(found.unwrap().total, MOST as u64);
}
