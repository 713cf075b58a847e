//! HTTP as bytes on a socket, so that a test can say anything, and signatures made step by step.

use std::net::SocketAddr;
use std::time::Duration;

use aldis_client::AccessKey;
use aldis_protocol::api_signature::{SignedCall, encrypt_token_request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::{moment_of_its_own, now_ms};

/// Longer than the server's own limits on slow senders.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
pub(crate) const COMMANDS: &str = "/connect-service/v2.5/commands";

/// An answer: status, head and body.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Answered {
    /// Its code.
    pub(crate) fn code(&self) -> i64 {
        self.body["code"].as_i64().unwrap_or(i64::MIN)
    }

    /// The data of an answer that has to be a success.
    #[track_caller]
    pub(crate) fn data(&self) -> &Value {
        assert_eq!((self.status, self.code()), (200, 0), "{}", self.body);
        &self.body["data"]
    }

    /// Demands a failure in the documented envelope, with this status and code, whose message contains `part`.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: i64, part: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.body);
        let fields: Vec<&String> = self.body.as_object().unwrap().keys().collect();
        let always: Vec<_> = fields.into_iter().filter(|name| *name != "field").collect();
        assert_eq!(always, ["code", "data", "msg", "requestId"], "{}", self.body);
        assert_eq!(self.body["data"], Value::Null);
        assert_eq!(self.body["requestId"].as_str().map(str::len), Some(36), "{}", self.body);
        let message = self.body["msg"].as_str().unwrap();
        assert!(message.contains(part), "`{part}` not in `{message}`");
    }
}

/// Sends these bytes and reads the whole answer; `None` if the server closes without one.
pub(crate) async fn exchange(to: SocketAddr, request: &[u8]) -> Option<Answered> {
    let mut socket = TcpStream::connect(to).await.unwrap();
    // A server that refuses a large request closes while it is still being sent.
    drop(socket.write_all(request).await);
    let mut answer = Vec::new();
    let read = tokio::time::timeout(ANSWER_WITHIN, socket.read_to_end(&mut answer)).await;
    drop(read.expect("an answer in time"));
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body:?}"));
    Some(Answered {
        status,
        head: head.to_owned(),
        body,
    })
}

/// The bytes of a request.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A caller that says everything itself: one organization, signed with one key or unsigned.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) http: SocketAddr,
    pub(crate) org: String,
    key: Option<(AccessKey, String)>,
}

impl Api {
    /// Calls without signature.
    pub(crate) fn unsigned(http: SocketAddr, org: &str) -> Self {
        Self {
            http,
            org: org.to_owned(),
            key: None,
        }
    }

    /// Signed calls; fetches a token.
    pub(crate) async fn signed(http: SocketAddr, key: AccessKey) -> Self {
        let granted = token(http, &key, &now_ms().to_string()).await;
        let token = granted.body["data"]["accessToken"]
            .as_str()
            .unwrap_or_else(|| panic!("{}", granted.body))
            .to_owned();
        Self {
            http,
            org: key.org_id.clone(),
            key: Some((key, token)),
        }
    }

    /// An action on command jobs. `query` is what follows `action=`.
    pub(crate) async fn command(&self, query: &str, body: &Value) -> Answered {
        self.post(COMMANDS, query, body).await
    }

    /// An action anywhere, with a body.
    pub(crate) async fn post(&self, path: &str, query: &str, body: &Value) -> Answered {
        self.send("POST", path, query, &[], body.to_string().as_bytes()).await
    }

    /// An action anywhere, without a body.
    pub(crate) async fn get(&self, path: &str, query: &str) -> Answered {
        self.send("GET", path, query, &[], b"").await
    }

    /// A request in the name of the organization.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answered {
        let bytes = self.bytes(method, path, query, headers, body);
        exchange(self.http, &bytes).await.expect("an answer")
    }

    /// The bytes of such a request.
    pub(crate) fn bytes(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let query = format!("action={query}&orgId={}", self.org);
        let timestamp = moment_of_its_own().to_string();
        let signed = self.key.as_ref().map(|(key, token)| {
            let call = SignedCall {
                token,
                query: &query,
                body,
                timestamp: &timestamp,
            };
            (token, call.sign(&key.app_secret))
        });
        let mut headers = headers.to_vec();
        if let Some((token, signature)) = &signed {
            headers.extend([
                ("apim-accesstoken", token.as_str()),
                ("apim-timestamp", &timestamp),
                ("apim-signature", signature),
            ]);
        }
        request(method, &format!("{path}?{query}"), &headers, body)
    }
}

/// Asks for a token.
pub(crate) async fn token(http: SocketAddr, key: &AccessKey, timestamp: &str) -> Answered {
    let encryption = encrypt_token_request(&key.app_key, timestamp, &key.app_secret);
    let body = json!({"appKey": key.app_key, "encryption": encryption, "timestamp": timestamp}).to_string();
    let bytes = request("POST", "/apim-token-service/v2.0/token/get", &[], body.as_bytes());
    exchange(http, &bytes).await.expect("an answer")
}
