//! A caller of the API that costs next to nothing itself: one keep-alive connection, requests put together by hand. The
//! scenarios that make thousands of calls a second use it, so that what they measure is the server.

use std::net::SocketAddr;
use std::sync::Arc;

use aldis_client::{AccessKey, Secret};
use aldis_protocol::api_signature::{SignedCall, encrypt_token_request};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TOKENS: &str = "/apim-token-service/v2.0/token/get";
/// More than any answer of these scenarios has.
const ANSWER_MAX_BYTES: usize = 4 << 20;

/// What signed calls are signed with.
#[derive(Debug)]
pub(super) struct Signer {
    secret: Secret,
    token: Secret,
}

impl Signer {
    /// Gets a token for this key.
    pub(super) async fn new(http: SocketAddr, key: &AccessKey) -> anyhow::Result<Arc<Self>> {
        let timestamp = now_ms();
        let request = json!({
            "appKey": key.app_key,
            "encryption": encrypt_token_request(&key.app_key, &timestamp, &key.app_secret),
            "timestamp": timestamp.parse::<u64>()?,
        });
        let mut caller = Caller::connect(http, None).await?;
        let answer: Value = serde_json::from_slice(caller.post(TOKENS, "", &request.to_string()).await?)?;
        let token = answer["data"]["accessToken"].as_str().context("no token")?;
        Ok(Arc::new(Self {
            secret: key.app_secret.clone(),
            token: token.into(),
        }))
    }
}

/// A connection.
pub(super) struct Caller {
    stream: TcpStream,
    signer: Option<Arc<Signer>>,
    input: Vec<u8>,
}

impl Caller {
    pub(super) async fn connect(http: SocketAddr, signer: Option<Arc<Signer>>) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(http).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            signer,
            input: Vec::new(),
        })
    }

    /// Makes a call and gives the body of its answer, which has HTTP status 200.
    pub(super) async fn post(&mut self, path: &str, query: &str, body: &str) -> anyhow::Result<&[u8]> {
        let signature = self.signer.as_deref().map(|signer| signed(signer, query, body));
        let request = format!(
            "POST {path}?{query} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json;charset=UTF-8\r\n\
             content-length: {}\r\n{}\r\n{body}",
            body.len(),
            signature.unwrap_or_default()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> anyhow::Result<&[u8]> {
        self.input.clear();
        loop {
            ensure!(self.input.len() < ANSWER_MAX_BYTES, "the answer does not end");
            let read = self.stream.read_buf(&mut self.input).await?;
            ensure!(read > 0, "the server has closed the connection");
            if let Some((body, end)) = extent(&self.input)?
                && self.input.len() >= end
            {
                return Ok(&self.input[body..end]);
            }
        }
    }
}

fn signed(signer: &Signer, query: &str, body: &str) -> String {
    let timestamp = now_ms();
    let call = SignedCall {
        token: &signer.token,
        query,
        body: body.as_bytes(),
        timestamp: &timestamp,
    };
    let signature = call.sign(&signer.secret);
    let token = &*signer.token;
    format!("apim-accesstoken: {token}\r\napim-signature: {signature}\r\napim-timestamp: {timestamp}\r\n")
}

fn now_ms() -> String {
    jiff::Timestamp::now().as_millisecond().to_string()
}

/// Where the body begins and ends; `None` while the head has not arrived.
fn extent(input: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&input[..end])?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "the server answers {head}");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>())
    });
    let body = end + 4;
    Ok(Some((body, body + length.context("an answer without a length")??)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_found_once_the_head_is_there() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx: y\r\n\r\n{}";
        assert_eq!(extent(&answer[..20]).unwrap(), None);
        assert_eq!(extent(answer).unwrap(), Some((answer.len() - 2, answer.len())));
        extent(b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}").unwrap_err();
    }
}
