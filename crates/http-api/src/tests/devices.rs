//! Devices over the API.

use std::collections::HashSet;

use aldis_core::ids::DeviceNo;
use aldis_core::time::Timestamp;
use aldis_store::rows::Activity;
use aldis_store::{DeviceRef, Write};
use serde_json::{Value, json};

use super::world::{Answered, World};
use aldis_app::Settings;

const PATH: &str = "/connect-service/v2.1/devices";

async fn call(world: &World, query: &str, body: Value) -> Answered {
    world.post(&format!("{PATH}?orgId=o1&action={query}"), body).await
}

fn device(key: &str) -> Value {
    json!({"productKey": "pk", "deviceKey": key, "timezone": "+08:00", "deviceName": {"defaultValue": format!("Device {key}")}})
}

fn with(field: &str, value: Value) -> Value {
    let mut device = device("d1");
    device[field] = value;
    device
}

async fn world() -> World {
    prepared(World::open().await).await
}

async fn prepared(world: World) -> World {
    let model = json!({"modelId": "pump", "modelIdPath": "/machine/pump", "name": {"defaultValue": "Pump"}});
    world
        .post("/model-service/v2.1/thing-models?action=create&orgId=o1", model)
        .await
        .data();
    let product = json!({"productName": {"defaultValue": "Pumps"}, "modelId": "pump", "productType": "Device",
        "dataFormat": "Json", "biDirectionalAuth": false, "productKey": "pk"});
    world
        .post("/connect-service/v2.1/products?action=create&orgId=o1", product)
        .await
        .data();
    world
}

fn number(world: &World, key: &str) -> DeviceNo {
    let found = world
        .store()
        .devices(&[DeviceRef::Keys("pk".into(), key.into())])
        .unwrap();
    found[0].as_ref().unwrap().no
}

#[tokio::test]
async fn a_device_is_given_back_with_all_its_fields() {
    let world = world().await;
    let mut body = device("d1");
    body["deviceAttributes"] = json!({"power": 5, "site": {"floor": [1]}});
    body["deviceTags"] = json!({"floor": "3"});
    body["deviceDesc"] = json!("in the cellar");
    let created = call(&world, "create", body).await;
    let registered = created.data();
    assert_eq!(registered.as_object().unwrap().len(), 4);
    let asset = registered["assetId"].as_str().unwrap();
    assert_eq!(
        (asset.len(), registered["deviceSecret"].as_str().unwrap().len()),
        (8, 32)
    );
    let expected = json!({
        "orgId": "o1", "assetId": asset, "modelId": "pump", "modelIdPath": "/machine/pump", "productKey": "pk",
        "productName": {"defaultValue": "Pumps", "i18nValue": {}}, "productType": "Device", "dataFormat": "Json",
        "deviceKey": "d1", "deviceName": {"defaultValue": "Device d1", "i18nValue": {}},
        "deviceSecret": registered["deviceSecret"], "deviceDesc": "in the cellar", "timezone": "+08:00",
        "deviceAttributes": {"power": 5, "site": {"floor": [1]}}, "deviceTags": {"floor": "3"}, "createTime": world.now(),
        "status": "inactive", "activeTime": null, "lastOnlineTime": null, "lastOfflineTime": null,
        "measurepointLastUpdate": null, "eventLastUpdate": null, "attributeLastUpdate": null, "featureLastUpdate": null,
        "latestValues": {"measurepoints": {}, "attributes": {}, "tags": {}},
    });
    assert_eq!(
        call(&world, "get&productKey=pk&deviceKey=d1", json!({})).await.data(),
        &expected
    );
    assert_eq!(
        call(&world, &format!("get&assetId={asset}"), json!({})).await.data(),
        &expected
    );
    assert_eq!(call(&world, "get", json!({"assetId": asset})).await.data(), &expected);
    let mut listed = expected;
    listed["latestValues"] = json!(null);
    listed["deviceSecret"] = json!(null);
    assert_eq!(call(&world, "search", json!({})).await.data(), &json!([listed]));
}

#[tokio::test]
async fn names_of_devices_must_be_complete_and_agree() {
    let world = world().await;
    call(&world, "create", with("assetId", json!("a1"))).await.data();
    call(&world, "create", device("d2")).await.data();
    let cases = [
        ("", 99400, "either assetId or both productKey and deviceKey"),
        ("&productKey=pk", 99400, "deviceKey: expected either assetId or both"),
        ("&deviceKey=d1", 99400, "assetId: expected either assetId or both"),
        ("&assetId=a2", 99404, "device a2 does not exist"),
        ("&productKey=pk&deviceKey=d9", 99404, "device pk/d9 does not exist"),
        ("&assetId=a1&deviceKey=d2", 99404, "device a1 does not exist"),
    ];
    for action in ["get", "delete", "enable", "disable"] {
        for (name, code, part) in cases {
            call(&world, &format!("{action}{name}"), json!({}))
                .await
                .fails(200, code, part);
        }
    }
    call(&world, "get&assetId=a1&productKey=pk&deviceKey=d1", json!({}))
        .await
        .data();
    let elsewhere = world.get(&format!("{PATH}?orgId=o2&action=get&assetId=a1")).await;
    elsewhere.fails(200, 99404, "device a1 does not exist");
}

#[tokio::test]
async fn every_field_of_a_new_device_is_checked() {
    let world = world().await;
    let cases = [
        (with("productKey", Value::Null), 99400, "productKey: expected a value"),
        (
            with("productKey", json!("other")),
            99404,
            "product other does not exist",
        ),
        (with("timezone", Value::Null), 99400, "timezone: expected a value"),
        (
            with("timezone", json!("Mars/Olympus")),
            99400,
            "timezone: expected offset such as +08:00",
        ),
        (with("timezone", json!(8)), 99400, "timezone: expected text, found 8"),
        (with("deviceName", Value::Null), 99400, "deviceName: expected a value"),
        (
            with("deviceName", json!({"defaultValue": null})),
            99400,
            "deviceName.defaultValue",
        ),
        (
            with("deviceKey", json!("a+b")),
            99400,
            "deviceKey: expected key without",
        ),
        (with("deviceKey", json!("x".repeat(65))), 99400, "deviceKey"),
        (with("deviceSecret", json!("x".repeat(65))), 99400, "deviceSecret"),
        (with("assetId", json!("a b")), 99400, "assetId: expected 1 to 64"),
        (with("deviceDesc", json!("x".repeat(1025))), 99400, "deviceDesc"),
        (
            with("deviceAttributes", json!([1])),
            99400,
            "deviceAttributes: expected object",
        ),
        (with("deviceTags", json!({"k": " x"})), 99400, "deviceTags.k"),
    ];
    for (body, code, part) in cases {
        call(&world, "create", body).await.fails(200, code, part);
    }
    assert_eq!(
        call(&world, "search", json!({})).await.body["pagination"]["totalSize"],
        0,
        "something was left behind"
    );
}

#[tokio::test]
async fn an_existing_fleet_brings_its_keys_along() {
    let world = world().await;
    let mut own = device("burnt-in");
    own["assetId"] = json!("Asset-1");
    own["deviceSecret"] = json!("old secret&");
    let expected =
        json!({"assetId": "Asset-1", "productKey": "pk", "deviceKey": "burnt-in", "deviceSecret": "old secret&"});
    assert_eq!(call(&world, "create", own.clone()).await.data(), &expected);
    call(&world, "create", own.clone())
        .await
        .fails(200, 11702, "deviceKey: burnt-in is in use");
    own["deviceKey"] = json!("another");
    call(&world, "create", own)
        .await
        .fails(200, 99400, "assetId: expected value that is not in use");
}

#[tokio::test]
async fn absent_keys_are_drawn() {
    let world = world().await;
    let keys = [Value::Null, json!("")];
    for key in keys {
        let created = call(&world, "create", with("deviceKey", key)).await;
        assert_eq!(created.data()["deviceKey"].as_str().unwrap().len(), 8);
    }
}

#[tokio::test]
async fn in_a_batch_each_device_stands_by_itself() {
    let world = world().await;
    let list = json!([device("a"), with("timezone", json!("nowhere")), device("a"), {"deviceKey": "x"}, 5,
        with("productKey", json!("other")), device("b")]);
    for path in ["v2.0", "v2.1"] {
        let target = format!("/connect-service/{path}/devices?orgId=o1&action=batchCreate");
        let answered = world.post(&target, json!({"deviceList": list})).await;
        let codes: Vec<i64> = answered
            .data()
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["code"].as_i64().unwrap())
            .collect();
        let taken = if path == "v2.0" { 0 } else { 11702 };
        assert_eq!(
            codes,
            [taken, 99400, 11702, 99400, 99400, 99404, taken],
            "{}",
            answered.body
        );
        let successes = if path == "v2.0" { 2 } else { 0 };
        assert_eq!(
            (&answered.body["successSize"], &answered.body["totalSize"]),
            (&json!(successes), &json!(7))
        );
        let first = &answered.data()[0];
        match taken {
            0 => {
                assert_eq!(
                    (&first["msg"], &first["data"]["deviceKey"]),
                    (&json!("OK"), &json!("a"))
                );
                assert_eq!(first["data"]["deviceSecret"].as_str().unwrap().len(), 32);
            }
            _ => assert_eq!(first["data"], Value::Null),
        }
        assert!(answered.data()[1]["msg"].as_str().unwrap().starts_with("timezone: "));
    }
}

#[tokio::test]
async fn a_batch_has_one_to_a_thousand_devices() {
    let world = world().await;
    let list = |length: usize| json!({"deviceList": (0..length).map(|n| device(&format!("d{n}"))).collect::<Vec<_>>()});
    call(&world, "batchCreate", list(0)).await.fails(
        200,
        99400,
        "deviceList: expected list of 1 to 1000 devices, found 0 devices",
    );
    call(&world, "batchCreate", list(1001))
        .await
        .fails(200, 99400, "found 1001 devices");
    call(&world, "batchCreate", json!({}))
        .await
        .fails(200, 99400, "deviceList: expected a value");
    assert_eq!(call(&world, "batchCreate", list(1000)).await.body["successSize"], 1000);
    let page = call(&world, "search", json!({"pagination": {"pageNo": 1, "pageSize": 1000}})).await;
    let keys: HashSet<&str> = page
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["deviceKey"].as_str().unwrap())
        .collect();
    assert_eq!(keys.len(), 1000);
}

#[tokio::test]
async fn a_product_holds_as_many_devices_as_the_operator_allows() {
    let settings = Settings {
        no_auth: true,
        devices_per_product_max: Some(2),
        ..Settings::default()
    };
    let world = prepared(World::with(settings).await).await;
    call(&world, "create", device("a")).await.data();
    let list = json!({"deviceList": [device("b"), device("c")]});
    let answered = call(&world, "batchCreate", list).await;
    assert_eq!(
        (&answered.data()[0]["code"], &answered.data()[1]["code"]),
        (&json!(0), &json!(11739))
    );
    call(&world, "create", device("d"))
        .await
        .fails(200, 11739, "at most 2 devices");
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let world = world().await;
    let mut first = with("deviceTags", json!({"floor": "1"}));
    first["deviceAttributes"] = json!({"power": 5});
    call(&world, "create", first).await.data();
    let change = json!({"deviceName": {"defaultValue": "New"}, "deviceTags": {"floor": "2"}});
    assert_eq!(
        call(&world, "update&productKey=pk&deviceKey=d1", change).await.data(),
        &Value::Null
    );
    let got = call(&world, "get&productKey=pk&deviceKey=d1", json!({})).await;
    assert_eq!(got.data()["deviceName"]["defaultValue"], "New");
    assert_eq!(
        (&got.data()["deviceTags"], &got.data()["deviceAttributes"]),
        (&json!({"floor": "2"}), &json!({"power": 5}))
    );
    let unnamed = json!({"deviceDesc": "x"});
    call(&world, "update&productKey=pk&deviceKey=d1", unnamed).await.data();
    let got = call(&world, "get&productKey=pk&deviceKey=d1", json!({})).await;
    assert_eq!(got.data()["deviceName"]["defaultValue"], "New", "the name stays");
    call(&world, "update&assetId=x", json!({"deviceName": {"defaultValue": "N"}}))
        .await
        .fails(200, 99404, "device x");
}

#[tokio::test]
async fn an_update_of_the_whole_empties_what_it_does_not_name() {
    let world = world().await;
    let mut first = with("deviceTags", json!({"floor": "1"}));
    first["deviceAttributes"] = json!({"power": 5});
    call(&world, "create", first).await.data();
    let update = |patch: &str, body| {
        let action = format!("update&productKey=pk&deviceKey=d1&isPatchUpdate={patch}");
        let world = &world;
        async move { call(world, &action, body).await }
    };
    let name = json!({"defaultValue": "New"});
    update("false", json!({"deviceName": name}))
        .await
        .fails(200, 99400, "timezone");
    update("false", json!({"timezone": "+09:00"}))
        .await
        .fails(200, 99400, "deviceName");
    update("perhaps", json!({"deviceName": name}))
        .await
        .fails(200, 99400, "isPatchUpdate");
    update("true", json!({"timezone": "+25:00"}))
        .await
        .fails(200, 99400, "timezone");
    update("TRUE", json!({"timezone": "Asia/Tokyo"})).await.data();
    let got = call(&world, "get&productKey=pk&deviceKey=d1", json!({})).await;
    assert_eq!(
        (&got.data()["timezone"], &got.data()["deviceTags"]),
        (&json!("Asia/Tokyo"), &json!({"floor": "1"}))
    );
    update("false", json!({"deviceName": name, "timezone": "+09:00"}))
        .await
        .data();
    let got = call(&world, "get&productKey=pk&deviceKey=d1", json!({})).await;
    assert_eq!(
        (&got.data()["timezone"], &got.data()["deviceDesc"]),
        (&json!("+09:00"), &json!(""))
    );
    assert_eq!(
        (&got.data()["deviceTags"], &got.data()["deviceAttributes"]),
        (&json!({}), &json!({}))
    );
}

#[tokio::test]
async fn the_status_follows_presence_and_history() {
    let world = world().await;
    for key in ["never", "was", "is", "barred"] {
        call(&world, "create", device(key)).await.data();
        world.advance_ms(1);
    }
    let seen = |key, online: i64, offline: Option<i64>| Activity {
        device: number(&world, key),
        online: Some(Timestamp(online)),
        offline: offline.map(Timestamp),
    };
    let activity = vec![
        seen("was", 10, Some(20)),
        seen("is", 30, None),
        seen("barred", 40, Some(50)),
    ];
    world.app.writer().write(vec![Write::Activity(activity)]).await.unwrap();
    world.set_online(number(&world, "is"));
    call(&world, "disable&productKey=pk&deviceKey=barred", json!({}))
        .await
        .data();
    for (key, status) in [
        ("never", "inactive"),
        ("was", "offline"),
        ("is", "online"),
        ("barred", "disabled"),
    ] {
        let got = call(&world, &format!("get&productKey=pk&deviceKey={key}"), json!({})).await;
        assert_eq!(got.data()["status"], status);
        let found = call(&world, "search", json!({"expression": format!("status = '{status}'")})).await;
        let mut listed = got.data().clone();
        listed["latestValues"] = json!(null);
        listed["deviceSecret"] = json!(null);
        assert_eq!(found.data(), &json!([listed]));
    }
    let was = call(&world, "get&productKey=pk&deviceKey=was", json!({})).await;
    assert_eq!(
        (&was.data()["activeTime"], &was.data()["lastOnlineTime"]),
        (&json!(10), &json!(10))
    );
    assert_eq!(was.data()["lastOfflineTime"], 20);
    assert_eq!(
        call(
            &world,
            "search",
            json!({"expression": "status in ('disable', 'online')"})
        )
        .await
        .body["pagination"]["totalSize"],
        2
    );
}

#[tokio::test]
async fn a_device_is_disabled_and_enabled_once() {
    let world = world().await;
    call(&world, "create", device("d1")).await.data();
    let name = "productKey=pk&deviceKey=d1";
    call(&world, &format!("enable&{name}"), json!({}))
        .await
        .fails(200, 11721, "already is enabled");
    assert_eq!(
        call(&world, &format!("disable&{name}"), json!({})).await.data(),
        &Value::Null
    );
    call(&world, &format!("disable&{name}"), json!({}))
        .await
        .fails(200, 11721, "already is disabled");
    call(&world, &format!("enable&{name}"), json!({})).await.data();
}

#[tokio::test]
async fn a_deleted_device_is_gone_and_its_keys_are_free() {
    let world = world().await;
    call(&world, "create", with("assetId", json!("a1"))).await.data();
    call(&world, "delete&assetId=a1", json!({})).await.data();
    call(&world, "get&assetId=a1", json!({}))
        .await
        .fails(200, 99404, "device a1");
    call(&world, "get&productKey=pk&deviceKey=d1", json!({}))
        .await
        .fails(200, 99404, "device pk/d1");
    call(&world, "delete&assetId=a1", json!({}))
        .await
        .fails(200, 99404, "device a1");
    assert_eq!(call(&world, "search", json!({})).await.data(), &json!([]));
    call(&world, "create", device("d1")).await.data();
}

#[tokio::test]
async fn devices_are_counted_by_their_status() {
    let world = world().await;
    for key in ["d1", "d2", "d3"] {
        call(&world, "create", device(key)).await.data();
    }
    call(&world, "disable&productKey=pk&deviceKey=d3", json!({}))
        .await
        .data();
    let expected = json!({
        "totalCount": 3, "onlineCount": 0, "offlineCount": 0, "inactiveCount": 2, "disabledCount": 1
    });
    assert_eq!(call(&world, "getStats", json!({})).await.data(), &expected);
    assert_eq!(
        call(&world, "getStats&productKey=pk", json!({})).await.data(),
        &expected
    );
    call(&world, "getStats&productKey=none", json!({}))
        .await
        .fails(200, 11611, "none");
    call(&world, "getStats&productKey=", json!({}))
        .await
        .fails(200, 99400, "productKey");
}

#[tokio::test]
async fn numbers_in_attributes_keep_every_digit() {
    let world = world().await;
    let body = r#"{"productKey":"pk","timezone":"+00:00","deviceName":{"defaultValue":"d"},"deviceKey":"d1",
        "deviceAttributes":{"free":89860012345678901234,"other":12E4,"small":-0.1234567890123456789}}"#;
    call(&world, "create", serde_json::from_str(body).unwrap()).await.data();
    let shown = call(&world, "get&productKey=pk&deviceKey=d1", json!({})).await;
    assert_eq!(
        shown.data()["deviceAttributes"].to_string(),
        r#"{"free":89860012345678901234,"other":12e+4,"small":-0.1234567890123456789}"#
    );
}

#[tokio::test]
async fn replace_device_is_another_name_of_replace() {
    let world = world().await;
    call(&world, "create", device("d1")).await.data();
    let replaced = call(
        &world,
        "replaceDevice&productKey=pk&deviceKey=d1",
        json!({"newDeviceKey": "d2"}),
    )
    .await;
    assert_eq!(replaced.data()["deviceKey"], "d2");
}

#[tokio::test]
async fn a_replaced_device_has_a_new_key_and_its_session_ends() {
    let world = world().await;
    let created = call(&world, "create", with("assetId", json!("a1"))).await;
    call(&world, "create", device("d2")).await.data();
    let replace = |key: Value| {
        call(
            &world,
            "replace&productKey=pk&deviceKey=d1",
            json!({"newDeviceKey": key}),
        )
    };
    replace(Value::Null)
        .await
        .fails(200, 99400, "newDeviceKey: expected a value");
    replace(json!("a/b"))
        .await
        .fails(200, 99400, "newDeviceKey: expected key without");
    replace(json!("d1")).await.fails(200, 11704, "newDeviceKey: ");
    replace(json!("d2")).await.fails(200, 11702, "d2");
    assert!(world.ended.lock().is_empty());
    let no = number(&world, "d1");
    let expected = json!({"assetId": "a1", "productKey": "pk", "deviceKey": "d3"});
    assert_eq!(replace(json!("d3")).await.data(), &expected);
    call(&world, "get&productKey=pk&deviceKey=d1", json!({}))
        .await
        .fails(200, 99404, "pk/d1");
    let got = call(&world, "get&productKey=pk&deviceKey=d3", json!({})).await;
    assert_eq!(got.data()["deviceSecret"], created.data()["deviceSecret"]);
    // No answer waits for the end of a session: the writer comes to it after the answer.
    let ended = async {
        while world.ended.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), ended)
        .await
        .unwrap();
    assert_eq!(*world.ended.lock(), [no]);
}

#[tokio::test]
async fn v2_4_shows_no_secrets() {
    let world = world().await;
    let v24 = "/connect-service/v2.4/devices?orgId=o1&action=";
    let created = world.post(&format!("{v24}create"), device("d1")).await;
    assert_eq!(created.data()["deviceSecret"], Value::Null);
    assert_eq!(
        world.get(&format!("{v24}get&productKey=pk&deviceKey=d1")).await.data()["deviceSecret"],
        Value::Null
    );
    assert_eq!(
        world.get(&format!("{v24}search")).await.data()[0]["deviceSecret"],
        Value::Null
    );
    let batch = json!({"deviceList": [device("d2")], "requireSecret": true});
    world
        .post(&format!("{v24}batchCreate"), batch)
        .await
        .fails(200, 11858, "requireSecret");
    world
        .post(&format!("{v24}create&requireSecret=true"), device("d2"))
        .await
        .fails(200, 11858, "requireSecret");
    assert_eq!(
        world.get(&format!("{v24}search")).await.body["pagination"]["totalSize"],
        1
    );
}

#[tokio::test]
async fn searches_know_every_documented_field() {
    let world = world().await;
    let mut first = with("assetId", json!("a1"));
    first["deviceAttributes"] = json!({"power": 5});
    first["deviceTags"] = json!({"floor": "3"});
    first["deviceName"] = json!({"defaultValue": "Inverter 2A", "i18nValue": {"zh_CN": "逆变器"}});
    call(&world, "create", first).await.data();
    world.advance_ms(1);
    call(&world, "create", device("d2")).await.data();
    let cases = [
        ("assetId = 'a1'", 1),
        ("productKey in ('pk', 'other')", 2),
        ("deviceKey='d2'", 1),
        ("modelId = 'pump' and productType = 'Device'", 2),
        ("productType = 'Gateway'", 0),
        ("deviceName like 'inverter'", 1),
        ("deviceName.zh_CN like '逆变'", 1),
        ("deviceName.default like '逆变'", 0),
        ("status = 'inactive'", 2),
        ("deviceAttributes.power = 5", 1),
        ("exists(deviceTags.floor)", 1),
        ("not exists(deviceTags.floor)", 1),
        ("deviceTags.floor in ('3', '4') or deviceKey = \"d2\"", 2),
    ];
    for (expression, total) in cases {
        let found = call(&world, "search", json!({"expression": expression})).await;
        found.data();
        assert_eq!(found.body["pagination"]["totalSize"], total, "{expression}");
    }
}
