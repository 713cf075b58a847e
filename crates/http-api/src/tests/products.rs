//! Products over the API.

use serde_json::{Value, json};

use super::world::{ADMIN, Answered, STRANGER, World};

const PATH: &str = "/connect-service/v2.1/products";

async fn call(world: &World, query: &str, body: Value) -> Answered {
    world.post(&format!("{PATH}?orgId=o1&action={query}"), body).await
}

fn product() -> Value {
    json!({"productName": {"defaultValue": "Pumps"}, "modelId": "pump", "productType": "Device", "dataFormat": "Json", "biDirectionalAuth": false})
}

fn with(field: &str, value: Value) -> Value {
    let mut product = product();
    product[field] = value;
    product
}

async fn world() -> World {
    let world = World::open().await;
    let model = json!({"modelId": "pump", "name": {"defaultValue": "Pump"}});
    world
        .post("/model-service/v2.1/thing-models?action=create&orgId=o1", model)
        .await
        .data();
    world
}

#[tokio::test]
async fn a_product_is_given_back_with_all_its_fields() {
    let world = world().await;
    let created = call(&world, "create", product()).await;
    let key = created.data().as_str().unwrap();
    assert_eq!(key.len(), 8);
    let got = call(&world, &format!("get&productKey={key}"), json!({})).await;
    let secret = got.data()["productSecret"].as_str().unwrap();
    assert_eq!(secret.len(), 32);
    let now = world.now();
    let expected = json!({
        "orgId": "o1", "productKey": key, "productName": {"defaultValue": "Pumps", "i18nValue": {}}, "productSecret": secret,
        "productDesc": "", "productType": "Device", "dataFormat": "Json", "productTags": {}, "modelId": "pump",
        "dynamicActivateEnabled": false, "gatewayRegisterEnabled": false, "biDirectionalAuth": false, "commandQos": 1, "createTime": now, "createBy": null,
        "updateTime": now, "updateBy": null, "defaultValidDay": null, "maxValidDay": null,
    });
    assert_eq!(got.data(), &expected);
    let found = call(
        &world,
        "search",
        json!({"expression": format!("productKey in ('{key}') and productName like 'PUMP'")}),
    )
    .await;
    let mut listed = expected;
    listed["productSecret"] = Value::Null;
    assert_eq!(found.data(), &json!([listed]));
}

#[tokio::test]
async fn own_keys_and_secrets_are_kept() {
    let world = world().await;
    let mut own = with("productKey", json!("burnt-in"));
    own["productSecret"] = json!("s3cret");
    assert_eq!(call(&world, "create", own.clone()).await.data(), &json!("burnt-in"));
    assert_eq!(
        call(&world, "get&productKey=burnt-in", json!({})).await.data()["productSecret"],
        "s3cret"
    );
    call(&world, "create", own.clone())
        .await
        .fails(200, 99400, "productKey: expected value that is not in use");
    let model = json!({"modelId": "pump", "name": {"defaultValue": "Pump"}});
    world
        .post("/model-service/v2.1/thing-models?action=create&orgId=o2", model)
        .await
        .data();
    let elsewhere = world.post(&format!("{PATH}?orgId=o2&action=create"), own).await;
    elsewhere.fails(200, 99400, "productKey: expected value that is not in use");
}

#[tokio::test]
async fn every_field_of_a_new_product_is_checked() {
    let world = world().await;
    let cases = [
        (
            with("productName", Value::Null),
            99400,
            "productName: expected a value, found nothing",
        ),
        (
            with("productName", json!({})),
            99400,
            "productName.defaultValue: expected a value, found nothing",
        ),
        (
            with("productName", json!({"defaultValue": ""})),
            99400,
            "productName.defaultValue",
        ),
        (
            with("productName", json!({"defaultValue": "x".repeat(129)})),
            99400,
            "productName.defaultValue: expected text of at most 128",
        ),
        (
            with("productName", json!({"defaultValue": "x", "i18nValue": {"zh-CN": "x"}})),
            99400,
            "productName.i18nValue.zh-CN",
        ),
        (
            with("productName", json!("x")),
            99400,
            "productName: expected object, found \"x\"",
        ),
        (with("modelId", Value::Null), 99400, "modelId: expected a value"),
        (with("modelId", json!(5)), 99400, "modelId: expected text, found 5"),
        (with("modelId", json!("other")), 11699, "other"),
        (
            with("productType", json!("Thing")),
            99400,
            "productType: expected Device or Gateway, found \"Thing\"",
        ),
        (
            with("dataFormat", json!("Xml")),
            99400,
            "dataFormat: expected Custom or Json, found \"Xml\"",
        ),
        (with("dataFormat", Value::Null), 99400, "dataFormat: expected a value"),
        (
            with("biDirectionalAuth", Value::Null),
            99400,
            "biDirectionalAuth: expected a value",
        ),
        (
            with("biDirectionalAuth", json!("no")),
            99400,
            "biDirectionalAuth: expected true or false, found \"no\"",
        ),
        (
            with("productDesc", json!("x".repeat(1025))),
            99400,
            "productDesc: expected text of at most 1024",
        ),
        (
            with("productTags", json!({"a b": "x"})),
            99400,
            "productTags.a b: expected key of 1 to 49",
        ),
        (
            with("productTags", json!([])),
            99400,
            "productTags: expected object of texts",
        ),
        (
            with("dynamicActivateEnabled", json!(1)),
            99400,
            "dynamicActivateEnabled: expected true or false",
        ),
        (
            with("productKey", json!("a/b")),
            99400,
            "productKey: expected key without",
        ),
        (with("productKey", json!("")), 99400, "productKey"),
        (with("productKey", json!("x".repeat(21))), 99400, "productKey"),
        (with("productSecret", json!("a\nb")), 99400, "productSecret"),
    ];
    for (body, code, part) in cases {
        call(&world, "create", body).await.fails(200, code, part);
    }
    assert_eq!(
        call(&world, "search", json!({})).await.body["pagination"]["totalSize"],
        0,
        "something was left behind"
    );
    call(&world, "create", with("productType", json!("gateway")))
        .await
        .data();
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let world = world().await;
    let mut first = with("productKey", json!("pk"));
    first["productTags"] = json!({"floor": "1"});
    call(&world, "create", first).await.data();
    world.advance_ms(1000);
    let change = json!({"productName": {"defaultValue": "New"}, "productDesc": "d", "modelId": "ignored"});
    assert_eq!(call(&world, "update&productKey=pk", change).await.data(), &Value::Null);
    let got = call(&world, "get&productKey=pk", json!({})).await;
    assert_eq!(got.data()["productName"]["defaultValue"], "New");
    assert_eq!(
        (&got.data()["productDesc"], &got.data()["productTags"]),
        (&json!("d"), &json!({"floor": "1"}))
    );
    assert_eq!(
        (&got.data()["modelId"], &got.data()["updateTime"]),
        (&json!("pump"), &json!(world.now()))
    );
    let name = got.data()["productName"].clone();
    call(&world, "update&productKey=pk", json!({"productDesc": "x"}))
        .await
        .data();
    let got = call(&world, "get&productKey=pk", json!({})).await;
    assert_eq!(got.data()["productName"], name, "the name stays");
    assert_eq!(got.data()["productDesc"], "x");
    call(&world, "update&productKey=pk&isPatchUpdate=false", json!({}))
        .await
        .fails(200, 99400, "productName");
    call(
        &world,
        "update&productKey=pk&isPatchUpdate=false",
        json!({"productName": name}),
    )
    .await
    .data();
    let got = call(&world, "get&productKey=pk", json!({})).await;
    assert_eq!(
        (&got.data()["productDesc"], &got.data()["productTags"]),
        (&json!(""), &json!({}))
    );
    call(&world, "update&productKey=pk", json!({"productName": {}}))
        .await
        .fails(200, 99400, "productName.defaultValue");
    call(
        &world,
        "update&productKey=other",
        json!({"productName": {"defaultValue": "x"}}),
    )
    .await
    .fails(200, 11651, "other");
    call(&world, "update", json!({"productName": {"defaultValue": "x"}}))
        .await
        .fails(200, 99400, "productKey");
}

#[tokio::test]
async fn a_product_with_devices_stays() {
    let world = world().await;
    call(&world, "create", with("productKey", json!("pk"))).await.data();
    let device = json!({"productKey": "pk", "deviceKey": "dk", "timezone": "UTC", "deviceName": {"defaultValue": "d"}});
    world
        .post("/connect-service/v2.1/devices?orgId=o1&action=create", device)
        .await
        .data();
    call(&world, "delete&productKey=pk", json!({}))
        .await
        .fails(200, 11619, "pk");
    world
        .post(
            "/connect-service/v2.1/devices?orgId=o1&action=delete&productKey=pk&deviceKey=dk",
            json!({}),
        )
        .await
        .data();
    call(&world, "delete&productKey=pk", json!({})).await.data();
    call(&world, "delete&productKey=pk", json!({}))
        .await
        .fails(200, 99404, "pk");
    call(&world, "get&productKey=pk", json!({}))
        .await
        .fails(200, 11611, "pk");
}

#[tokio::test]
async fn v2_4_shows_no_secrets() {
    let world = world().await;
    call(&world, "create", with("productKey", json!("pk"))).await.data();
    let v24 = "/connect-service/v2.4/products?orgId=o1&action=";
    assert_eq!(
        world.get(&format!("{v24}get&productKey=pk")).await.data()["productSecret"],
        Value::Null
    );
    assert_eq!(
        world.get(&format!("{v24}search")).await.data()[0]["productSecret"],
        Value::Null
    );
    world
        .get(&format!("{v24}get&productKey=pk&requireSecret=true"))
        .await
        .fails(200, 11858, "requireSecret");
    world
        .post(&format!("{v24}get&productKey=pk"), json!({"requireSecret": true}))
        .await
        .fails(200, 11858, "requireSecret");
    world
        .post(&format!("{v24}create"), product())
        .await
        .fails(200, 99400, "action: expected one of get, search");
}

#[tokio::test]
async fn a_product_belongs_to_its_organization_and_remembers_its_makers() {
    let world = World::locked().await;
    let model = json!({"modelId": "pump", "name": {"defaultValue": "Pump"}});
    world
        .signed(ADMIN, "/model-service/v2.1/thing-models", "action=create", model)
        .await
        .data();
    world
        .signed(ADMIN, PATH, "action=create", with("productKey", json!("pk")))
        .await
        .data();
    let got = world.signed(ADMIN, PATH, "action=get&productKey=pk", json!({})).await;
    assert_eq!(got.data()["createBy"], ADMIN.app_key);
    world
        .signed(STRANGER, PATH, "action=get&productKey=pk", json!({}))
        .await
        .fails(200, 11611, "pk");
    world
        .signed(
            STRANGER,
            PATH,
            "action=update&productKey=pk",
            json!({"productName": {"defaultValue": "x"}}),
        )
        .await
        .fails(200, 11651, "pk");
    world
        .signed(STRANGER, PATH, "action=delete&productKey=pk", json!({}))
        .await
        .fails(200, 99404, "pk");
    assert_eq!(
        world.signed(STRANGER, PATH, "action=search", json!({})).await.data(),
        &json!([])
    );
}
