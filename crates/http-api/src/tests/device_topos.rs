//! Gateways and their sub-devices over the API.

use serde_json::{Value, json};

use super::world::{Answered, World};

const PATH: &str = "/connect-service/v2.1/device-topos";

async fn call(world: &World, action: &str, body: Value) -> Answered {
    world.post(&format!("{PATH}?orgId=o1&action={action}"), body).await
}

/// Gateways `g1` and `g2` of product `box`; devices `a` to `c` of product `pk`.
async fn world() -> World {
    let world = World::open().await;
    let model = json!({"modelId": "pump", "name": {"defaultValue": "Pump"}});
    world
        .post("/model-service/v2.1/thing-models?action=create&orgId=o1", model)
        .await
        .data();
    for (key, kind) in [("pk", "Device"), ("box", "Gateway")] {
        let product = json!({"productName": {"defaultValue": key}, "modelId": "pump", "productType": kind,
            "dataFormat": "Json", "biDirectionalAuth": false, "productKey": key});
        world
            .post("/connect-service/v2.1/products?action=create&orgId=o1", product)
            .await
            .data();
    }
    for (product, key) in [("box", "g1"), ("box", "g2"), ("pk", "a"), ("pk", "b"), ("pk", "c")] {
        let device = json!({"productKey": product, "deviceKey": key, "assetId": format!("asset-{key}"),
            "timezone": "+08:00", "deviceName": {"defaultValue": key}});
        world
            .post("/connect-service/v2.1/devices?action=create&orgId=o1", device)
            .await
            .data();
    }
    world
}

fn asset(key: &str) -> Value {
    json!({"assetId": format!("asset-{key}")})
}

fn under(gateway: &str, devices: &[&str]) -> Value {
    let devices: Vec<Value> = devices.iter().map(|key| asset(key)).collect();
    json!({"gateway": asset(gateway), "subDevices": devices})
}

async fn found(world: &World, mut search: Value) -> Vec<String> {
    search["gateway"] = asset("g1");
    let found = call(world, "searchSubDevice", search).await;
    let rows = found.data().as_array().unwrap().iter();
    rows.map(|row| row["deviceKey"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn devices_are_put_under_a_gateway_found_there_and_taken_away() {
    let world = world().await;
    call(&world, "addSubDevice", under("g1", &["a", "b", "a"])).await.data();
    let by_keys = json!({"gateway": {"productKey": "box", "deviceKey": "g1"},
        "subDevices": [{"productKey": "pk", "deviceKey": "c"}]});
    call(&world, "addSubDevice", by_keys).await.data();
    assert_eq!(found(&world, json!({})).await, ["c", "b", "a"]);
    let page = json!({"expression": "deviceKey != 'b'", "pagination": {"pageNo": 2, "pageSize": 1}});
    assert_eq!(found(&world, page).await, ["a"]);
    call(&world, "removeSubDevice", under("g1", &["a", "c"])).await.data();
    assert_eq!(found(&world, json!({})).await, ["b"]);
}

#[tokio::test]
async fn the_gateway_of_a_device_is_shown_like_any_device() {
    let world = world().await;
    call(&world, "addSubDevice", under("g1", &["a"])).await.data();
    let of = |key: &str| json!({"subDevice": asset(key)});
    let shown = call(&world, "getGateway", of("a")).await.data().clone();
    let devices = "/connect-service/v2.1/devices?orgId=o1&action=get&assetId=asset-g1";
    assert_eq!(&shown, world.get(devices).await.data());
    assert_eq!(shown["productType"], "Gateway");
    assert_eq!(call(&world, "getGateway", of("b")).await.body["data"], Value::Null);
    call(&world, "getGateway", of("x")).await.fails(200, 99404, "asset-x");
    let secret = format!("{}?orgId=o1&action=getGateway", PATH.replace("v2.1", "v2.4"));
    let shown = world.post(&secret, of("a")).await.data().clone();
    assert_eq!(shown["deviceSecret"], Value::Null);
}

#[tokio::test]
async fn a_topology_that_cannot_be_is_refused_whole() {
    let world = world().await;
    call(&world, "addSubDevice", under("g2", &["b"])).await.data();
    let cases = [
        ("addSubDevice", under("a", &["c"]), 11738, "gateway: asset-"),
        ("removeSubDevice", under("a", &["c"]), 11738, "asset-a is not a device"),
        ("searchSubDevice", under("a", &[]), 11738, "asset-a is not a device"),
        ("addSubDevice", under("g1", &["a", "g2"]), 11795, "a gateway cannot"),
        ("addSubDevice", under("g1", &["a", "b"]), 11795, "under another gateway"),
        (
            "removeSubDevice",
            under("g2", &["b", "a"]),
            11795,
            "not under this gateway",
        ),
        ("addSubDevice", under("g1", &["a", "x"]), 99404, "asset-x"),
        (
            "addSubDevice",
            json!({"subDevices": []}),
            99400,
            "gateway: expected a value",
        ),
        (
            "addSubDevice",
            json!({"gateway": {"productKey": "box"}, "subDevices": [asset("a")]}),
            99400,
            "deviceKey",
        ),
        (
            "addSubDevice",
            json!({"gateway": asset("g1")}),
            99400,
            "subDevices: expected a value",
        ),
        (
            "removeSubDevice",
            under("g1", &[]),
            99400,
            "subDevices: expected list of 1 to 1000 devices",
        ),
        (
            "addSubDevice",
            json!({"gateway": asset("g1"), "subDevices": vec![asset("a"); 1001]}),
            99400,
            "subDevices: expected list of 1 to 1000 devices",
        ),
        ("getGateway", json!({}), 99400, "subDevice: expected a value"),
    ];
    for (action, body, code, part) in cases {
        call(&world, action, body).await.fails(200, code, part);
    }
    assert_eq!(found(&world, json!({})).await, [""; 0]);
}
