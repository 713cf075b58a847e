//! Callers that send a byte a second: cut off when the documented time is over, while others are served.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{COMMANDS, World};

/// Callers of each kind.
const SLOW: usize = 50;

/// Sends a byte a second; how long it could, and what it was told.
async fn drip(world: &World, at_once: &str) -> (Duration, String) {
    let begun = Instant::now();
    let socket = TcpStream::connect(world.server.http).await.unwrap();
    let (mut read, mut write) = socket.into_split();
    write.write_all(at_once.as_bytes()).await.unwrap();
    let dripping = async {
        while write.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut told = Vec::new();
    tokio::select! {
        () = dripping => {}
        // Closed with a reset is closed.
        _closed = read.read_to_end(&mut told) => {}
    }
    (begun.elapsed(), String::from_utf8_lossy(&told).into_owned())
}

async fn all_drip(world: &World, at_once: &str) -> Vec<(Duration, String)> {
    let drips: Vec<_> = (0..SLOW).map(|_| Box::pin(drip(world, at_once))).collect();
    let mut ended = Vec::new();
    for drip in futures(drips).await {
        ended.push(drip);
    }
    ended
}

/// Runs them side by side.
async fn futures<F: Future>(mut all: Vec<std::pin::Pin<Box<F>>>) -> Vec<F::Output> {
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        all.retain_mut(|future| match future.as_mut().poll(cx) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

/// Calls all the while; the slowest answer.
async fn meanwhile(world: &World) -> Duration {
    let mut slowest = Duration::ZERO;
    loop {
        let begun = Instant::now();
        world.api.command("searchJob", &json!({})).await.data();
        slowest = slowest.max(begun.elapsed());
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn slow_bodies_and_headers_are_cut_off_in_time_and_hold_nobody_up() {
    let world = World::open().await;
    let body = format!(
        "POST {COMMANDS}?action=createJob&orgId=o1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{{"
    );
    let head = format!("POST {COMMANDS}?action=createJob&orgId=o1 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    let slow = async { tokio::join!(all_drip(&world, &body), all_drip(&world, &head)) };
    let (bodies, heads) = tokio::select! {
        slow = slow => slow,
        _slowest = meanwhile(&world) => unreachable!("it calls for ever"),
    };
    for (took, told) in bodies {
        assert!((28..40).contains(&took.as_secs()), "{took:?}");
        assert!(
            told.starts_with("HTTP/1.1 400") && told.contains("within 30 s"),
            "{told}"
        );
    }
    for (took, told) in heads {
        assert!((8..20).contains(&took.as_secs()), "{took:?}");
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
    }
}
