//! What a call does on the wire: token, signature, repeats, errors, pages.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use aldis_client::{AccessKey, Call, Client, CommandInfo, Credentials, Error, NewJob, Target, TargetScope};
use serde_json::json;
use support::{FakeServer, Reply, Request};

const TOKEN_PATH: &str = "/apim-token-service/v2.0/token/";

fn key() -> AccessKey {
    AccessKey {
        org_id: "o1".into(),
        app_key: "demo-app-key".into(),
        app_secret: "demo-app-secret".into(),
    }
}

fn unsigned(server: &FakeServer) -> Client {
    Client::new(&server.url, Credentials::Unsigned { org_id: "o1".into() }).unwrap()
}

fn job() -> NewJob {
    let scope = TargetScope::devices([Target::keys("pk", "dk")]);
    NewJob::new("j", scope, CommandInfo::service("s", json!({})))
}

fn ok(data: &str) -> Reply {
    let text = format!(r#"{{"code":0,"msg":"OK","requestId":"r","data":{data}}}"#);
    Some((200, text))
}

fn refused(status: u16, code: i64) -> Reply {
    let text = format!(r#"{{"code":{code},"msg":"no","requestId":"r","data":null}}"#);
    Some((status, text))
}

fn token(number: usize, expire: u32) -> Reply {
    let text = format!(
        r#"{{"status":0,"msg":"SUCCESS","business":"apim-token-service","data":{{"accessToken":"t{number}","expire":{expire}}}}}"#
    );
    Some((200, text))
}

fn asks_for_token(request: &Request) -> bool {
    request.target.starts_with(TOKEN_PATH)
}

#[tokio::test]
async fn one_token_serves_many_signed_calls() {
    let server = FakeServer::start(|request, before| {
        if asks_for_token(request) {
            return token(before, 7200);
        }
        ok("null")
    })
    .await;
    let client = Client::new(&server.url, key()).unwrap();
    for _ in 0..3 {
        client.delete_job("j1").await.unwrap();
    }
    assert_eq!(server.seen(TOKEN_PATH).len(), 1);
    let calls = server.seen("deleteJob");
    assert_eq!(calls.len(), 3);
    assert_eq!(
        calls[0].target,
        "/connect-service/v2.5/commands?action=deleteJob&jobId=j1&orgId=o1"
    );
    assert_eq!(calls[0].headers["apim-accesstoken"], "t0");
    assert_eq!(calls[0].headers["apim-signature"].len(), 64);
}

#[tokio::test]
async fn a_token_near_its_end_is_refreshed() {
    let server = FakeServer::start(|request, _| match request.target.as_str() {
        target if target.ends_with("/token/get") => token(1, 30),
        target if target.ends_with("/token/refresh") => token(2, 7200),
        _ => ok("null"),
    })
    .await;
    let client = Client::new(&server.url, key()).unwrap();
    client.delete_job("a").await.unwrap();
    client.delete_job("b").await.unwrap();
    assert!(server.seen("/token/refresh")[0].body.contains(r#""accessToken":"t1""#));
    let used: Vec<_> = server.seen("deleteJob");
    assert_eq!(used[0].headers["apim-accesstoken"], "t1");
    assert_eq!(used[1].headers["apim-accesstoken"], "t2");
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_the_call_repeated() {
    let server = FakeServer::start(|request, before| {
        if asks_for_token(request) {
            return token(before, 7200);
        }
        match request.headers["apim-accesstoken"].as_str() {
            "t0" => refused(401, 1203),
            _ => ok("null"),
        }
    })
    .await;
    let client = Client::new(&server.url, key()).unwrap();
    client.delete_job("j1").await.unwrap();
    client.delete_job("j2").await.unwrap();
    assert_eq!(server.seen(TOKEN_PATH).len(), 2);
    assert_eq!(server.seen("jobId=j1").len(), 2);
    assert_eq!(server.seen("jobId=j2").len(), 1);
}

#[tokio::test]
async fn a_key_that_stays_refused_is_reported_and_not_tried_for_ever() {
    let server = FakeServer::start(|request, before| {
        if asks_for_token(request) {
            return token(before, 7200);
        }
        refused(401, 401)
    })
    .await;
    let client = Client::new(&server.url, key()).unwrap();
    let error = client.delete_job("j1").await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { code: 401, .. }), "{error:?}");
    assert_eq!(server.seen("deleteJob").len(), 2);
}

#[tokio::test]
async fn two_processes_in_one_millisecond_both_get_their_token() {
    let server = FakeServer::start(|request, before| {
        if !asks_for_token(request) {
            return ok("null");
        }
        match before {
            0 => Some((401, r#"{"status":1001,"msg":"repeated","data":null}"#.to_owned())),
            _ => token(1, 7200),
        }
    })
    .await;
    let client = Client::new(&server.url, key()).unwrap();
    client.delete_job("j1").await.unwrap();
    assert_eq!(server.seen(TOKEN_PATH).len(), 2);
}

#[tokio::test]
async fn an_unknown_access_key_is_unauthorized() {
    let denied = r#"{"status":1002,"msg":"appKey unknown","business":"apim-token-service","data":null}"#;
    let server = FakeServer::start(move |_, _| Some((401, denied.to_owned()))).await;
    let client = Client::new(&server.url, key()).unwrap();
    let error = client.delete_job("j1").await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { code: 1002, .. }), "{error:?}");
}

#[tokio::test]
async fn a_job_whose_answer_was_lost_is_sent_again_under_the_same_idempotency_key() {
    let server = FakeServer::start(|_, before| if before == 0 { None } else { ok(r#""42""#) }).await;
    let id = unsigned(&server).create_job(&job()).await.unwrap().data;
    assert_eq!(id, "42");
    let sent = server.seen("createJob");
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].headers["idempotency-key"], sent[1].headers["idempotency-key"]);
    assert_eq!(sent[0].body, sent[1].body);
}

#[tokio::test]
async fn two_jobs_have_two_idempotency_keys() {
    let server = FakeServer::start(|_, _| ok(r#""42""#)).await;
    let client = unsigned(&server);
    client.create_job(&job()).await.unwrap();
    client.create_job(&job()).await.unwrap();
    let sent = server.seen("createJob");
    assert_ne!(sent[0].headers["idempotency-key"], sent[1].headers["idempotency-key"]);
}

#[tokio::test]
async fn a_change_without_idempotency_key_is_sent_once() {
    let server = FakeServer::start(|_, _| None).await;
    let error = unsigned(&server).cancel_tasks("j1", None).await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert_eq!(server.seen("cancelTask").len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported_at_once() {
    // Port 1 is reserved and no process listens there.
    let client = Client::new("http://127.0.0.1:1", Credentials::Unsigned { org_id: "o1".into() }).unwrap();
    let started = std::time::Instant::now();
    let error = client.get_job("j1").await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn the_servers_refusal_comes_back_with_its_words() {
    let server = FakeServer::start(|_, _| refused(200, 24404)).await;
    let error = unsigned(&server).get_job("j1").await.unwrap_err();
    assert_eq!(error.code(), Some(24404));
    assert_eq!(error.to_string(), "no (code 24404, request r)");
}

#[tokio::test]
async fn an_answer_of_something_else_is_told_from_a_refusal() {
    let server = FakeServer::start(|_, _| Some((502, "<html>bad gateway</html>".to_owned()))).await;
    let error = unsigned(&server).get_job("j1").await.unwrap_err();
    assert!(matches!(error, Error::BadAnswer { status: 502, .. }), "{error:?}");
}

#[tokio::test]
async fn unsigned_calls_carry_an_organization_and_no_signature() {
    let server = FakeServer::start(|_, _| ok("null")).await;
    unsigned(&server).delete_job("a b&c").await.unwrap();
    let sent = &server.seen("deleteJob")[0];
    assert_eq!(
        (sent.method.as_str(), sent.headers.contains_key("apim-signature")),
        ("POST", false)
    );
    assert!(sent.target.ends_with("jobId=a+b%26c&orgId=o1"), "{}", sent.target);
}

#[tokio::test]
async fn a_call_may_name_another_organization() {
    let server = FakeServer::start(|_, _| ok("null")).await;
    let call = Call::get("/x", "get").query("orgId", "o2");
    unsigned(&server).send::<()>(call).await.unwrap();
    assert!(server.seen("/x")[0].target.ends_with("action=get&orgId=o2"));
}

#[tokio::test]
async fn a_walk_meets_every_row_once() {
    let server = FakeServer::start(|request, _| {
        let asked: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let (no, size) = (
            asked["pagination"]["pageNo"].as_u64()?,
            asked["pagination"]["pageSize"].as_u64()?,
        );
        let rows: Vec<_> = (0..5u64)
            .skip(usize::try_from((no - 1) * size).ok()?)
            .take(usize::try_from(size).ok()?)
            .map(|n| json!({"modelId": format!("m{n}")}))
            .collect();
        let page = json!({"pageNo": no, "pageSize": size, "totalSize": 5, "sortedBy": null});
        let answer = json!({"code": 0, "msg": "OK", "requestId": "r", "data": rows, "pagination": page});
        Some((200, answer.to_string()))
    })
    .await;
    let mut walk = unsigned(&server).models(None).page_size(2);
    let mut met = Vec::new();
    while let Some(model) = walk.next().await.unwrap() {
        met.push(model.model_id);
    }
    assert_eq!(met, ["m0", "m1", "m2", "m3", "m4"]);
    assert_eq!(server.seen("search").len(), 3);
}

#[tokio::test]
async fn what_the_server_wrote_is_kept_to_the_byte() {
    let server = FakeServer::start(|_, _| ok(r#"{"total": 3, "ours":  [1.50]}"#)).await;
    let answer = unsigned(&server).statistics("j1").await.unwrap();
    assert_eq!(answer.total, 3);
    assert_eq!(answer.raw(), r#"{"total": 3, "ours":  [1.50]}"#);
}

#[test]
fn addresses_that_cannot_work_are_refused_before_anything_is_sent() {
    for address in ["localhost:8080", "ftp://host", "http://host/?a=b", "nonsense"] {
        let outcome = Client::new(address, key());
        assert!(matches!(outcome, Err(Error::BadAddress { .. })), "{address}");
    }
    Client::new("https://example.org/prefix/", key()).unwrap();
}
