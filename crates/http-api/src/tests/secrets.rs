//! Who is shown secrets, and how they are replaced.

use aldis_core::ids::DeviceNo;
use aldis_store::DeviceRef;
use aldis_store::rows::Device;
use serde_json::{Value, json};

use super::world::{ADMIN, Answered, Key, OPERATOR, READER, STRANGER, World};
use aldis_app::rotate_secrets::{GRACE_DEFAULT_S, GRACE_MAX_S};

const DEVICES: &str = "/connect-service/v2.1/devices";
const PRODUCTS: &str = "/connect-service/v2.1/products";
const TOPOLOGY: &str = "/connect-service/v2.1/device-topos";
const ROTATE_DEVICE: &str = "/aldis/v1/devices";
const ROTATE_PRODUCT: &str = "/aldis/v1/products";

/// A device `d1` under a gateway `g1`; every secret is `hush-` and something.
async fn world() -> World {
    let world = World::locked().await;
    let create = async |path: &str, body: Value| world.signed(ADMIN, path, "action=create", body).await.data().clone();
    let model = json!({"modelId": "m", "name": {"defaultValue": "M"}});
    create("/model-service/v2.1/thing-models", model).await;
    for (key, kind) in [("pk", "Device"), ("boxes", "Gateway")] {
        let product = json!({"productName": {"defaultValue": key}, "modelId": "m", "productType": kind, "dataFormat": "Json",
            "biDirectionalAuth": false, "productKey": key, "productSecret": format!("hush-{key}")});
        create(PRODUCTS, product).await;
    }
    for (product, key) in [("pk", "d1"), ("boxes", "g1")] {
        let device = json!({"productKey": product, "deviceKey": key, "timezone": "+00:00",
            "deviceName": {"defaultValue": key}, "deviceSecret": format!("hush-{key}")});
        create(DEVICES, device).await;
    }
    let topology = json!({"gateway": {"productKey": "boxes", "deviceKey": "g1"},
        "subDevices": [{"productKey": "pk", "deviceKey": "d1"}]});
    world
        .signed(ADMIN, TOPOLOGY, "action=addSubDevice", topology)
        .await
        .data();
    settle(&world).await;
    world.ended.lock().clear();
    world
}

/// What follows from earlier commits has been done: the writer takes one thing after another.
async fn settle(world: &World) {
    let change = json!({"productDesc": "settled"});
    let query = "action=update&productKey=pk";
    world.signed(ADMIN, PRODUCTS, query, change).await.data();
}

fn device(world: &World) -> Device {
    let keys = [DeviceRef::Keys("pk".into(), "d1".into())];
    world.store().devices(&keys).unwrap().remove(0).unwrap()
}

/// Every action that answers with one device or product, and with a list of them.
fn showing() -> [(&'static str, &'static str, Value, bool); 6] {
    let gateway = json!({"gateway": {"productKey": "boxes", "deviceKey": "g1"}});
    [
        (DEVICES, "get&productKey=pk&deviceKey=d1", json!({}), false),
        (PRODUCTS, "get&productKey=pk", json!({}), false),
        (
            TOPOLOGY,
            "getGateway",
            json!({"subDevice": {"productKey": "pk", "deviceKey": "d1"}}),
            false,
        ),
        (DEVICES, "search", json!({}), true),
        (PRODUCTS, "search", json!({}), true),
        (TOPOLOGY, "searchSubDevice", gateway, true),
    ]
}

async fn shown(world: &World, key: Key, (path, query, body): (&str, &str, &Value), more: &str) -> Answered {
    world
        .signed(key, path, &format!("action={query}{more}"), body.clone())
        .await
}

fn has_secret(answered: &Answered) -> bool {
    answered.data().to_string().contains("hush-")
}

#[tokio::test]
async fn secrets_are_shown_to_operators_and_in_lists_if_they_are_asked_for() {
    let world = world().await;
    for (path, query, body, is_list) in showing() {
        let what = (path, query, &body);
        for key in [ADMIN, OPERATOR] {
            assert_eq!(
                has_secret(&shown(&world, key, what, "").await),
                !is_list,
                "{path} {query}"
            );
            assert!(
                has_secret(&shown(&world, key, what, "&requireSecret=true").await),
                "{path} {query}"
            );
            assert!(
                !has_secret(&shown(&world, key, what, "&requireSecret=false").await),
                "{path} {query}"
            );
            let mut asked = body.clone();
            asked["requireSecret"] = json!(true);
            assert!(
                has_secret(&shown(&world, key, (path, query, &asked), "").await),
                "{path} {query}"
            );
            let unclear = shown(&world, key, what, "&requireSecret=maybe").await;
            unclear.fails(200, 99400, "requireSecret: expected true or false");
        }
    }
}

#[tokio::test]
async fn secrets_are_never_shown_to_readers() {
    let world = world().await;
    for (path, query, body, is_list) in showing() {
        let what = (path, query, &body);
        for more in ["", "&requireSecret=false"] {
            assert!(
                !has_secret(&shown(&world, READER, what, more).await),
                "{path} {query}{more}"
            );
        }
        let asked = shown(&world, READER, what, "&requireSecret=true").await;
        match is_list {
            true => asked.fails(200, 99403, "requireSecret"),
            false => assert!(!has_secret(&asked), "{path} {query}"),
        }
    }
}

#[tokio::test]
async fn a_new_devices_secret_is_shown_unless_it_is_not_wanted() {
    let world = world().await;
    let new = |key: &str| {
        json!({"productKey": "pk", "deviceKey": key, "timezone": "+00:00", "deviceName": {"defaultValue": key},
            "deviceSecret": "hush-new"})
    };
    let register = async |query: &str, body: Value| has_secret(&world.signed(OPERATOR, DEVICES, query, body).await);
    assert!(register("action=create", new("n1")).await);
    assert!(!register("action=create&requireSecret=false", new("n2")).await);
    assert!(register("action=batchCreate", json!({"deviceList": [new("n3")]})).await);
    assert!(
        !register(
            "action=batchCreate",
            json!({"deviceList": [new("n4")], "requireSecret": false})
        )
        .await
    );
}

async fn rotate(world: &World, key: Key, path: &str, body: Value) -> Answered {
    let query = match path {
        ROTATE_DEVICE => "action=rotateSecret&productKey=pk&deviceKey=d1",
        _ => "action=rotateSecret&productKey=pk",
    };
    world.signed(key, path, query, body).await
}

#[tokio::test]
async fn a_rotated_device_secret_leaves_the_one_before_good_for_its_grace() {
    let world = world().await;
    let answered = rotate(&world, OPERATOR, ROTATE_DEVICE, json!({})).await;
    let (rotated, now) = (answered.data(), world.now());
    assert_eq!(rotated["formerSecretUntil"], now + GRACE_DEFAULT_S * 1000);
    assert_eq!(
        (&rotated["productKey"], &rotated["deviceKey"]),
        (&json!("pk"), &json!("d1"))
    );
    let stored = device(&world);
    assert_eq!(rotated["deviceSecret"], **stored.is.secret);
    assert_eq!(stored.is.secret.len(), 32);
    let until = stored.former_secret.unwrap();
    assert_eq!(
        (until.secret.as_str(), until.until.0),
        ("hush-d1", now + GRACE_DEFAULT_S * 1000)
    );
    settle(&world).await;
    assert!(world.ended.lock().is_empty(), "its session goes on");

    let own = json!({"deviceSecret": "own", "graceSeconds": 60});
    let answered = rotate(&world, ADMIN, ROTATE_DEVICE, own).await;
    assert_eq!(answered.data()["deviceSecret"], "own");
    assert_eq!(answered.data()["formerSecretUntil"], world.now() + 60_000);
}

#[tokio::test]
async fn a_rotation_without_a_grace_ends_the_session() {
    let world = world().await;
    let answered = rotate(&world, OPERATOR, ROTATE_DEVICE, json!({"graceSeconds": 0})).await;
    assert_eq!(answered.data()["formerSecretUntil"], Value::Null);
    assert_eq!(device(&world).former_secret, None);
    settle(&world).await;
    assert_eq!(*world.ended.lock(), [DeviceNo(1)]);
}

#[tokio::test]
async fn a_rotated_product_secret_leaves_the_one_before_good_for_its_grace() {
    let world = world().await;
    let answered = rotate(&world, OPERATOR, ROTATE_PRODUCT, json!({"graceSeconds": 5})).await;
    let until = world.now() + 5_000;
    assert_eq!(answered.data()["formerSecretUntil"], until);
    let product = world.store().product(&"pk".into()).unwrap().unwrap();
    assert_eq!(answered.data()["productSecret"], **product.secret);
    let former = product.former_secret.unwrap();
    assert_eq!((former.secret.as_str(), former.until.0), ("hush-pk", until));
    let at_once = json!({"graceSeconds": 0, "productSecret": "own"});
    assert_eq!(
        rotate(&world, OPERATOR, ROTATE_PRODUCT, at_once).await.data()["productSecret"],
        "own"
    );
    let product = world.store().product(&"pk".into()).unwrap().unwrap();
    assert_eq!((product.secret.as_str(), product.former_secret), ("own", None));
}

#[tokio::test]
async fn a_rotation_is_refused_with_the_field_that_is_wrong() {
    let world = world().await;
    for (path, field, missing) in [
        (ROTATE_DEVICE, "deviceSecret", 99404),
        (ROTATE_PRODUCT, "productSecret", 11651),
    ] {
        for grace in [
            json!(-1),
            json!(GRACE_MAX_S + 1),
            json!("soon"),
            json!(1.5),
            json!(true),
        ] {
            let answered = rotate(&world, OPERATOR, path, json!({"graceSeconds": grace})).await;
            answered.fails(200, 99400, "graceSeconds");
        }
        let answered = rotate(&world, OPERATOR, path, json!({(field): "a\nb"})).await;
        answered.fails(200, 99400, field);
        rotate(&world, READER, path, json!({}))
            .await
            .fails(200, 99403, "rotateSecret");
        let answered = rotate(&world, STRANGER, path, json!({})).await;
        assert_eq!(answered.body["code"], missing, "{}", answered.body);
    }
    assert_eq!(*device(&world).is.secret, "hush-d1");
    let product = world.store().product(&"pk".into()).unwrap().unwrap();
    assert_eq!(*product.secret, "hush-pk");
}

#[tokio::test]
async fn gateways_register_no_gateways() {
    let world = world().await;
    let open = json!({"gatewayRegisterEnabled": true});
    let update = async |key: &str| {
        let query = format!("action=update&productKey={key}");
        world.signed(OPERATOR, PRODUCTS, &query, open.clone()).await
    };
    update("boxes").await.fails(200, 99400, "gatewayRegisterEnabled");
    update("none").await.fails(200, 11651, "none");
    update("pk").await.data();
    let got = world
        .signed(READER, PRODUCTS, "action=get&productKey=pk", json!({}))
        .await;
    assert_eq!(got.data()["gatewayRegisterEnabled"], true);
    let product = json!({"productName": {"defaultValue": "n"}, "modelId": "m", "productType": "Gateway", "dataFormat": "Json",
        "biDirectionalAuth": false, "gatewayRegisterEnabled": true});
    let created = world.signed(OPERATOR, PRODUCTS, "action=create", product).await;
    created.fails(200, 99400, "gatewayRegisterEnabled");
}
