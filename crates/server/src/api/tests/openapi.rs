//! The API's own description.

use std::collections::BTreeSet;

use serde_json::Value;

use super::world::World;
use crate::api::entry::TABLE;

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
