//! A server of a few lines that answers as a test tells it, also by hanging up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// Status and body, or `None` to close the connection without an answer.
pub(crate) type Reply = Option<(u16, String)>;

pub(crate) struct FakeServer {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl FakeServer {
    /// Serves until the test's runtime ends. `reply` gets each request and how many came before it on the same path.
    pub(crate) async fn start(reply: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (reply, log) = (Arc::new(reply), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&reply), Arc::clone(&log)));
            }
        });
        Self { url, seen }
    }

    /// Requests so far whose target contains `part`.
    pub(crate) fn seen(&self, part: &str) -> Vec<Request> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|request| request.target.contains(part))
            .cloned()
            .collect()
    }
}

async fn serve<R>(mut socket: TcpStream, reply: Arc<R>, log: Arc<Mutex<Vec<Request>>>)
where
    R: Fn(&Request, usize) -> Reply,
{
    let mut received = Vec::new();
    loop {
        let request = loop {
            if let Some((request, used)) = parse(&received) {
                received.drain(..used);
                break request;
            }
            match socket.read_buf(&mut received).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let answer = {
            let mut log = log.lock().unwrap();
            let path = request.target.split('?').next().unwrap();
            let before = log.iter().filter(|past| past.target.starts_with(path)).count();
            log.push(request.clone());
            reply(&request, before)
        };
        let Some((status, body)) = answer else { return };
        let text = format!("HTTP/1.1 {status} Fake\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if socket.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(Request, usize)> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_end]).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let body = bytes.get(head_end..head_end + length)?;
    let request = Request {
        method: first.next().unwrap().to_owned(),
        target: first.next().unwrap().to_owned(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    Some((request, head_end + length))
}
