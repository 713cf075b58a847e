//! Who may call, and what the others are told: HTTP status, code, envelope.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aldis_client::{AccessKey, NewKey, NewOrganization};
use aldis_protocol::api_signature::{SignedCall, encrypt_token_request};
use serde_json::{Value, json};

use crate::harness::{Answered, Api, COMMANDS, Plan, Server, Start, World, exchange, now_ms, request, token};

/// An encryption works once, so requests within one millisecond need moments of their own; 15 minutes are tolerated.
fn stamp_of_its_own() -> String {
    static ASKED: AtomicI64 = AtomicI64::new(0);
    let before = ASKED.fetch_add(1, Ordering::Relaxed) + 1;
    (now_ms() - 31_234 * before).to_string()
}

/// A search, signed as told.
async fn search(server: &Server, org: &str, token: &str, secret: &str, timestamp: i64) -> Answered {
    let (query, timestamp) = (format!("action=searchJob&orgId={org}"), timestamp.to_string());
    let call = SignedCall {
        token,
        query: &query,
        body: b"{}",
        timestamp: &timestamp,
    };
    let signature = call.sign(secret);
    let headers = [
        ("apim-accesstoken", token),
        ("apim-timestamp", &timestamp),
        ("apim-signature", &signature),
    ];
    exchange(
        server.http,
        &request("POST", &format!("{COMMANDS}?{query}"), &headers, b"{}"),
    )
    .await
    .unwrap()
}

/// A token, asked for by hand.
async fn granted(server: &Server, key: &AccessKey) -> String {
    let answer = token(server.http, key, &stamp_of_its_own()).await;
    answer.body["data"]["accessToken"].as_str().unwrap().to_owned()
}

/// Asks for a new token in the place of this one.
async fn refreshed(server: &Server, key: &AccessKey, old: &str) -> Value {
    let timestamp = stamp_of_its_own();
    let encryption = encrypt_token_request(&key.app_key, &timestamp, &key.app_secret);
    let body = json!({"appKey": key.app_key, "encryption": encryption, "timestamp": timestamp, "accessToken": old});
    let path = "/apim-token-service/v2.0/token/refresh";
    exchange(server.http, &request("POST", path, &[], body.to_string().as_bytes()))
        .await
        .unwrap()
        .body
}

#[tokio::test]
async fn a_call_without_a_right_signature_is_told_so_and_does_nothing() {
    let server = Server::start().await;
    let key = server.admin_key();
    let token = granted(&server, &key).await;
    let (now, secret) = (now_ms(), key.app_secret.as_str());
    assert_eq!(search(&server, "default", &token, secret, now).await.code(), 0);

    search(&server, "default", &token, "another secret", now)
        .await
        .fails(401, 401, "");
    search(&server, "default", "rubbish", secret, now)
        .await
        .fails(401, 401, "");
    search(&server, "default", &token, secret, now - 16 * 60_000)
        .await
        .fails(401, 401, "");
    search(&server, "default", &token, secret, now + 16 * 60_000)
        .await
        .fails(401, 401, "");
    Api::unsigned(server.http, "default")
        .command("searchJob", &json!({}))
        .await
        .fails(401, 401, "");
    // A signature belongs to its body.
    let query = "action=searchJob&orgId=default";
    let timestamp = now.to_string();
    let signature = SignedCall {
        token: &token,
        query,
        body: b"{}",
        timestamp: &timestamp,
    }
    .sign(secret);
    let headers = [
        ("apim-accesstoken", token.as_str()),
        ("apim-timestamp", &timestamp),
        ("apim-signature", &signature),
    ];
    let other = request(
        "POST",
        &format!("{COMMANDS}?{query}"),
        &headers,
        br#"{"expression":null}"#,
    );
    exchange(server.http, &other).await.unwrap().fails(401, 401, "");
}

#[tokio::test]
async fn tokens_are_refused_with_their_own_statuses() {
    let server = Server::start().await;
    let key = server.admin_key();
    let stamp = now_ms().to_string();
    let first = token(server.http, &key, &stamp).await;
    assert_eq!(
        (first.status, &first.body["status"]),
        (200, &json!(0)),
        "{}",
        first.body
    );
    assert_eq!(first.body["business"], "apim-token-service");
    assert!(first.body["data"]["expire"].as_i64().unwrap() > 7000);
    assert_eq!(
        token(server.http, &key, &stamp).await.body["status"],
        1001,
        "used before"
    );
    let unknown = AccessKey {
        app_key: "nobody".into(),
        ..key.clone()
    };
    assert_eq!(token(server.http, &unknown, &stamp).await.body["status"], 1003);
    let wrong = AccessKey {
        app_secret: "wrong".into(),
        ..key.clone()
    };
    assert_eq!(token(server.http, &wrong, &stamp).await.body["status"], 1003);
    assert_eq!(
        token(server.http, &key, &(now_ms() - 16 * 60_000).to_string())
            .await
            .body["status"],
        1004
    );
    let absent = exchange(
        server.http,
        &request("POST", "/apim-token-service/v2.0/token/get", &[], b"{}"),
    )
    .await
    .unwrap();
    assert_eq!(absent.body["status"], 1202, "{}", absent.body);
}

/// The one test that has to sit out a minute: that is how long a refreshed token is still good for.
#[tokio::test]
async fn an_expired_token_is_told_so_and_the_typed_client_gets_another() {
    let server = Server::start().await;
    let key = server.admin_key();
    let client = server.client(key.clone());
    client.search_jobs(&aldis_client::Search::default()).await.unwrap();
    let old = granted(&server, &key).await;
    let new = refreshed(&server, &key, &old).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(new, old);
    assert_eq!(
        search(&server, "default", &old, &key.app_secret, now_ms()).await.code(),
        0,
        "calls under way still work"
    );
    let refused = loop {
        let answer = search(&server, "default", &old, &key.app_secret, now_ms()).await;
        if answer.code() != 0 {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    refused.fails(401, 1203, "expired");
    assert_eq!(refreshed(&server, &key, &old).await["status"], 1203);
    assert_eq!(
        search(&server, "default", &new, &key.app_secret, now_ms()).await.code(),
        0
    );
    client.search_jobs(&aldis_client::Search::default()).await.unwrap();
}

#[tokio::test]
async fn organizations_see_nothing_of_each_other() {
    let world = World::new().await;
    world
        .client
        .create_organization(&NewOrganization {
            organization: "other".into(),
            name: None,
        })
        .await
        .unwrap();
    let new = NewKey {
        organization: Some("other".into()),
        ..NewKey::new("operator")
    };
    let made = world.client.create_key(&new).await.unwrap().data;
    let key = AccessKey {
        org_id: "other".into(),
        app_key: made.app_key,
        app_secret: made.app_secret.unwrap(),
    };
    let foreign = Api::signed(world.server.http, key).await;
    let device = world.device("d1").await;
    let job = world.create(&Plan::device(&device).ttl(600)).await;
    let task = world.task(&job).await.task_id;

    let answered = foreign.command("createJob", &Plan::device(&device).0).await;
    answered.fails(200, 99404, "");
    foreign
        .command(&format!("getJob&jobId={job}"), &json!({}))
        .await
        .fails(200, 24404, "");
    foreign
        .command(&format!("getTask&taskId={task}"), &json!({}))
        .await
        .fails(200, 99404, "");
    foreign
        .command(&format!("cancelTask&jobId={job}"), &json!({}))
        .await
        .fails(200, 24404, "");
    foreign
        .command(&format!("deleteJob&jobId={job}"), &json!({}))
        .await
        .fails(200, 24404, "");
    for action in ["searchJob", "searchTask"] {
        assert_eq!(*foreign.command(action, &json!({})).await.data(), json!([]));
    }
    // A foreign organization and one that does not exist are refused alike.
    for org in ["default", "nowhere"] {
        let mut caller = foreign.clone();
        caller.org = org.into();
        caller.command("searchJob", &json!({})).await.fails(200, 99403, "orgId");
    }
    assert_eq!(world.recounted(&job).await.init, 1);
}

#[tokio::test]
async fn a_reader_reads_and_changes_nothing() {
    let world = World::new().await;
    let device = world.device("d1").await;
    let job = world.create(&Plan::device(&device).ttl(600)).await;
    let made = world.client.create_key(&NewKey::new("reader")).await.unwrap().data;
    let key = AccessKey {
        org_id: "default".into(),
        app_key: made.app_key.clone(),
        app_secret: made.app_secret.unwrap(),
    };
    let reader = Api::signed(world.server.http, key).await;
    for query in [
        format!("getJob&jobId={job}"),
        format!("queryStatistics&jobId={job}"),
        "searchTask".into(),
    ] {
        reader.command(&query, &json!({})).await.data();
    }
    reader
        .command("createJob", &Plan::device(&device).0)
        .await
        .fails(200, 99403, "");
    for action in ["cancelTask", "retryTask", "deleteJob"] {
        reader
            .command(&format!("{action}&jobId={job}"), &json!({}))
            .await
            .fails(200, 99403, "");
    }
    reader
        .post("/aldis/v1/keys", "create", &json!({"role": "admin"}))
        .await
        .fails(200, 99403, "");
    assert_eq!(world.recounted(&job).await.init, 1);

    // A disabled key is refused at its next call.
    world.client.disable_key(&made.app_key).await.unwrap();
    reader.command("searchJob", &json!({})).await.fails(401, 401, "");
}

#[tokio::test]
async fn without_signatures_an_organization_exists_once_it_is_named() {
    let world = World::open().await;
    let nowhere = Api::unsigned(world.server.http, "brand-new");
    assert_eq!(*nowhere.command("searchJob", &json!({})).await.data(), json!([]));
    let missing = request("POST", &format!("{COMMANDS}?action=searchJob"), &[], b"{}");
    exchange(world.server.http, &missing)
        .await
        .unwrap()
        .fails(200, 99400, "orgId");
    // Signed calls still work, and wrong ones are still refused.
    let key = world.server.admin_key();
    let signed = Api::signed(world.server.http, key.clone()).await;
    assert_eq!(*signed.command("searchJob", &json!({})).await.data(), json!([]));
    let token = granted(&world.server, &key).await;
    search(&world.server, "default", &token, "wrong", now_ms())
        .await
        .fails(401, 401, "");
    // Devices need their secret all the same.
    let device = world.device("d1").await;
    let mut impostor =
        aldis_simulator::Device::new(&aldis_simulator::DeviceIdentity::new("pump", device.device_key, "?"));
    assert_eq!(impostor.try_connect(world.server.mqtt).await.unwrap(), 5);
}

#[tokio::test]
async fn unsigned_calls_are_never_open_to_other_machines() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let dir = tempfile::tempdir().unwrap();
        let mut serve = std::process::Command::new(crate::harness::program());
        serve
            .args([
                "serve",
                "--no-auth",
                "--http",
                address,
                "--mqtt",
                "127.0.0.1:0",
                "--data-dir",
            ])
            .arg(dir.path());
        let output = serve.output().unwrap();
        assert!(!output.status.success());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("loopback"), "{told}");
        assert!(output.stdout.is_empty());
    }
    let _allowed = Server::start_with(Start::flags(&["--no-auth"])).await;
}

#[tokio::test]
async fn a_signature_is_used_once_also_across_a_crash() {
    let mut world = World::new().await;
    let device = world.device("d1").await;
    let key = world.server.admin_key();
    let token = granted(&world.server, &key).await;
    let body = Plan::device(&device).ttl(600).0.to_string();
    let heard = |moment: i64| {
        let (query, timestamp) = (format!("action=createJob&orgId={}", key.org_id), moment.to_string());
        let call = SignedCall {
            token: &token,
            query: &query,
            body: body.as_bytes(),
            timestamp: &timestamp,
        };
        let signature = call.sign(&key.app_secret);
        let (token, body) = (token.clone(), body.clone());
        move |idempotency: Option<&str>| {
            let mut headers = vec![
                ("apim-accesstoken", token.as_str()),
                ("apim-timestamp", &timestamp),
                ("apim-signature", &signature),
            ];
            headers.extend(idempotency.map(|key| ("Idempotency-Key", key)));
            request("POST", &format!("{COMMANDS}?{query}"), &headers, body.as_bytes())
        }
    };
    let now = now_ms();
    let (plain, keyed) = (heard(now), heard(now + 1));
    let stamp = stamp_of_its_own();
    assert_eq!(
        crate::harness::token(world.server.http, &key, &stamp).await.body["status"],
        0
    );
    let made = exchange(world.server.http, &plain(None)).await.unwrap();
    made.data();
    let at = world.server.http;
    let sent = [(); 8].map(|()| {
        let bytes = keyed(Some("k"));
        tokio::spawn(async move { exchange(at, &bytes).await.unwrap().data().clone() })
    });
    let mut first = Value::Null;
    for sent in sent {
        let job = sent.await.unwrap();
        assert!(
            first.is_null() || first == job,
            "one job, however many repetitions come at once"
        );
        first = job;
    }
    for _ in 0..2 {
        let at = world.server.http;
        exchange(at, &plain(None))
            .await
            .unwrap()
            .fails(401, 401, "authentication");
        exchange(at, &plain(Some("k2"))).await.unwrap().fails(401, 401, "");
        exchange(at, &keyed(None)).await.unwrap().fails(401, 401, "");
        assert_eq!(*exchange(at, &keyed(Some("k"))).await.unwrap().data(), first);
        assert_eq!(crate::harness::token(at, &key, &stamp).await.body["status"], 1001);
        world.server.kill_and_start_again();
    }
    let jobs = world.api.command("searchJob", &json!({})).await;
    assert_eq!(jobs.body["pagination"]["totalSize"], 2);
}
