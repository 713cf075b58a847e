//! A whole API in one process: memory store, a writer that carries out plain asks, a clock with movable hands.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aldis_app::Presence;
use aldis_core::ids::DeviceNo;
use aldis_core::time::{Clock, Timestamp};
use aldis_store::rows::{AccessKey, ActionFilter, Organization, PastAction, Role, Secret};
use aldis_store::{Done, OnlineDevices, Read, Refusal, Store, Write};
use aldis_store_memory::MemoryStore;
use axum::Router;
use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::router;
use aldis_app::{App, BlockingPool, Parts, Settings, SystemRng};
use aldis_engine::Shared;
use aldis_engine::logins::to_check;
use aldis_engine::writer::{Inbox, Writer, WriterError, WriterRequest};
use aldis_test_support::{FailingStore, Faults};

pub(super) const NOW: i64 = 1_700_000_000_000;

/// An access key that exists from the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) app_key: &'static str,
    pub(super) secret: &'static str,
    pub(super) org: &'static str,
}

pub(super) const ADMIN: Key = Key {
    app_key: "admin-key",
    secret: "admin-secret",
    org: "o1",
};
pub(super) const OPERATOR: Key = Key {
    app_key: "operator-key",
    secret: "operator-secret",
    org: "o1",
};
pub(super) const READER: Key = Key {
    app_key: "reader-key",
    secret: "reader-secret",
    org: "o1",
};
pub(super) const STRANGER: Key = Key {
    app_key: "stranger-key",
    secret: "stranger-secret",
    org: "o2",
};

/// The key of the published examples.
const EXAMPLE: Key = Key {
    app_key: "demo-app-key",
    secret: "demo-app-secret",
    org: "o1",
};

/// The server's clock, and how far the wall clock is ahead of it.
#[derive(Default)]
pub(super) struct Hands {
    now: AtomicI64,
    wall_ahead: AtomicI64,
    doubt: Mutex<Option<String>>,
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Timestamp {
        self.now().plus_ms(self.wall_ahead.load(Ordering::SeqCst))
    }

    fn doubt(&self) -> Option<String> {
        self.doubt.lock().clone()
    }
}

#[derive(Default)]
pub(super) struct Online(Mutex<HashSet<DeviceNo>>);

impl Presence for Online {
    fn is_online(&self, device: DeviceNo) -> bool {
        self.0.lock().contains(&device)
    }

    fn online(&self) -> OnlineDevices {
        self.0.lock().iter().copied().collect()
    }
}

pub(super) struct World {
    pub(super) router: Router,
    pub(super) app: App,
    clock: Arc<Hands>,
    online: Arc<Online>,
    store: Arc<dyn Read>,
    /// Devices whose sessions were ended because their keys changed.
    pub(super) ended: Arc<Mutex<Vec<DeviceNo>>>,
    /// What goes wrong where the API looks up a few rows.
    pub(super) faults: Arc<Mutex<Faults>>,
}

/// An answer: its status and its body.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl Answered {
    /// The data of an answer that has to be a success.
    #[track_caller]
    pub(super) fn data(&self) -> &Value {
        assert_eq!(
            (self.status, &self.body["code"]),
            (StatusCode::OK, &json!(0)),
            "{}",
            self.body
        );
        &self.body["data"]
    }

    /// Checks that it is a failure with this status and code whose message contains `part`, in the envelope.
    #[track_caller]
    pub(super) fn fails(&self, status: u16, code: i32, part: &str) {
        assert_eq!(
            (self.status.as_u16(), &self.body["code"]),
            (status, &json!(code)),
            "{}",
            self.body
        );
        assert_eq!(self.body["data"], Value::Null);
        assert!(
            self.body["msg"].as_str().unwrap().contains(part),
            "{part} in {}",
            self.body
        );
        let fields: Vec<&String> = self.body.as_object().unwrap().keys().collect();
        let plain: Vec<&String> = fields.into_iter().filter(|name| *name != "field").collect();
        assert_eq!(plain, ["code", "data", "msg", "requestId"]);
        if let Some(field) = self.body["field"].as_str() {
            let message = self.body["msg"].as_str().unwrap();
            assert!(message.starts_with(field), "{field} in {}", self.body);
        }
        assert_eq!(self.body["requestId"].as_str().unwrap().len(), 36);
    }
}

impl World {
    /// A world where unsigned calls are accepted.
    pub(super) async fn open() -> Self {
        Self::with(Settings {
            no_auth: true,
            ..Settings::default()
        })
        .await
    }

    /// A world where calls have to be signed.
    pub(super) async fn locked() -> Self {
        Self::with(Settings::default()).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let ended = Arc::new(Mutex::new(Vec::new()));
        let sessions = Arc::clone(&ended);
        let mut world = Self::built(settings, |store, clock, _shared| writer(store, clock, sessions));
        world.ended = ended;
        world
    }

    /// A world with a writer of the caller's own.
    pub(super) fn built(settings: Settings, writer: impl FnOnce(MemoryStore, Arc<Hands>, &Shared) -> Writer) -> Self {
        let clock = Arc::new(Hands {
            now: AtomicI64::new(NOW),
            ..Hands::default()
        });
        let online = Arc::new(Online::default());
        let presence: Arc<dyn Presence> = Arc::<Online>::clone(&online);
        let mut store = MemoryStore::default();
        let reader: Arc<dyn Read> = Arc::new(store.clone());
        store.commit(store.epoch(), Timestamp(NOW), &first_rows()).unwrap();
        let faults = Arc::<Mutex<Faults>>::default();
        let rows = FailingStore {
            store: store.clone(),
            faults: Arc::clone(&faults),
        };
        let shared = Shared::default();
        let writer = writer(store, Arc::clone(&clock), &shared);
        let app = App::new(Parts {
            store: Arc::clone(&reader),
            devices: Arc::clone(&reader),
            rows: Arc::new(rows),
            blocking: Arc::new(BlockingPool),
            search_reader: Arc::new({
                let reader = Arc::clone(&reader);
                move |_budget| Arc::clone(&reader)
            }),
            searches_max: 1,
            writer,
            shared,
            clock: Arc::<Hands>::clone(&clock),
            presence,
            rng: Arc::new(SystemRng),
            token_key: [7; 32],
            settings,
        });
        Self {
            router: router(app.clone()),
            app,
            clock,
            online,
            store: reader,
            faults,
            ended: Arc::default(),
        }
    }

    pub(super) fn advance_ms(&self, ms: i64) {
        self.clock.now.fetch_add(ms, Ordering::SeqCst);
    }

    /// The wall clock is ahead of the server's by this.
    pub(super) fn set_wall_ahead(&self, ms: i64) {
        self.clock.wall_ahead.store(ms, Ordering::SeqCst);
    }

    /// The clock is in doubt for this reason.
    pub(super) fn doubt_clock(&self, why: &str) {
        *self.clock.doubt.lock() = Some(why.to_owned());
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now().0
    }

    pub(super) fn store(&self) -> &dyn Read {
        self.store.as_ref()
    }

    /// What was done to something, oldest first.
    pub(super) fn actions(&self, org: &str, subject: &str) -> Vec<PastAction> {
        let filter = ActionFilter {
            subject: Some(subject.to_owned()),
            ..ActionFilter::default()
        };
        let page = aldis_store::Page { skip: 0, take: 1000 };
        let mut found = self.store.search_actions(&org.into(), &filter, page).unwrap().rows;
        found.reverse();
        found
    }

    pub(super) fn set_online(&self, device: DeviceNo) {
        self.online.0.lock().insert(device);
    }

    /// Sends a request as it is.
    pub(super) async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        assert_eq!(response.headers()["content-type"], "application/json;charset=UTF-8");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answered {
            status,
            body: serde_json::from_slice(&bytes).unwrap(),
        }
    }

    /// An unsigned POST.
    pub(super) async fn post(&self, target: &str, body: Value) -> Answered {
        self.post_bytes(target, body.to_string()).await
    }

    pub(super) async fn post_bytes(&self, target: &str, body: impl Into<Body>) -> Answered {
        self.send(unsigned(target).body(body.into()).unwrap()).await
    }

    /// An unsigned GET.
    pub(super) async fn get(&self, target: &str) -> Answered {
        self.send(Request::get(target).body(Body::empty()).unwrap()).await
    }

    /// The answer to a request for a token.
    pub(super) async fn token(&self, key: Key) -> Value {
        // Each encryption works once, and every test asks at its own moment.
        self.advance_ms(1);
        let timestamp = self.now();
        let encryption = sha256(&[key.app_key, &timestamp.to_string(), key.secret]);
        let body = json!({"appKey": key.app_key, "encryption": encryption, "timestamp": timestamp});
        self.post("/apim-token-service/v2.0/token/get", body).await.body
    }

    /// A signed POST to a path; `query` without `orgId`, which is the key's own.
    pub(super) async fn signed(&self, key: Key, path: &str, query: &str, body: Value) -> Answered {
        let query = format!("{query}&orgId={}", key.org);
        // Each signature works once; and a token of its own would be a commit.
        self.advance_ms(1);
        let token = self
            .app
            .tokens()
            .current(&key.app_key.into(), self.app.now(), &SystemRng)
            .token;
        self.send(signed_request(self.now(), key, &token, path, &query, &body.to_string()))
            .await
    }
}

/// An unsigned POST, as a server without authentication takes it.
pub(super) fn unsigned(target: &str) -> Builder {
    Request::post(target).header("content-type", "application/json")
}

/// A signed POST, signed by hand.
pub(super) fn signed_request(now: i64, key: Key, token: &str, path: &str, query: &str, body: &str) -> Request<Body> {
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.sort_unstable();
    let parameters: String = parameters.into_iter().flat_map(|pair| pair.splitn(2, '=')).collect();
    let timestamp = now.to_string();
    Request::post(format!("{path}?{query}"))
        .header("apim-accesstoken", token)
        .header("apim-timestamp", &timestamp)
        .header(
            "apim-signature",
            sha256(&[token, &parameters, body, &timestamp, key.secret]),
        )
        .body(Body::from(body.to_owned()))
        .unwrap()
}

pub(super) fn sha256(parts: &[&str]) -> String {
    Sha256::digest(parts.concat())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn first_rows() -> Vec<Write> {
    let organization = |id: &str| {
        Write::CreateOrganization(Organization {
            id: id.into(),
            name: id.to_owned(),
            disabled: false,
            created: Timestamp(NOW),
        })
    };
    let key = |key: Key, role| {
        Write::CreateKey(AccessKey {
            app_key: key.app_key.into(),
            secret: Secret(key.secret.to_owned()),
            org: key.org.into(),
            role,
            name: String::new(),
            disabled: false,
            created: Timestamp(NOW),
        })
    };
    vec![
        organization("o1"),
        organization("o2"),
        key(ADMIN, Role::Admin),
        key(OPERATOR, Role::Operator),
        key(READER, Role::Reader),
        key(STRANGER, Role::Operator),
        key(EXAMPLE, Role::Reader),
    ]
}

/// A writer that carries out what the registry asks for.
fn writer(mut store: MemoryStore, clock: Arc<Hands>, ended: Arc<Mutex<Vec<DeviceNo>>>) -> Writer {
    let woken = Arc::new(Notify::new());
    let wake = Arc::clone(&woken);
    let inbox = Inbox::new(move || wake.notify_one());
    let writer = Writer::new(Arc::clone(&inbox));
    tokio::spawn(async move {
        loop {
            woken.notified().await;
            for request in inbox.take(usize::MAX, |_| false).requests {
                let mut one = |write| only(store.commit(store.epoch(), clock.now(), &[write]).unwrap().done);
                // A caller that has gone does not want its answer.
                match request {
                    WriterRequest::Write { writes, answer } => {
                        let committed = store.commit(store.epoch(), clock.now(), &writes).unwrap();
                        if let Some(asks) = to_check(&writes, Some(&committed)) {
                            inbox.check_sessions(asks);
                        }
                        drop(answer.send(Ok(committed.done)));
                    }
                    WriterRequest::DisableDevice {
                        device,
                        disabled,
                        by,
                        answer,
                    } => {
                        drop(answer.send(one(Write::DisableDevice { device, disabled, by })));
                    }
                    WriterRequest::DeleteDevice { device, by, answer } => {
                        drop(answer.send(one(Write::DeleteDevice { device, by })))
                    }
                    WriterRequest::EndSession { device } | WriterRequest::CheckSession { device } => {
                        ended.lock().push(device)
                    }
                    other => panic!("not of the registry: {other:?}"),
                }
            }
        }
    });
    writer
}

fn only(mut done: Vec<Done>) -> Result<(), WriterError> {
    match done.pop() {
        Some(Done::Refused(refusal)) => Err(WriterError::Refused(refusal)),
        Some(_) => Ok(()),
        None => Err(WriterError::Refused(Refusal::Missing)),
    }
}
