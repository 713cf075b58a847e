//! Tokens, signatures, organizations and roles.

use aldis_core::ids::AppKey;
use axum::body::Body;
use axum::http::Request;
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::world::{ADMIN, Answered, Key, OPERATOR, READER, STRANGER, World, sha256, signed_request, unsigned};
use crate::entry::TABLE;

const GET: &str = "/apim-token-service/v2.0/token/get";
const REFRESH: &str = "/apim-token-service/v2.0/token/refresh";
const MODELS: &str = "/model-service/v2.1/thing-models";
const SEARCH: &str = "action=search&orgId=o1";

fn encrypt(key: Key, timestamp: i64) -> String {
    sha256(&[key.app_key, &timestamp.to_string(), key.secret])
}

async fn token(world: &World, key: Key) -> String {
    world.token(key).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn search(world: &World, token: &str) -> Answered {
    world
        .send(signed_request(world.now(), ADMIN, token, MODELS, SEARCH, "{}"))
        .await
}

#[tokio::test]
async fn a_token_has_an_envelope_of_its_own_and_stays_the_same_while_it_is_valid() {
    let world = World::locked().await;
    let first = world.token(ADMIN).await;
    assert_eq!(first["status"], 0);
    assert_eq!(
        (&first["msg"], &first["business"]),
        (&json!("SUCCESS"), &json!("apim-token-service"))
    );
    assert_eq!(first["data"]["expire"], 7200);
    assert_eq!(first.as_object().unwrap().len(), 4);
    world.advance_ms(100_000);
    let again = world.token(ADMIN).await;
    assert_eq!(again["data"]["accessToken"], first["data"]["accessToken"]);
    assert_eq!(again["data"]["expire"], 7099);
}

#[tokio::test]
async fn the_published_example_of_an_encryption_is_accepted() {
    let world = World::locked().await;
    let encryption = "aa3dbd256274525928efdc00818d2254c70e20945bd4b5d93dce11c31aecf403";
    let body = json!({"appKey": "demo-app-key", "encryption": encryption, "timestamp": 1_700_000_000_000_i64});
    let body = world.post(GET, body).await.body;
    let token = body["data"]["accessToken"].as_str().unwrap();
    let timestamp = world.now().to_string();
    let signature = sha256(&[token, "actionsearchorgIdo1", &timestamp, "demo-app-secret"]);
    let without_body = Request::get(format!("{MODELS}?orgId=o1&action=search"))
        .header("apim-accesstoken", token)
        .header("apim-timestamp", timestamp)
        .header("apim-signature", signature);
    world.send(without_body.body(Body::empty()).unwrap()).await.data();
}

#[tokio::test]
async fn each_way_to_get_no_token_has_its_status() {
    let world = World::locked().await;
    let now = world.now();
    let body = |key: &str, encryption: Value, timestamp: Value| json!({"appKey": key, "encryption": encryption, "timestamp": timestamp});
    let right = encrypt(ADMIN, now);
    let off = now - 900_001;
    let cases = [
        (body("nobody", json!(right), json!(now)), 1003),
        (body("o1", json!(right), json!(now)), 1003),
        (body(ADMIN.app_key, json!(encrypt(OPERATOR, now)), json!(now)), 1003),
        (body(ADMIN.app_key, json!(encrypt(ADMIN, off)), json!(off)), 1004),
        (body(ADMIN.app_key, json!(right), json!("soon")), 1004),
        (body(ADMIN.app_key, json!(5), json!(now)), 1004),
        (body("", json!(right), json!(now)), 1202),
        (json!({"appKey": ADMIN.app_key}), 1202),
        (json!({}), 1202),
        (body(ADMIN.app_key, json!(right), json!(now.to_string())), 0),
        (body(ADMIN.app_key, json!(right), json!(now)), 1001),
    ];
    for (body, status) in cases {
        let answered = world.post(GET, body.clone()).await;
        assert_eq!(
            (answered.status.as_u16(), &answered.body["status"]),
            (200, &json!(status)),
            "{body} {}",
            answered.body
        );
        assert_eq!(answered.body["data"].is_null(), status != 0);
    }
    let answered = world.post_bytes(GET, "nonsense").await;
    assert_eq!(
        (answered.status.as_u16(), &answered.body["status"]),
        (400, &json!(1004))
    );
    assert_eq!(world.get(GET).await.status.as_u16(), 405);
}

#[tokio::test]
async fn a_refreshed_token_is_replaced_after_a_minute_of_grace() {
    let world = World::locked().await;
    let old = token(&world, ADMIN).await;
    world.advance_ms(1);
    let refresh = |token: String| {
        let now = world.now();
        let body =
            json!({"appKey": ADMIN.app_key, "encryption": encrypt(ADMIN, now), "timestamp": now, "accessToken": token});
        world.post(REFRESH, body)
    };
    let new = refresh(old.clone()).await.body;
    assert_eq!((&new["status"], &new["data"]["expire"]), (&json!(0), &json!(7200)));
    assert_ne!(new["data"]["accessToken"], json!(old));
    search(&world, &old).await.data();
    world.advance_ms(60_000);
    search(&world, &old).await.fails(401, 1203, "expired");
    search(&world, new["data"]["accessToken"].as_str().unwrap())
        .await
        .data();
    assert_eq!(refresh(old).await.body["status"], 1203);
    world.advance_ms(1);
    assert_eq!(refresh("rubbish".to_owned()).await.body["status"], 1204);
    world.advance_ms(1);
    assert_eq!(refresh(token(&world, OPERATOR).await).await.body["status"], 1204);
}

#[tokio::test]
async fn a_token_ends_after_two_hours() {
    let world = World::locked().await;
    let token = token(&world, ADMIN).await;
    world.advance_ms(7_200_000);
    search(&world, &token).await.fails(401, 1203, "expired");
}

#[tokio::test]
async fn a_call_needs_token_signature_and_a_close_clock() {
    let world = World::locked().await;
    world
        .get(&format!("{MODELS}?{SEARCH}"))
        .await
        .fails(401, 401, "authentication");
    let token = token(&world, ADMIN).await;
    search(&world, &token).await.data();
    search(&world, "rubbish").await.fails(401, 401, "authentication");
    let wrong = Key {
        secret: "wrong",
        ..ADMIN
    };
    world
        .send(signed_request(world.now(), wrong, &token, MODELS, SEARCH, "{}"))
        .await
        .fails(401, 401, "");
    for off in [-900_001, 900_001] {
        world
            .send(signed_request(world.now() + off, ADMIN, &token, MODELS, SEARCH, "{}"))
            .await
            .fails(401, 401, "");
    }
    for off in [-900_000, 900_000] {
        world
            .send(signed_request(world.now() + off, ADMIN, &token, MODELS, SEARCH, "{}"))
            .await
            .data();
    }
    for missing in ["apim-accesstoken", "apim-signature", "apim-timestamp"] {
        let mut request = signed_request(world.now(), ADMIN, &token, MODELS, SEARCH, "{}");
        request.headers_mut().remove(missing);
        world.send(request).await.fails(401, 401, "");
    }
}

#[tokio::test]
async fn the_signature_covers_query_and_body_as_sent() {
    let world = World::locked().await;
    let token = token(&world, ADMIN).await;
    let spaced = "{ \"pagination\":\n {\"pageSize\": 5} }";
    world
        .send(signed_request(world.now(), ADMIN, &token, MODELS, SEARCH, spaced))
        .await
        .data();
    let mut request = signed_request(world.now(), ADMIN, &token, MODELS, SEARCH, "{}");
    *request.body_mut() = Body::from("{ }");
    world.send(request).await.fails(401, 401, "");
    let mut request = signed_request(world.now(), ADMIN, &token, MODELS, SEARCH, "{}");
    *request.uri_mut() = format!("{MODELS}?{SEARCH}&scope=1").parse().unwrap();
    world.send(request).await.fails(401, 401, "");
    let mut request = signed_request(world.now(), ADMIN, &token, MODELS, SEARCH, "{}");
    *request.uri_mut() = format!("{MODELS}?orgId=o1&action=search").parse().unwrap();
    world.send(request).await.data();
}

#[tokio::test]
async fn a_foreign_and_an_unknown_organization_are_refused_alike() {
    let world = World::locked().await;
    let token = token(&world, ADMIN).await;
    for org in ["o2", "nowhere"] {
        let query = format!("action=search&orgId={org}");
        let refused = world
            .send(signed_request(world.now(), ADMIN, &token, MODELS, &query, "{}"))
            .await;
        refused.fails(
            200,
            99403,
            &format!("orgId: expected organization of the caller, found \"{org}\""),
        );
    }
    let refused = world
        .send(signed_request(
            world.now(),
            ADMIN,
            &token,
            MODELS,
            "action=search",
            "{}",
        ))
        .await;
    refused.fails(200, 99400, "orgId");
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for() {
    let world = World::locked().await;
    let model = |id: &str| json!({"modelId": id, "name": {"defaultValue": "n"}});
    for (key, id, changes, manages) in [
        (READER, "r", false, false),
        (OPERATOR, "o", true, false),
        (ADMIN, "a", true, true),
    ] {
        world.signed(key, MODELS, "action=search", json!({})).await.data();
        let created = world.signed(key, MODELS, "action=create", model(id)).await;
        let listed = world.signed(key, "/aldis/v1/keys", "action=list", json!({})).await;
        match changes {
            true => assert_eq!(created.data(), &json!(id)),
            false => created.fails(200, 99403, "create"),
        }
        match manages {
            true => assert_eq!(listed.data().as_array().unwrap().len(), 5),
            false => listed.fails(200, 99403, "list"),
        }
    }
}

#[tokio::test]
async fn nothing_crosses_an_organization() {
    let world = World::locked().await;
    world
        .signed(
            OPERATOR,
            MODELS,
            "action=create",
            json!({"modelId": "m", "name": {"defaultValue": "n"}}),
        )
        .await
        .data();
    world
        .signed(STRANGER, MODELS, "action=get&modelId=m", json!({}))
        .await
        .fails(200, 99404, "m");
    world
        .signed(STRANGER, MODELS, "action=delete&modelId=m", json!({}))
        .await
        .fails(200, 99404, "m");
    let found = world.signed(STRANGER, MODELS, "action=search", json!({})).await;
    assert_eq!(found.data(), &json!([]));
    world
        .signed(
            STRANGER,
            MODELS,
            "action=create",
            json!({"modelId": "m", "name": {"defaultValue": "n"}}),
        )
        .await
        .data();
}

#[tokio::test]
async fn without_authentication_signed_calls_are_checked_all_the_same() {
    let world = World::open().await;
    let token = token(&world, READER).await;
    world
        .send(signed_request(world.now(), READER, &token, MODELS, SEARCH, "{}"))
        .await
        .data();
    let refused = world
        .send(signed_request(
            world.now(),
            READER,
            &token,
            MODELS,
            "action=create&orgId=o1",
            "{}",
        ))
        .await;
    refused.fails(200, 99403, "create");
    search(&world, &token).await.fails(401, 401, "");
    let without_a_token = Request::get(format!("{MODELS}?{SEARCH}")).header("apim-signature", "0");
    world
        .send(without_a_token.body(Body::empty()).unwrap())
        .await
        .fails(401, 401, "");
}

#[tokio::test]
async fn a_token_without_a_signature_is_an_unsigned_call() {
    for (token, timestamp) in [("rubbish", None), ("", None), ("expired.1.x.y", Some("0"))] {
        let only_a_token = || {
            let request = Request::get(format!("{MODELS}?{SEARCH}")).header("apim-accesstoken", token);
            let request = timestamp
                .into_iter()
                .fold(request, |request, at| request.header("apim-timestamp", at));
            request.body(Body::empty()).unwrap()
        };
        World::open().await.send(only_a_token()).await.data();
        World::locked().await.send(only_a_token()).await.fails(401, 401, "");
    }
}

#[tokio::test]
async fn without_authentication_no_foreign_page_gets_an_answer() {
    let world = World::open().await;
    let foreign = [
        ("host", "evil.example"),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    for (name, value) in foreign {
        for target in [
            &format!("{MODELS}?{SEARCH}"),
            &format!("{MODELS}?action=create&orgId=o1"),
            "/aldis/v1/keys?action=list&orgId=o1",
            "/openapi.json",
            "/nothing",
        ] {
            let request = unsigned(target).header(name, value).body(Body::from("{}")).unwrap();
            let found = if name == "host" {
                "Host"
            } else {
                "on a server without authentication"
            };
            world.send(request).await.fails(403, 403, found);
        }
        // A server with authentication asks for a signature, wherever the call comes from.
        let world = World::locked().await;
        let token = token(&world, ADMIN).await;
        let mut request = signed_request(world.now(), ADMIN, &token, MODELS, SEARCH, "{}");
        request.headers_mut().insert(name, value.parse().unwrap());
        world.send(request).await.data();
    }
}

#[tokio::test]
async fn without_authentication_a_change_that_a_page_could_send_unasked_is_refused() {
    let world = World::open().await;
    for media_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        for action in TABLE.actions.iter().filter(|action| !action.reads) {
            for path in action.paths {
                let target = format!("{path}?action={}&orgId=o1", action.names[0]);
                let request = media_type
                    .into_iter()
                    .fold(Request::post(target), |request, media_type| {
                        request.header("content-type", media_type)
                    });
                world.send(request.body(Body::from("{}")).unwrap()).await.fails(
                    415,
                    415,
                    "Content-Type: expected application/json",
                );
            }
        }
    }
    let token = token(&world, OPERATOR).await;
    let model = r#"{"modelId": "m", "name": {"defaultValue": "n"}}"#;
    let request = signed_request(world.now(), OPERATOR, &token, MODELS, "action=create&orgId=o1", model);
    assert!(!request.headers().contains_key("content-type"));
    world.send(request).await.data();
}

#[tokio::test]
async fn without_authentication_only_a_change_that_is_accepted_makes_an_organization() {
    let world = World::open().await;
    let is_there = |org: &str| world.store().organization(&org.into()).unwrap().is_some();
    let products = "/connect-service/v2.1/products?orgId=new";
    world.get(&format!("{products}&action=search")).await.data();
    let refused = world
        .post(&format!("{products}&action=delete&other=1"), json!({}))
        .await;
    refused.fails(200, 99400, "other");
    assert!(!is_there("new"));
    world
        .post(&format!("{products}&action=delete"), json!({"productKey": "p"}))
        .await;
    assert!(is_there("new"));
}

#[tokio::test]
async fn without_authentication_an_unsigned_call_cannot_manage_keys_and_organizations() {
    let world = World::open().await;
    let mut tried = 0;
    for action in &TABLE.actions {
        for path in action
            .paths
            .iter()
            .filter(|path| path.ends_with("/keys") || path.ends_with("/organizations"))
        {
            let target = format!("{path}?action={}&orgId=o1&appKey=k&organization=o2", action.names[0]);
            world
                .post(&target, json!({"role": "admin"}))
                .await
                .fails(200, 99403, "signed by an administrator");
            tried += 1;
        }
    }
    assert_eq!(tried, 10);
    let listed = world.signed(ADMIN, "/aldis/v1/keys", "action=list", json!({})).await;
    assert_eq!(listed.data().as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn look_up_in_a_local_store_is_ready_at_its_first_poll() {
    let world = World::locked().await;
    let key = AppKey::from(ADMIN.app_key);
    let found = world.app.look_up(|store| store.access_key(&key)).now_or_never();
    assert!(found.unwrap().unwrap().is_some());
}
