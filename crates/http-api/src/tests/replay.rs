//! A signature is used once: what was heard on the wire and is sent again does nothing.

use aldis_core::secret::Secret;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::fleet::brief;
use super::world::{ADMIN, Answered, OPERATOR, World, signed_request};
use aldis_app::SystemRng;

const JOBS: &str = "/connect-service/v2.5/commands";
const MODELS: &str = "/model-service/v2.1/thing-models";

/// A call that can be sent again and again, with the same signature.
struct Heard {
    token: Secret,
    now: i64,
    path: &'static str,
    query: String,
    body: String,
}

impl Heard {
    fn new(world: &World, path: &'static str, query: &str, body: &Value) -> Self {
        world.advance_ms(1);
        let tokens = world.app.tokens();
        let token = tokens
            .current(&OPERATOR.app_key.into(), world.app.now(), &SystemRng)
            .token;
        Self {
            token,
            now: world.now(),
            path,
            query: format!("{query}&orgId=o1"),
            body: body.to_string(),
        }
    }

    fn request(&self) -> Request<Body> {
        signed_request(self.now, OPERATOR, &self.token, self.path, &self.query, &self.body)
    }

    async fn send(&self, world: &World, key: Option<&str>) -> Answered {
        let mut request = self.request();
        if let Some(key) = key {
            request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        }
        world.send(request).await
    }
}

fn model(id: &str) -> Value {
    json!({"modelId": id, "name": {"defaultValue": "n"}})
}

#[tokio::test]
async fn a_repeated_change_is_refused_and_a_repeated_read_is_not() {
    let world = World::locked().await;
    let create = Heard::new(&world, MODELS, "action=create", &model("m"));
    let search = Heard::new(&world, MODELS, "action=search", &json!({}));
    create.send(&world, None).await.data();
    let before = search.send(&world, None).await.data().clone();
    for key in [None, Some("k")] {
        create.send(&world, key).await.fails(401, 401, "authentication");
    }
    let mut louder = create.request();
    let signature = louder.headers()["apim-signature"].to_str().unwrap().to_uppercase();
    louder
        .headers_mut()
        .insert("apim-signature", signature.parse().unwrap());
    world.send(louder).await.fails(401, 401, "");
    assert_eq!(search.send(&world, None).await.data(), &before);
    world
        .signed(OPERATOR, MODELS, "action=delete&modelId=m", json!({}))
        .await
        .data();
    create.send(&world, None).await.fails(401, 401, "");
    assert_eq!(search.send(&world, None).await.data(), &json!([]));
}

#[tokio::test]
async fn a_change_that_was_refused_is_used_up_as_well() {
    let world = World::locked().await;
    let delete = Heard::new(&world, MODELS, "action=delete&modelId=m", &json!({}));
    delete.send(&world, None).await.fails(200, 99404, "m");
    world.signed(OPERATOR, MODELS, "action=create", model("m")).await.data();
    delete.send(&world, None).await.fails(401, 401, "");
    world
        .signed(OPERATOR, MODELS, "action=get&modelId=m", json!({}))
        .await
        .data();
}

#[tokio::test]
async fn a_repeated_create_gets_the_first_answer_with_the_first_key_alone() {
    let world = World::locked().await;
    let named = json!({"defaultValue": "n"});
    let service = json!({"serviceId": {"name": named, "identifier": "serviceId", "inputData": [], "outputData": []}});
    let model = json!({"modelId": "m", "name": named, "services": service});
    let product = json!({"productKey": "productKey", "productName": named, "modelId": "m", "productType": "Device",
        "dataFormat": "Json", "biDirectionalAuth": false});
    let device =
        json!({"productKey": "productKey", "deviceKey": "deviceKey", "timezone": "+00:00", "deviceName": named});
    for (path, body) in [
        (MODELS, model),
        ("/connect-service/v2.1/products", product),
        ("/connect-service/v2.1/devices", device),
    ] {
        world.signed(ADMIN, path, "action=create", body).await.data();
    }
    let with_key = Heard::new(&world, JOBS, "action=createJob", &brief());
    let first = with_key.send(&world, Some("k")).await.data().clone();
    assert_eq!(with_key.send(&world, Some("k")).await.data(), &first);
    for other in [None, Some("other"), Some("")] {
        let refused = with_key.send(&world, other).await;
        assert_ne!(refused.body["code"], 0, "{other:?}");
        assert!(refused.body["data"].is_null());
    }
    let without_key = Heard::new(&world, JOBS, "action=createJob", &brief());
    without_key.send(&world, None).await.data();
    without_key.send(&world, None).await.fails(401, 401, "");
    without_key.send(&world, Some("late")).await.fails(401, 401, "");
    // What the first key stands for is another signature's answer, and changes nothing.
    assert_eq!(without_key.send(&world, Some("k")).await.data(), &first);
    let jobs = world.signed(OPERATOR, JOBS, "action=searchJob", json!({})).await;
    assert_eq!(jobs.data().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn used_signatures_are_stored_and_those_of_reads_are_not() {
    let world = World::locked().await;
    world.signed(OPERATOR, MODELS, "action=search", json!({})).await.data();
    assert_eq!(world.store().proofs(9).unwrap(), []);
    world.signed(OPERATOR, MODELS, "action=create", model("m")).await.data();
    world
        .signed(OPERATOR, MODELS, "action=delete&modelId=x", json!({}))
        .await
        .fails(200, 99404, "");
    world.token(OPERATOR).await;
    let stored = world.store().proofs(9).unwrap();
    let moments: Vec<i64> = stored.iter().map(|proof| proof.at.0).collect();
    assert_eq!(moments, [world.now(), world.now() - 1, world.now() - 2]);
}
