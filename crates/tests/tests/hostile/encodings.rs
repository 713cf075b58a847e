//! Bodies in the wrong clothes: other encodings, compressed, in chunks that are none, with two lengths.

use aldis_tests::mutation::{Rng, corpus, mutated};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{COMMANDS, Plan, World, exchange};

/// What the server says to these bytes until it closes; the sender ends its side after them.
async fn said(world: &World, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(world.server.http).await.unwrap();
    drop(socket.write_all(bytes).await);
    drop(socket.shutdown().await);
    let mut answer = Vec::new();
    // Closed with a reset is closed.
    drop(socket.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(more: &str) -> Vec<u8> {
    format!("POST {COMMANDS}?action=createJob&orgId=o1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
        .into_bytes()
}

async fn nothing_left(world: &World) {
    let left = world.api.command("searchJob", &json!({})).await;
    assert_eq!(left.body["pagination"]["totalSize"], 0, "{}", left.body);
}

#[tokio::test]
async fn a_body_in_another_encoding_is_refused_and_does_nothing() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let body = Plan::device(&device).ttl(600).0.to_string();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| body.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let latin1 = [body.replace("a job", "").as_bytes(), b"\xe9"].concat();
    // The first bytes of what gzip makes of anything; packed bodies are not read.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x4a\x54\xb2\x32\xac\x05\x00".to_vec();
    let utf32: Vec<u8> = body.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    for (body, encoding) in [
        (utf16(u16::to_le_bytes), "charset=utf-16"),
        (utf16(u16::to_be_bytes), "charset=utf-8"),
        (utf32, "charset=utf-32"),
        (latin1, "charset=iso-8859-1"),
        (gzip, "charset=utf-8\r\nContent-Encoding: gzip"),
    ] {
        let more = format!(
            "Content-Type: application/json; {encoding}\r\nContent-Length: {}\r\n",
            body.len()
        );
        let answer = exchange(world.server.http, &[head(&more), body].concat())
            .await
            .unwrap();
        match encoding.contains("gzip") {
            true => answer.fails(415, 415, "Content-Encoding"),
            false => answer.fails(400, 99400, ""),
        }
    }
    nothing_left(&world).await;
}

#[tokio::test]
async fn framing_that_makes_no_sense_is_refused_or_cut_off() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let body = Plan::device(&device).ttl(600).0.to_string();
    let head = |more: &str| head(&format!("Content-Type: application/json\r\n{more}"));
    let chunked = |chunks: &str| [head("Transfer-Encoding: chunked\r\n"), chunks.into()].concat();
    let requests = [
        chunked("nonsense\r\n\r\n"),
        chunked("ffffffffffffffff\r\n{}"),
        chunked("-1\r\n{}\r\n0\r\n\r\n"),
        chunked("3\r\n{}\r\n"),
        chunked(&format!("{:x}\r\n{body}", body.len() + 5)),
        [
            head(&format!("Content-Length: 2\r\nContent-Length: {}\r\n", body.len())),
            body.clone().into(),
        ]
        .concat(),
        [head("Content-Length: -5\r\n"), body.clone().into()].concat(),
        [head("Content-Length: 12abc\r\n"), body.clone().into()].concat(),
        b"POST / HTTP/9.9\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        [b"GET /".to_vec(), vec![b'a'; 1 << 20]].concat(),
        head(&"X-Header: value\r\n".repeat(5000)),
    ];
    for request in requests {
        let answer = said(&world, &request).await;
        let fine = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(
            fine,
            "{answer:?} to {:?}",
            String::from_utf8_lossy(&request[..request.len().min(300)])
        );
    }
    nothing_left(&world).await;
}

#[tokio::test]
async fn bytes_that_are_nearly_a_request_kill_nothing() {
    let world = World::open().await;
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../http-api/tests/corpus/create_job");
    let samples: Vec<Vec<u8>> = corpus(&samples)
        .into_iter()
        .map(|body| {
            [
                head(&format!(
                    "Content-Type: application/json\r\nContent-Length: {}\r\n",
                    body.len()
                )),
                body,
            ]
            .concat()
        })
        .collect();
    let mut rng = Rng::new(1);
    for _ in 0..1000 {
        let answer = said(&world, &mutated(&mut rng, &samples)).await;
        let fine = answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 200");
        assert!(fine, "{answer:?}");
    }
    nothing_left(&world).await;
}
