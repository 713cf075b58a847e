//! What was done is read back by those who may.

use serde_json::{Value, json};

use super::world::{ADMIN, Answered, Key, OPERATOR, READER, STRANGER, World};

const AUDIT: &str = "/aldis/v1/audit";
const MODELS: &str = "/model-service/v2.1/thing-models";

/// An administrator makes two thing models, an operator changes one of them ten seconds later.
async fn world() -> World {
    let world = World::locked().await;
    for id in ["m1", "m2"] {
        let model = json!({"modelId": id, "name": {"defaultValue": id}});
        world.signed(ADMIN, MODELS, "action=create", model).await.data();
    }
    world.advance_ms(10_000);
    let change = json!({"desc": "changed"});
    world
        .signed(OPERATOR, MODELS, "action=update&modelId=m1", change)
        .await
        .data();
    world
}

async fn search(world: &World, key: Key, more: &str, body: Value) -> Answered {
    world.signed(key, AUDIT, &format!("action=search{more}"), body).await
}

fn done(answered: &Answered) -> Vec<String> {
    let records = answered.data().as_array().unwrap();
    let text = |record: &Value| {
        format!(
            "{} {}",
            record["action"].as_str().unwrap(),
            record["object"].as_str().unwrap()
        )
    };
    records.iter().map(text).collect()
}

#[tokio::test]
async fn a_record_says_who_did_what_to_what_and_when() {
    let world = world().await;
    let model = json!({"modelId": "m3", "name": {"defaultValue": "n"}});
    let created = world.signed(OPERATOR, MODELS, "action=create", model).await;
    let at = world.now();
    let body = json!({"object": "m3"});
    let found = search(&world, READER, "", body).await;
    let expected = json!([{"id": "4", "timestamp": at, "orgId": "o1", "appKey": OPERATOR.app_key, "address": null,
        "requestId": created.body["requestId"], "action": "model.create", "object": "m3"}]);
    assert_eq!(found.data(), &expected);
    assert_eq!(found.body["pagination"]["totalSize"], 1);
}

#[tokio::test]
async fn records_are_found_by_time_action_key_and_object_newest_first() {
    let world = world().await;
    let later = world.now() - 5_000;
    let cases = [
        (json!({}), vec!["model.update m1", "model.create m2", "model.create m1"]),
        (
            json!({"action": "model.create"}),
            vec!["model.create m2", "model.create m1"],
        ),
        (json!({"appKey": OPERATOR.app_key}), vec!["model.update m1"]),
        (json!({"object": "m1"}), vec!["model.update m1", "model.create m1"]),
        (json!({"from": later}), vec!["model.update m1"]),
        (json!({"to": later}), vec!["model.create m2", "model.create m1"]),
        (
            json!({"object": "m1", "action": "model.create"}),
            vec!["model.create m1"],
        ),
        (json!({"object": "unknown"}), vec![]),
        (
            json!({"pagination": {"pageNo": 2, "pageSize": 1}}),
            vec!["model.create m2"],
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(
            done(&search(&world, READER, "", body.clone()).await),
            expected,
            "{body}"
        );
    }
}

#[tokio::test]
async fn records_of_another_organization_are_for_administrators() {
    let world = world().await;
    let model = json!({"modelId": "theirs", "name": {"defaultValue": "n"}});
    world.signed(STRANGER, MODELS, "action=create", model).await.data();
    assert_eq!(
        done(&search(&world, STRANGER, "", json!({})).await),
        ["model.create theirs"]
    );
    let theirs = search(&world, ADMIN, "&organization=o2", json!({})).await;
    assert_eq!(done(&theirs), ["model.create theirs"]);
    for key in [OPERATOR, READER] {
        let refused = search(&world, key, "&organization=o2", json!({})).await;
        refused.fails(200, 99403, "organization");
        assert_eq!(done(&search(&world, key, "&organization=o1", json!({})).await).len(), 3);
    }
}

#[tokio::test]
async fn a_search_for_records_that_makes_no_sense_names_the_field() {
    let world = world().await;
    for (body, field) in [
        (
            json!({"from": 1_700_000_000}),
            "from: expected a moment in epoch milliseconds (not seconds)",
        ),
        (json!({"to": 1}), "to: expected a moment in epoch milliseconds"),
        (json!({"from": "yesterday"}), "from"),
        (json!({"to": 1.5}), "to"),
        (json!({"object": 5}), "object"),
        (json!({"expression": "object = 'm1'"}), "expression"),
        (json!({"pagination": {"pageSize": 1001}}), "pagination.pageSize"),
    ] {
        search(&world, READER, "", body).await.fails(200, 99400, field);
    }
}
