//! The API's own description.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::world::{ADMIN, World};
use crate::entry::TABLE;

#[tokio::test]
async fn every_action_is_described_and_every_reference_leads_somewhere() {
    let document = World::locked().await.get("/openapi.json").await.body;
    assert_eq!(document["openapi"], "3.1.0");
    let described: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected: BTreeSet<String> = ["get", "refresh"]
        .map(|last| format!("/apim-token-service/v2.0/token/{last}"))
        .into();
    expected.extend(["/openapi.json", "/health", "/health/live", "/health/ready"].map(str::to_owned));
    for action in &TABLE.actions {
        for path in action.paths {
            expected.extend(action.names.iter().map(|name| format!("{path}?action={name}")));
        }
    }
    assert_eq!(described, expected.iter().map(String::as_str).collect());
    let schemas: BTreeSet<String> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
        .map(|name| format!("#/components/schemas/{name}"))
        .collect();
    let mut references = BTreeSet::new();
    collect(&document, "$ref", &mut references);
    assert!(
        references.contains("#/components/schemas/Device") && references.contains("#/components/schemas/CreateDevice")
    );
    assert_eq!(
        references.difference(&schemas).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[tokio::test]
async fn operation_ids_are_unique() {
    let document = World::locked().await.get("/openapi.json").await.body;
    let operations = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<&str> = operations
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len());
    assert!(ids.len() > 60);
}

#[tokio::test]
async fn every_code_is_told() {
    let document = World::locked().await.get("/openapi.json").await.body;
    let text = document["info"]["description"].as_str().unwrap();
    for code in ["401", "1203", "11900", "24404", "24621", "99400", "99500"] {
        assert!(text.contains(&format!("\n| {code} | ")), "{code}");
    }
}

/// What the examples about gateways name.
async fn register_a_gateway(world: &World) {
    let name = json!({"defaultValue": "Box"});
    for (path, body) in [
        (
            "/model-service/v2.1/thing-models",
            json!({"modelId": "box", "name": name}),
        ),
        (
            "/connect-service/v2.1/products",
            json!({"productKey": "boxes", "productName": name, "modelId": "box", "productType": "Gateway",
                "dataFormat": "Json", "biDirectionalAuth": false}),
        ),
        (
            "/connect-service/v2.1/devices",
            json!({"productKey": "boxes", "deviceKey": "box-1", "timezone": "+00:00", "deviceName": name}),
        ),
    ] {
        world.post(&format!("{path}?action=create&orgId=o1"), body).await.data();
    }
}

#[tokio::test]
async fn every_body_has_an_example_that_the_server_accepts() {
    let world = World::open().await;
    let document = world.get("/openapi.json").await.body;
    let mut tried = BTreeSet::new();
    register_a_gateway(&world).await;
    // In an order in which each finds what it needs.
    for action in [
        "/model-service/v2.1/thing-models?action=create",
        "/model-service/v2.1/thing-models?action=update&modelId=turbine",
        "/connect-service/v2.1/products?action=create",
        "/connect-service/v2.1/products?action=update&productKey=turbines",
        "/connect-service/v2.1/devices?action=create",
        "/connect-service/v2.1/devices?action=batchCreate",
        "/connect-service/v2.1/devices?action=update&productKey=turbines&deviceKey=north-7",
        "/connect-service/v2.1/devices?action=replace&productKey=turbines&deviceKey=north-7",
        "/connect-service/v2.1/device-topos?action=addSubDevice",
        "/connect-service/v2.1/device-topos?action=searchSubDevice",
        "/connect-service/v2.1/device-topos?action=getGateway",
        "/connect-service/v2.1/measurepoints?action=queryLatest&productKey=turbines&deviceKey=north-9",
        "/connect-service/v2.5/commands?action=searchTask",
        "/aldis/v1/devices?action=rotateSecret&productKey=turbines&deviceKey=north-9",
        "/aldis/v1/products?action=rotateSecret&productKey=turbines",
        "/aldis/v1/audit?action=search",
        "/aldis/v1/organizations?action=create",
        "/aldis/v1/keys?action=create",
    ] {
        let path = action.split('&').next().unwrap();
        let name = body_of(&document["paths"][path]["post"]).unwrap();
        let example = document["components"]["schemas"][&name]["example"].clone();
        let answered = match action.starts_with("/aldis/") {
            true => {
                let (path, query) = action.split_once('?').unwrap();
                world.signed(ADMIN, path, query, example).await
            }
            false => world.post(&format!("{action}&orgId=o1"), example).await,
        };
        answered.data();
        tried.insert(name);
    }
    // All but the third have tests of their own; ids of tasks cannot be known beforehand.
    tried.extend(
        [
            "CreateJob",
            "TokenRequest",
            "TaskIds",
            "InvokeServiceRequest",
            "SetMeasurepointRequest",
        ]
        .map(str::to_owned),
    );
    let operations = document["paths"].as_object().unwrap().values();
    let bodies: BTreeSet<String> = operations.filter_map(|item| body_of(&item["post"])).collect();
    assert_eq!(bodies, tried);
    for name in bodies {
        assert_ne!(
            document["components"]["schemas"][&name]["example"],
            Value::Null,
            "{name}"
        );
    }
}

fn body_of(operation: &Value) -> Option<String> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    Some(schema.as_str()?.rsplit('/').next()?.to_owned())
}

fn collect(value: &Value, field: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(field).and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, field, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect(value, field, found)),
        _ => {}
    }
}
