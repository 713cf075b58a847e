//! What a connection costs while nothing happens on it.

use std::mem::{size_of, size_of_val};

use super::bench::Bench;
use crate::connection_handle::ConnectionHandle;
use crate::login::live;
use aldis_net::shutdown;

/// A connection's task: what it needs until its end, and nothing of its login.
const TASK_MAX_BYTES: usize = 616;
/// What its task and the orders' share.
const LINE_MAX_BYTES: usize = 232;

#[tokio::test]
async fn an_idle_connection_keeps_nothing_of_its_login() {
    let bench = Bench::open(1).await;
    let stream = tokio::net::TcpStream::connect(bench.mqtt).await.unwrap();
    let (_stop, stopped) = shutdown::channel();
    let task = live(bench.gateway.clone(), (stream, None), bench.mqtt, stopped, None);
    assert!(size_of_val(&task) <= TASK_MAX_BYTES, "{}", size_of_val(&task));
    assert!(
        size_of::<ConnectionHandle>() <= LINE_MAX_BYTES,
        "{}",
        size_of::<ConnectionHandle>()
    );
}
