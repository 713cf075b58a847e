//! A server's clock that is not the wall clock, or in doubt.

use serde_json::json;

use super::fleet::{Fleet, brief, sample, with};
use super::world::{OPERATOR, World, signed_request};
use aldis_app::tokens::LIFETIME_MS;

const DAY_MS: i64 = 86_400_000;
const TRIGGER: &str = "/schedulePolicy/disposableSchedulePolicy/triggerTs";
const MODELS: &str = "/model-service/v2.1/thing-models";

async fn status(fleet: &Fleet, id: &str) -> String {
    let job = fleet.call(&format!("getJob&jobId={id}"), json!({})).await;
    job.data()["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_planned_job_triggers_when_the_wall_clock_shows_its_moment() {
    for ahead in [3 * DAY_MS, -3 * DAY_MS, 0] {
        let fleet = Fleet::new().await;
        fleet.world.set_wall_ahead(ahead);
        let moment = fleet.world.now() + ahead + 3_600_000;
        let id = fleet.create(with(sample(), TRIGGER, json!(moment))).await;
        fleet.advance_ms(3_599_999);
        assert_eq!(status(&fleet, &id).await, "INIT", "{ahead}");
        fleet.advance_ms(1);
        assert_ne!(status(&fleet, &id).await, "INIT", "{ahead}");
        let job = fleet.call(&format!("getJob&jobId={id}"), json!({})).await;
        assert_eq!(
            job.data().pointer(TRIGGER),
            Some(&json!(moment)),
            "it is shown as it was given"
        );
    }
}

#[tokio::test]
async fn while_the_clock_is_in_doubt_answers_say_so_and_no_moment_can_be_planned() {
    let fleet = Fleet::new().await;
    fleet.world.doubt_clock("it is wrong");
    let answer = fleet.call("createJob", brief()).await;
    answer.data();
    let word = answer.body["msg"].as_str().unwrap();
    assert!(
        word.starts_with("OK; nothing is sent") && word.ends_with("it is wrong"),
        "{word}"
    );
    let planned = with(sample(), TRIGGER, json!(fleet.world.now() + 3_600_000));
    let refused = fleet.call("createJob", planned).await;
    refused.fails(200, 99_400, "triggerTs");
}

#[tokio::test]
async fn a_caller_with_a_right_clock_is_let_in_by_a_server_whose_clock_is_not() {
    let world = World::locked().await;
    let token = world.token(OPERATOR).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let query = format!("action=search&orgId={}", OPERATOR.org);
    let at = |timestamp| signed_request(timestamp, OPERATOR, &token, MODELS, &query, "{}");
    world.set_wall_ahead(-3 * DAY_MS);
    for timestamp in [world.now(), world.now() - 3 * DAY_MS] {
        world.send(at(timestamp)).await.data();
    }
    world.send(at(world.now() - DAY_MS)).await.fails(401, 401, "");
}

#[tokio::test]
async fn a_token_of_a_clock_that_was_years_ahead_has_expired() {
    let world = World::locked().await;
    world.advance_ms(3_650 * DAY_MS);
    let token = world.token(OPERATOR).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    world.advance_ms(-3_650 * DAY_MS + LIFETIME_MS / 2);
    let query = format!("action=search&orgId={}", OPERATOR.org);
    let call = signed_request(world.now(), OPERATOR, &token, MODELS, &query, "{}");
    let refused = world.send(call).await;
    assert_eq!(refused.status, 401);
}
