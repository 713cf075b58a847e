//! Keys and organizations over the API.

use serde_json::{Value, json};

use super::world::{ADMIN, Key, OPERATOR, READER, STRANGER, World};

const KEYS: &str = "/aldis/v1/keys";
const ORGANIZATIONS: &str = "/aldis/v1/organizations";
const MODELS: &str = "/model-service/v2.1/thing-models";

#[tokio::test]
async fn a_new_key_works_at_once_and_shows_its_secret_once() {
    let world = World::locked().await;
    let created = world
        .signed(
            ADMIN,
            KEYS,
            "action=create",
            json!({"role": "Reader", "name": "console"}),
        )
        .await;
    let key = created.data().clone();
    assert_eq!(
        (&key["orgId"], &key["role"], &key["name"]),
        (&json!("o1"), &json!("reader"), &json!("console"))
    );
    for drawn in ["appKey", "appSecret"] {
        // The vendor's Python client reads the second group as a hexadecimal number.
        let group = key[drawn].as_str().unwrap().split('-').nth(1).unwrap();
        u32::from_str_radix(group, 16).unwrap();
    }
    assert_eq!(
        (&key["disabled"], &key["createTime"]),
        (&json!(false), &json!(world.now()))
    );
    let leak = |value: &Value| -> &'static str { Box::leak(value.as_str().unwrap().to_owned().into_boxed_str()) };
    let reader = Key {
        app_key: leak(&key["appKey"]),
        secret: leak(&key["appSecret"]),
        org: "o1",
    };
    world.signed(reader, MODELS, "action=search", json!({})).await.data();
    let listed = world.signed(ADMIN, KEYS, "action=list", json!({})).await;
    let listed = listed.data().as_array().unwrap();
    assert_eq!(listed.len(), 6);
    assert!(listed.iter().all(|key| key["appSecret"].is_null()));
    let of_o2 = world
        .signed(ADMIN, KEYS, "action=list&organization=o2", json!({}))
        .await;
    assert_eq!(of_o2.data()[0]["appKey"], STRANGER.app_key);
    assert_eq!(of_o2.data().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_field_of_a_new_key_is_checked() {
    let world = World::locked().await;
    let cases = [
        (json!({}), 99400, "role: expected a value"),
        (
            json!({"role": "king"}),
            99400,
            "role: expected one of admin, operator, reader, found \"king\"",
        ),
        (
            json!({"role": "admin", "organization": "nowhere"}),
            99404,
            "organization nowhere does not exist",
        ),
        (json!({"role": "admin", "appKey": "a b"}), 99400, "appKey"),
        (
            json!({"role": "admin", "appKey": ADMIN.app_key}),
            99400,
            "appKey: expected value that is not in use",
        ),
        (json!({"role": "admin", "appSecret": "a\nb"}), 99400, "appSecret"),
        (json!({"role": "admin", "name": 5}), 99400, "name: expected text"),
    ];
    for (body, code, part) in cases {
        world
            .signed(ADMIN, KEYS, "action=create", body)
            .await
            .fails(200, code, part);
    }
    let own = json!({"role": "operator", "organization": "o2", "appKey": "moved-in", "appSecret": "old"});
    let created = world.signed(ADMIN, KEYS, "action=create", own).await;
    assert_eq!(
        (&created.data()["appKey"], &created.data()["appSecret"]),
        (&json!("moved-in"), &json!("old"))
    );
    assert_eq!(created.data()["orgId"], "o2");
}

#[tokio::test]
async fn a_disabled_or_deleted_key_is_refused_at_once() {
    let world = World::locked().await;
    world.signed(OPERATOR, MODELS, "action=search", json!({})).await.data();
    let token = world.token(OPERATOR).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let name = format!("appKey={}", OPERATOR.app_key);
    let search = || super::world::signed_request(world.now(), OPERATOR, &token, MODELS, "action=search&orgId=o1", "{}");
    world
        .signed(ADMIN, KEYS, &format!("action=disable&{name}"), json!({}))
        .await
        .data();
    world.send(search()).await.fails(401, 401, "authentication");
    assert_eq!(world.token(OPERATOR).await["status"], 1003);
    world
        .signed(ADMIN, KEYS, &format!("action=enable&{name}"), json!({}))
        .await
        .data();
    world.send(search()).await.data();
    world
        .signed(ADMIN, KEYS, &format!("action=delete&{name}"), json!({}))
        .await
        .data();
    world.send(search()).await.fails(401, 401, "authentication");
    world
        .signed(ADMIN, KEYS, &format!("action=delete&{name}"), json!({}))
        .await
        .fails(200, 99404, OPERATOR.app_key);
    let actions = world.actions("o1", OPERATOR.app_key);
    let verbs: Vec<&str> = actions.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["key.disable", "key.enable", "key.delete"]);
    assert_eq!(actions[0].by.app_key.as_ref().unwrap().as_str(), ADMIN.app_key);
}

#[tokio::test]
async fn nobody_locks_themselves_out() {
    let world = World::locked().await;
    for action in ["disable", "delete"] {
        let own = format!("action={action}&appKey={}", ADMIN.app_key);
        world
            .signed(ADMIN, KEYS, &own, json!({}))
            .await
            .fails(200, 99400, "appKey: expected another key");
        let own = format!("action={action}&organization=o1");
        world.signed(ADMIN, ORGANIZATIONS, &own, json!({})).await.fails(
            200,
            99400,
            "organization: expected another organization",
        );
    }
}

#[tokio::test]
async fn organizations_come_go_and_take_their_keys_along() {
    let world = World::locked().await;
    let created = world
        .signed(
            ADMIN,
            ORGANIZATIONS,
            "action=create",
            json!({"organization": "o3", "name": "Third"}),
        )
        .await;
    let expected = json!({"orgId": "o3", "name": "Third", "disabled": false, "createTime": world.now()});
    assert_eq!(created.data(), &expected);
    world
        .signed(ADMIN, ORGANIZATIONS, "action=create", json!({"organization": "o3"}))
        .await
        .fails(200, 99400, "not in use");
    world
        .signed(ADMIN, ORGANIZATIONS, "action=create", json!({"organization": "a/b"}))
        .await
        .fails(200, 99400, "organization");
    world
        .signed(ADMIN, ORGANIZATIONS, "action=create", json!({}))
        .await
        .fails(200, 99400, "organization: expected a value");
    let listed = world.signed(ADMIN, ORGANIZATIONS, "action=list", json!({})).await;
    assert_eq!(listed.data().as_array().unwrap().len(), 3);
    let on_o2 = |action: &str| format!("action={action}&organization=o2");
    world
        .signed(ADMIN, ORGANIZATIONS, &on_o2("disable"), json!({}))
        .await
        .data();
    assert_eq!(world.token(STRANGER).await["status"], 1003);
    world
        .signed(ADMIN, ORGANIZATIONS, &on_o2("enable"), json!({}))
        .await
        .data();
    world.signed(STRANGER, MODELS, "action=search", json!({})).await.data();
    world
        .signed(ADMIN, ORGANIZATIONS, &on_o2("delete"), json!({}))
        .await
        .fails(200, 99400, "organization without keys");
    world
        .signed(
            ADMIN,
            KEYS,
            &format!("action=delete&appKey={}", STRANGER.app_key),
            json!({}),
        )
        .await
        .data();
    world
        .signed(ADMIN, ORGANIZATIONS, &on_o2("delete"), json!({}))
        .await
        .data();
    world
        .signed(ADMIN, ORGANIZATIONS, &on_o2("delete"), json!({}))
        .await
        .fails(200, 99404, "organization o2");
}

#[tokio::test]
async fn only_administrators_manage_access() {
    let world = World::locked().await;
    for key in [OPERATOR, READER, STRANGER] {
        for (path, action) in [
            (KEYS, "list"),
            (KEYS, "create"),
            (ORGANIZATIONS, "list"),
            (ORGANIZATIONS, "delete"),
        ] {
            world
                .signed(key, path, &format!("action={action}"), json!({}))
                .await
                .fails(200, 99403, action);
        }
    }
}
