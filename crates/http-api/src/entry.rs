//! The way in for every request: path, action, method, body, caller, then the action itself.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aldis_core::violation::Violation;
use aldis_protocol::api_signature::SignedCall;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::FutureExt as _;
use serde_json::Value;

use super::action::{Action, Running};
use super::body::Budget;
use super::call::Call;
use super::envelope::{self, Answer};
use super::error::{self, Failing};
use super::health::{self, Probe};
use super::ignored;
use super::query::Query;
use super::rate_limit::{RateLimit, ServerClock};
use super::rooms::{Room, Rooms};
use super::socket::Peer;
use super::{body, local_only, openapi, strict, tokens};
use aldis_app::access::Signed;
use aldis_app::{App, Caller, Error};
use aldis_net::idle::TrackedConnection;

/// For this long after it has closed its side a caller is still answered.
const GONE_AFTER: Duration = Duration::from_millis(200);

/// The header that makes a call a signed one.
const SIGNATURE: &str = "apim-signature";

/// Every action, by path.
pub(super) struct Table {
    pub(super) actions: Vec<Action>,
    by_path: HashMap<&'static str, Vec<usize>>,
}

/// The one table of this server.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(super::actions()));

impl Table {
    fn new(actions: Vec<Action>) -> Self {
        let mut by_path: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, action) in actions.iter().enumerate() {
            for path in action.paths {
                by_path.entry(*path).or_default().push(index);
            }
        }
        Self { actions, by_path }
    }

    fn on_path(&self, path: &str) -> Option<(&'static str, Vec<&Action>)> {
        let (path, indices) = self.by_path.get_key_value(path)?;
        Some((
            path,
            indices.iter().filter_map(|index| self.actions.get(*index)).collect(),
        ))
    }
}

/// What every request passes.
#[derive(Clone)]
pub(super) struct Entrance {
    app: App,
    limit: Option<Arc<RateLimit>>,
    probe: Arc<Probe>,
    bodies: Arc<Rooms>,
    answers: Arc<Rooms>,
}

/// The memory of one call.
struct CallRooms {
    body: Room,
    answer: Room,
}

impl Entrance {
    pub(super) fn new(app: App) -> Self {
        let limit = app.settings().rate_limit_per_second;
        let limit = limit.map(|per_second| Arc::new(RateLimit::new(per_second, ServerClock(app.clone()))));
        Self {
            app,
            limit,
            probe: Arc::default(),
            bodies: Rooms::new(),
            answers: Rooms::new(),
        }
    }

    /// Whose memory a call may use, from its headers alone. The signature covers the body, so the token decides before
    /// there is a body to verify it with. Under `--no-auth` unsigned calls are known callers.
    async fn rooms(&self, headers: &HeaderMap) -> Result<CallRooms, Error> {
        let key = match signed(headers, "", &[])? {
            Some(signed) => Some(self.app.bearer(signed.call.token).await?),
            None if self.app.settings().no_auth => None,
            None => return Err(Error::Unauthenticated("no access token")),
        };
        Ok(CallRooms {
            body: self.bodies.of(key.clone()),
            answer: self.answers.of(key),
        })
    }

    fn charge(&self, caller: &Caller) -> Result<(), Failing> {
        match &self.limit {
            Some(limit) if !limit.admits(caller) => {
                Err(Failing::gateway(StatusCode::TOO_MANY_REQUESTS, limit.message()))
            }
            _ => Ok(()),
        }
    }
}

/// Answers a request; a panic inside an action costs that request alone.
pub(super) async fn answer(State(entrance): State<Entrance>, request: Request) -> Response {
    let request_id = entrance.app.rng().uuid();
    let peer = request.extensions().get().and_then(Peer::address);
    let path = request.uri().path().to_owned();
    let answered = AssertUnwindSafe(route(&entrance, request, &request_id))
        .catch_unwind()
        .await;
    let failing = match answered {
        Ok(Ok(response)) => return response,
        Ok(Err(failing)) => failing,
        Err(_) => Failing::caused_by(&Error::Internal("a request panicked".to_owned())),
    };
    error::log(&failing, &path, &request_id, peer);
    envelope::failure(&failing, &request_id)
}

async fn route(entrance: &Entrance, request: Request, request_id: &str) -> Result<Response, Failing> {
    let app = &entrance.app;
    if app.settings().no_auth {
        local_only::check_origin(request.uri(), request.headers())?;
    }
    let path = single_slashes(request.uri().path());
    match path.as_str() {
        "/openapi.json" => return on_get(&request, openapi::response),
        health::LIVE => return on_get(&request, health::live),
        health::HEALTH | health::READY => {
            only_get(&request)?;
            return Ok(entrance.probe.ready(app).await);
        }
        tokens::GET | tokens::REFRESH => return Ok(tokens::answer(app, request, path == tokens::REFRESH).await),
        _ => {}
    }
    let Some((path, actions)) = TABLE.on_path(&path) else {
        return Ok(unknown(&path, request_id));
    };
    let query_text = request.uri().query().unwrap_or_default().to_owned();
    let query = Query::read(&query_text);
    let action = find(&actions, query.get("action"))?;
    let by_get = action.reads || may_change_by_get(request.headers(), app.settings().no_auth);
    if let Some(refused) = wrong_method(request.method(), by_get, request_id) {
        return Ok(refused);
    }
    if !action.reads && !is_signed(request.headers()) && app.settings().no_auth {
        local_only::check_media_type(request.headers())?;
    }
    body::check_encoding(request.headers())?;
    let (parts, body) = request.into_parts();
    let name = action.names.first().copied().unwrap_or_default();
    let rooms = match entrance.rooms(&parts.headers).await {
        Ok(rooms) => rooms,
        Err(refused) => {
            idle_while(parts.extensions.get(), body::discard(body)).await;
            return Err(Failing::caused_by(&refused));
        }
    };
    let held = body::receive(body, &Budget::Caller(rooms.body))
        .await
        .map_err(|unreadable| Failing::from(&unreadable))?;
    let outcome = async {
        let signed = signed(&parts.headers, &query_text, &held.bytes)?;
        let peer: Option<Peer> = parts.extensions.get().cloned();
        let mut caller = Caller {
            address: peer
                .as_ref()
                .and_then(Peer::address)
                .map(|peer| peer.ip().to_canonical()),
            ..app.caller(signed, query.get("orgId"), request_id).await?
        };
        if let Err(refused) = entrance.charge(&caller) {
            return Ok(Err(refused));
        }
        action.needs.check(&caller, name)?;
        let body = match body::parse(&held.bytes) {
            Ok(body) => body,
            Err(unreadable) => return Ok(Err(Failing::from(&unreadable))),
        };
        let idempotency_key = header(&parts.headers, "idempotency-key");
        let mut claim = None;
        if !action.reads {
            strict::check(action, &parts.method, &query, &body)?;
            match &signed {
                Some(signed) => {
                    let may_repeat = action.doc.idempotent && idempotency_key.is_some();
                    claim = app.use_up(signed, &mut caller, may_repeat).await?;
                }
                None => app.make_organization(&caller).await?,
            }
        }
        // What was read from the body takes memory until the action has ended.
        let _share = held.share;
        drop(held.bytes);
        let call = Call {
            caller,
            path,
            action: name,
            query,
            body,
            idempotency_key,
            peer,
        };
        let answered = run(action, app, call).await;
        if let Some(claim) = claim {
            app.keep(claim).await;
        }
        answered.map(Ok)
    };
    match outcome.await {
        Ok(Ok(answer)) => Ok(answer.into_response(request_id, &rooms.answer)),
        Ok(Err(failing)) => Err(failing),
        Err(refused) => Err(Failing::caused_by(&refused)),
    }
}

/// The API's generation before this one, whose clients read `status` and take an absent one for success.
const OLDER_GENERATION: &str = "/connectService";

/// No such path.
fn unknown(path: &str, request_id: &str) -> Response {
    let older = path
        .strip_prefix(OLDER_GENERATION)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !older {
        let failing = Failing::gateway(StatusCode::NOT_FOUND, format!("no such path: {path}"));
        return envelope::failure(&failing, request_id);
    }
    let message = format!(
        "no such path: {path}; this generation of the API (connectService) is not served: use connect-service, \
         docs/api.md lists its paths"
    );
    envelope::failure_with_status(&Failing::gateway(StatusCode::NOT_FOUND, message), request_id)
}

/// Awaits the body of a caller that is not known. Until it is there the connection counts as idle, so that slow bodies
/// of strangers take no place from other callers.
pub(super) async fn idle_while<T>(connection: Option<&Arc<TrackedConnection>>, body: impl Future<Output = T>) -> T {
    match connection {
        Some(member) => member.idle_while(body).await,
        None => body.await,
    }
}

/// Gives up what only reads when its caller has gone. A caller that closes its side alone gets its answer if that takes
/// no longer than a moment: over TCP the two look the same.
async fn unless_gone(peer: Peer, running: Running) -> Result<Answer, Error> {
    let gone = async {
        peer.left().await;
        tokio::time::sleep(GONE_AFTER).await;
    };
    tokio::select! {
        outcome = running => outcome,
        () = gone => Err(Error::CallerGone),
    }
}

/// Carries an action out. One that only reads is given up when its caller has gone; one that changes something says
/// which members of the body it has ignored.
async fn run(action: &Action, app: &App, call: Call) -> Result<Answer, Error> {
    if action.reads {
        let peer = call.peer.clone();
        let running = (action.run)(app.clone(), call);
        return match peer {
            Some(peer) => unless_gone(peer, running).await,
            None => running.await,
        };
    }
    let parameters: Vec<&str> = action.known().collect();
    let running = async {
        if action.doc.body.is_none() {
            let members = call.body.as_object().into_iter().flatten();
            members
                .filter(|(_, value)| !value.is_null())
                .for_each(|(name, _)| ignored::note_name(name));
        }
        (action.run)(app.clone(), call).await
    };
    let (answered, ignored) = ignored::noting(&parameters, running).await;
    answered.map(|answer| answer.warned(ignored))
}

fn on_get(request: &Request, answer: impl FnOnce() -> Response) -> Result<Response, Failing> {
    only_get(request).map(|()| answer())
}

fn only_get(request: &Request) -> Result<(), Failing> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Failing::gateway(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET is possible here",
        )),
    }
}

/// The page of one documented sample has two slashes in a row.
fn single_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !single.ends_with('/') {
            single.push(c);
        }
    }
    if single.len() > 1 && single.ends_with('/') {
        single.pop();
    }
    single
}

fn find<'a>(actions: &[&'a Action], wanted: Option<&str>) -> Result<&'a Action, Failing> {
    let found = wanted.and_then(|wanted| actions.iter().find(|action| action.names.contains(&wanted)));
    found.copied().ok_or_else(|| {
        let known: Vec<&str> = actions
            .iter()
            .filter_map(|action| action.names.first().copied())
            .collect();
        let found = wanted.map_or(Value::Null, Value::from);
        let violation = Violation::of(&found, format!("one of {}", known.join(", "))).within("action");
        Failing::from(&Error::Invalid(violation))
    })
}

/// Whether a change may come by GET, as the vendor's samples send some: a web page can make a browser get anything, but
/// can neither sign, nor name the media type of JSON without asking first.
fn may_change_by_get(headers: &HeaderMap, no_auth: bool) -> bool {
    is_signed(headers) || (no_auth && local_only::check_media_type(headers).is_ok())
}

fn wrong_method(method: &Method, by_get: bool, request_id: &str) -> Option<Response> {
    let (fits, allowed) = match by_get {
        true => (*method == Method::GET || *method == Method::POST, "GET, POST"),
        false => (*method == Method::POST, "POST"),
    };
    if fits {
        return None;
    }
    let message = format!("method: expected {allowed}, found {method}");
    let failing = Failing::gateway(StatusCode::METHOD_NOT_ALLOWED, message);
    let mut response = envelope::failure(&failing, request_id);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    Some(response)
}

/// Whether the call claims to be signed. One that only carries a token is not: the vendor's Python client sends no
/// more.
fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key(SIGNATURE)
}

/// What the call is signed with; `None` if it is not signed at all.
fn signed<'a>(headers: &'a HeaderMap, query: &'a str, body: &'a [u8]) -> Result<Option<Signed<'a>>, Error> {
    if !is_signed(headers) {
        return Ok(None);
    }
    let get = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    match (get("apim-accesstoken"), get(SIGNATURE), get("apim-timestamp")) {
        (Some(token), Some(signature), Some(timestamp)) => Ok(Some(Signed {
            call: SignedCall {
                token,
                query,
                body,
                timestamp,
            },
            signature,
        })),
        _ => Err(Error::Unauthenticated("one of the three headers is missing")),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_in_a_row_count_as_one() {
        for (path, expected) in [
            ("/a//b/", "/a/b"),
            ("//", "/"),
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("///a", "/a"),
        ] {
            assert_eq!(single_slashes(path), expected, "{path}");
        }
    }

    #[test]
    fn no_name_reads_on_one_path_and_changes_on_another() {
        // A signature covers the name of the action and not the path: a read must not become a change on another one.
        let names = |reads: bool| -> std::collections::BTreeSet<&str> {
            let actions = TABLE.actions.iter().filter(|action| action.reads == reads);
            actions.flat_map(|action| action.names.iter().copied()).collect()
        };
        let both: Vec<_> = names(true).intersection(&names(false)).copied().collect();
        assert_eq!(both, Vec::<&str>::new());
    }

    #[test]
    fn no_two_actions_share_a_path_and_a_name() {
        let mut seen = std::collections::HashSet::new();
        for action in &TABLE.actions {
            for path in action.paths {
                for name in action.names {
                    assert!(seen.insert((path, name)), "{path}?action={name}");
                }
            }
        }
    }
}
