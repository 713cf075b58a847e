//! The limit of calls per second: who meets it, what they are told, and that nothing was done.

use std::num::NonZeroU32;

use axum::body::Body;
use serde_json::json;
use tower::ServiceExt as _;

use super::world::{ADMIN, READER, World, signed_request, unsigned};
use aldis_app::Settings;

const COMMANDS: &str = "/connect-service/v2.5/commands";
const MODELS: &str = "/model-service/v2.1/thing-models";

async fn limited(no_auth: bool) -> World {
    World::with(Settings {
        no_auth,
        rate_limit_per_second: NonZeroU32::new(2),
        ..Settings::default()
    })
    .await
}

#[tokio::test]
async fn a_key_over_the_limit_is_told_so_until_time_has_passed_and_other_keys_are_not() {
    let world = limited(false).await;
    let token = world.token(ADMIN).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = world.token(READER).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let call = |key, token: &str| {
        let request = signed_request(world.now(), key, token, COMMANDS, "action=searchJob&orgId=o1", "{}");
        world.send(request)
    };
    for _ in 0..2 {
        call(ADMIN, &token).await.data();
    }
    call(ADMIN, &token).await.fails(429, 429, "at most 2 calls per second");
    call(READER, &other).await.data();
    world.advance_ms(499);
    call(ADMIN, &token).await.fails(429, 429, "");
    world.advance_ms(1);
    call(ADMIN, &token).await.data();
    call(ADMIN, &token).await.fails(429, 429, "");
}

#[tokio::test]
async fn a_refused_call_says_when_to_try_again_and_has_done_nothing() {
    let world = limited(true).await;
    let create = || {
        let model = json!({"modelId": "m1", "name": {"defaultValue": "m"}});
        let target = format!("{MODELS}?action=create&orgId=o1");
        unsigned(&target).body(Body::from(model.to_string())).unwrap()
    };
    for _ in 0..2 {
        world.get(&format!("{MODELS}?action=search&orgId=o1")).await;
    }
    let refused = world.router.clone().oneshot(create()).await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    // Unsigned calls of another organization have a limit of their own.
    world
        .post(&format!("{MODELS}?action=search&orgId=o2"), json!({}))
        .await
        .data();
    world.advance_ms(1000);
    world
        .get(&format!("{MODELS}?action=get&modelId=m1&orgId=o1"))
        .await
        .fails(200, 99404, "m1");
}

#[tokio::test]
async fn calls_in_a_keys_name_that_are_not_its_own_cost_it_nothing() {
    let world = limited(false).await;
    let token = world.token(ADMIN).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let query = "action=searchJob&orgId=o1";
    for _ in 0..5 {
        let forged = signed_request(world.now(), READER, &token, COMMANDS, query, "{}");
        world.send(forged).await.fails(401, 401, "");
    }
    let own = signed_request(world.now(), ADMIN, &token, COMMANDS, query, "{}");
    world.send(own).await.data();
}
