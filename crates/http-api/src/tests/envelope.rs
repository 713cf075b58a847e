//! What holds for every request, whatever it is about.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::world::World;
use crate::{BYTES_MAX, PAGE_SIZE_MAX};

const MODELS: &str = "/model-service/v2.1/thing-models";

#[tokio::test]
async fn an_answer_has_exactly_the_fields_of_the_envelope() {
    let world = World::open().await;
    let created = world
        .post(
            &format!("{MODELS}?action=create&orgId=o1"),
            json!({"modelId": "m", "name": {"defaultValue": "n"}}),
        )
        .await;
    assert_eq!(created.data(), &json!("m"));
    assert_eq!(created.body.as_object().unwrap().len(), 4);
    assert_eq!(created.body["msg"], "OK");
    let found = world.post(&format!("{MODELS}?action=search&orgId=o1"), json!({})).await;
    assert_eq!(
        found.body["pagination"],
        json!({"pageNo": 1, "pageSize": 10, "totalSize": 1, "sortedBy": null})
    );
}

#[tokio::test]
async fn unknown_paths_actions_and_methods_are_told_apart() {
    let world = World::open().await;
    world.get("/nowhere").await.fails(404, 404, "/nowhere");
    world.get("/").await.fails(404, 404, "no such path: /");
    world
        .get(&format!("{MODELS}?orgId=o1"))
        .await
        .fails(200, 99400, "action: expected one of create, get, ");
    world
        .get(&format!("{MODELS}?action=&orgId=o1"))
        .await
        .fails(200, 99400, "found nothing");
    world
        .get(&format!("{MODELS}?action=fly&orgId=o1"))
        .await
        .fails(200, 99400, "found \"fly\"");
    world
        .get(&format!("{MODELS}?action=create&orgId=o1"))
        .await
        .fails(405, 405, "expected POST, found GET");
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let request = Request::builder()
            .method(method)
            .uri(format!("{MODELS}?action=get&orgId=o1"));
        world
            .send(request.body(Body::empty()).unwrap())
            .await
            .fails(405, 405, "expected GET, POST");
    }
    world.post("/openapi.json", json!({})).await.fails(405, 405, "GET");
}

#[tokio::test]
async fn slashes_in_a_row_lead_to_the_same_place() {
    let world = World::open().await;
    world
        .get("/model-service//v2.1///thing-models/?action=search&orgId=o1")
        .await
        .data();
    world
        .get("//model-service/v2.2/thing-models?action=search&orgId=o1")
        .await
        .data();
}

#[tokio::test]
async fn reading_actions_take_get_and_post() {
    let world = World::open().await;
    world.get(&format!("{MODELS}?action=search&orgId=o1")).await.data();
    world
        .post_bytes(&format!("{MODELS}?action=search&orgId=o1"), "")
        .await
        .data();
    let by_get =
        Request::get(format!("{MODELS}?action=search&orgId=o1")).body(Body::from(r#"{"pagination":{"pageSize":3}}"#));
    assert_eq!(world.send(by_get.unwrap()).await.body["pagination"]["pageSize"], 3);
}

#[tokio::test]
async fn malformed_bodies_are_refused_with_400_and_leave_nothing() {
    let world = World::open().await;
    let target = format!("{MODELS}?action=create&orgId=o1");
    let deep = format!("{}{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let bodies: [(&[u8], &str); 6] = [
        (b"nonsense", "expected JSON in UTF-8"),
        (b"{\"modelId\":\"m\",\"name\":", "expected JSON in UTF-8"),
        (b"{\"modelId\":\"m\"} trailing", "expected JSON in UTF-8"),
        (b"{\"modelId\":\"\xff\"}", "expected JSON in UTF-8"),
        (&b"[".repeat(10_000), "at most 64 nested"),
        (deep.as_bytes(), "at most 64 nested"),
    ];
    for (body, part) in bodies {
        world.post_bytes(&target, body.to_vec()).await.fails(400, 99400, part);
    }
    for (body, part) in [
        ("[]", "body: expected object"),
        ("5", "body"),
        ("null", "body"),
        ("\"x\"", "body"),
    ] {
        world
            .post_bytes(&format!("{MODELS}?action=search&orgId=o1"), body)
            .await
            .fails(200, 99400, part);
    }
    assert_eq!(
        world.get(&format!("{MODELS}?action=search&orgId=o1")).await.body["pagination"]["totalSize"],
        0
    );
}

#[tokio::test]
async fn a_body_of_more_than_4_mib_is_refused_with_413() {
    let world = World::open().await;
    let target = format!("{MODELS}?action=search&orgId=o1");
    let fits = format!("{}{{}}", " ".repeat(BYTES_MAX - 2));
    world.post_bytes(&target, fits).await.data();
    world
        .post_bytes(&target, " ".repeat(BYTES_MAX + 1))
        .await
        .fails(413, 413, "at most 4194304 bytes");
}

#[tokio::test]
async fn pages_outside_their_limits_are_refused_and_size_0_asks_for_the_total() {
    let world = World::open().await;
    let target = format!("{MODELS}?action=search&orgId=o1");
    for id in ["a", "b", "c"] {
        world
            .post(
                &format!("{MODELS}?action=create&orgId=o1"),
                json!({"modelId": id, "name": {"defaultValue": id}}),
            )
            .await
            .data();
        world.advance_ms(1);
    }
    let cases: [(Value, Result<usize, &str>); 11] = [
        (json!({}), Ok(3)),
        (json!(null), Ok(3)),
        (json!({"pageNo": 2, "pageSize": 2}), Ok(1)),
        (json!({"pageNo": 9, "pageSize": PAGE_SIZE_MAX}), Ok(0)),
        (json!({"pageSize": 0}), Ok(0)),
        (json!({"pageNo": "2", "pageSize": 2.0}), Ok(1)),
        (
            json!({"pageNo": 0}),
            Err("pagination.pageNo: expected whole number from 1"),
        ),
        (
            json!({"pageSize": -1}),
            Err("pagination.pageSize: expected whole number from 0 to 1000"),
        ),
        (
            json!({"pageSize": 1001}),
            Err("pagination.pageSize: expected whole number from 0 to 1000, found 1001"),
        ),
        (
            json!({"pageSize": "many"}),
            Err("pagination.pageSize: expected whole number from 0 to 1000, found \"many\""),
        ),
        (json!([1, 10]), Err("pagination: expected object")),
    ];
    for (pagination, expected) in cases {
        let answered = world.post(&target, json!({"pagination": pagination})).await;
        match expected {
            Ok(rows) => {
                assert_eq!(answered.data().as_array().unwrap().len(), rows, "{pagination}");
                assert_eq!(answered.body["pagination"]["totalSize"], 3);
            }
            Err(part) => answered.fails(200, 99400, part),
        }
    }
    let ids = world.get(&target).await;
    assert_eq!(ids.data()[0]["modelId"], "c", "newest first");
}

#[tokio::test]
async fn an_expression_that_does_not_hold_is_refused_with_its_place() {
    let world = World::open().await;
    let target = format!("{MODELS}?action=search&orgId=o1");
    let search = |expression: &str| world.post(&target, json!({"expression": expression}));
    search("modelId = ").await.fails(200, 99400, "expression, character 11");
    search("color = 'red'").await.fails(200, 99400, "unknown field 'color'");
    search(&" ".repeat(9000)).await.data();
    search("").await.data();
    world
        .post(&target, json!({"expression": 5}))
        .await
        .fails(200, 99400, "expression: expected text, found 5");
}

#[tokio::test]
async fn a_projection_crops_every_row() {
    let world = World::open().await;
    let model = json!({"modelId": "m", "name": {"defaultValue": "n"}, "desc": "d"});
    world
        .post(&format!("{MODELS}?action=create&orgId=o1"), model)
        .await
        .data();
    let target = format!("{MODELS}?action=search&orgId=o1");
    let cropped = world
        .post(&target, json!({"projection": ["modelId", "name.defaultValue"]}))
        .await;
    assert_eq!(
        cropped.data(),
        &json!([{"modelId": "m", "name": {"defaultValue": "n"}}])
    );
    world
        .post(&target, json!({"projection": ["a..b"]}))
        .await
        .fails(200, 99400, "projection");
}

#[tokio::test]
async fn the_organization_is_mandatory() {
    let world = World::open().await;
    world
        .get(&format!("{MODELS}?action=search"))
        .await
        .fails(200, 99400, "orgId");
    world
        .get(&format!("{MODELS}?action=search&orgId="))
        .await
        .fails(200, 99400, "orgId");
    world
        .get(&format!("{MODELS}?action=search&orgId=a%2Fb"))
        .await
        .fails(200, 99400, "orgId");
}

#[tokio::test]
async fn health_is_told_to_anyone() {
    assert_eq!(World::locked().await.get("/health").await.body, json!({"status": "up"}));
}

#[tokio::test]
async fn ready_says_that_the_store_fails_when_only_reading_does() {
    let world = World::locked().await;
    world.faults.lock().reads_after = Some(0);
    let answered = world.get("/health/ready").await;
    let expected = json!({"status": "down", "reasons": ["store failing"]});
    assert_eq!((answered.status.as_u16(), answered.body), (503, expected));
}

#[tokio::test]
async fn an_unknown_path_is_named_and_the_older_generation_is_told_by_status() {
    let world = World::locked().await;
    for path in ["/connect-service/v9/devices", "/connectServices", "/connect", "/"] {
        world.get(path).await.fails(404, 404, &format!("no such path: {path}"));
    }
    for path in [
        "/connectService",
        "/connectService/products",
        "//connectService//devices/",
    ] {
        for target in [path.to_owned(), format!("{path}?orgId=o1&action=get")] {
            let answered = world.post(&target, json!({})).await;
            assert_eq!(
                (answered.status.as_u16(), &answered.body["status"]),
                (404, &json!(404)),
                "{target}"
            );
            assert_eq!(
                (&answered.body["code"], &answered.body["data"]),
                (&json!(404), &Value::Null)
            );
            assert!(
                answered.body["msg"].as_str().unwrap().contains("is not served"),
                "{}",
                answered.body
            );
        }
    }
}
