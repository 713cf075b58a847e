//! Thing models over the API; their own rules are tested where they live, in the core.

use serde_json::{Value, json};

use super::world::{Answered, World};

const PATH: &str = "/model-service/v2.1/thing-models";

async fn call(world: &World, query: &str, body: Value) -> Answered {
    world.post(&format!("{PATH}?orgId=o1&action={query}"), body).await
}

fn model() -> Value {
    json!({
        "modelId": "pump", "name": {"defaultValue": "Pump", "i18nValue": {"zh_CN": "泵"}}, "tags": {"line": "7"},
        "measurepoints": {"speed": {"identifier": "speed", "name": {"defaultValue": "Speed"}, "dataType": "DOUBLE"}},
        "services": {"speedup": {"identifier": "speedup", "name": {"defaultValue": "Speed up"},
            "inputData": [{"identifier": "delta", "name": {"defaultValue": "Delta"}, "dataType": "INT"}]}},
    })
}

#[tokio::test]
async fn a_model_is_given_back_in_the_documented_shape() {
    let world = World::open().await;
    assert_eq!(call(&world, "create", model()).await.data(), &json!("pump"));
    let got = call(&world, "get&modelId=pump&scope=1", json!({})).await;
    let data = got.data();
    assert_eq!(data["orgId"], "o1");
    assert_eq!(data["modelIdPath"], "/pump");
    assert_eq!(data["name"], model()["name"]);
    assert_eq!(data["services"]["speedup"]["inputData"][0]["identifier"], "delta");
    for field in ["desc", "category", "attributes", "events"] {
        assert!(data.get(field).is_some(), "{field}");
    }
    let found = call(
        &world,
        "search",
        json!({"expression": "modelId like 'PUM' and name like '泵' and tags.line = '7'"}),
    )
    .await;
    assert_eq!(found.data(), &json!([data]));
}

#[tokio::test]
async fn a_model_that_breaks_a_rule_is_refused_with_the_place() {
    let world = World::open().await;
    let mut broken = model();
    broken["services"]["speedup"]["inputData"][0]["dataType"] = json!("COLOR");
    call(&world, "create", broken)
        .await
        .fails(200, 99400, "services.speedup.inputData[0].dataType");
    call(&world, "create", json!({"modelId": "m"}))
        .await
        .fails(200, 99400, "name");
    call(&world, "create", json!({"name": {"defaultValue": "n"}}))
        .await
        .fails(200, 99400, "modelId");
    call(&world, "get&modelId=pump", json!({}))
        .await
        .fails(200, 99404, "thing model pump does not exist");
    call(&world, "create", model()).await.data();
    call(&world, "create", model())
        .await
        .fails(200, 99400, "modelId: expected value that is not in use");
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let world = World::open().await;
    call(&world, "create", model()).await.data();
    let patch = json!({"desc": "for water", "services": {"stop": {"identifier": "stop", "name": {"defaultValue": "Stop"}}, "speedup": null}});
    assert_eq!(call(&world, "update&modelId=pump", patch).await.data(), &Value::Null);
    let got = call(&world, "get&modelId=pump", json!({})).await;
    assert_eq!(got.data()["desc"], "for water");
    assert_eq!(
        got.data()["services"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["stop"]
    );
    assert!(got.data()["measurepoints"]["speed"].is_object());
    call(&world, "update", json!({"modelId": "pump", "desc": "by the body"}))
        .await
        .data();
    call(&world, "update&modelId=pump", json!({"name": {}}))
        .await
        .fails(200, 99400, "name.defaultValue");
    call(&world, "update&modelId=other", json!({}))
        .await
        .fails(200, 99404, "other");
    call(&world, "update", json!({}))
        .await
        .fails(200, 99400, "modelId: expected a value");
}

#[tokio::test]
async fn a_model_that_a_product_has_stays() {
    let world = World::open().await;
    call(&world, "create", model()).await.data();
    let product = json!({"productName": {"defaultValue": "P"}, "modelId": "pump", "productType": "Device",
        "dataFormat": "Json", "biDirectionalAuth": false, "productKey": "pk"});
    world
        .post("/connect-service/v2.1/products?action=create&orgId=o1", product)
        .await
        .data();
    call(&world, "delete&modelId=pump", json!({})).await.fails(
        200,
        99400,
        "modelId: expected thing model without products",
    );
    world
        .post(
            "/connect-service/v2.1/products?action=delete&orgId=o1&productKey=pk",
            json!({}),
        )
        .await
        .data();
    assert_eq!(
        call(&world, "delete&modelId=pump", json!({})).await.data(),
        &Value::Null
    );
    call(&world, "delete&modelId=pump", json!({}))
        .await
        .fails(200, 99404, "pump");
    let actions = world.actions("o1", "pump");
    let verbs: Vec<&str> = actions.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["model.create", "model.delete"]);
}

#[tokio::test]
async fn model_that_is_too_large_is_refused() {
    let world = World::open().await;
    call(&world, "create", model()).await.data();
    let many = |count: usize| -> Value {
        let point = |n: usize| {
            let id = format!("point{n}");
            let definition = json!({"identifier": id, "name": {"defaultValue": "x".repeat(100)}, "dataType": "INT"});
            (id, definition)
        };
        json!({"measurepoints": (0..count).map(point).collect::<serde_json::Map<_, _>>()})
    };
    let expected = "body: expected thing model of at most 262144 bytes of JSON";
    call(&world, "update&modelId=pump", many(2000))
        .await
        .fails(200, 99400, expected);
    let mut large = many(2000);
    large["modelId"] = json!("large");
    large["name"] = json!({"defaultValue": "Large"});
    call(&world, "create", large).await.fails(200, 99400, expected);
    call(&world, "get&modelId=large", json!({}))
        .await
        .fails(200, 99404, "large");
    call(&world, "update&modelId=pump", many(500)).await.data();
}
