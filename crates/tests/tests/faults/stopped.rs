//! SIGTERM while callers create jobs and a fleet answers: exit code 0 in time, and what was answered is there, once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fleet::{Busy, create_as, jobs};
use crate::harness::{COMMANDS, Plan, World, eventually, request};

/// Callers at a time.
const CALLERS: usize = 8;
/// Jobs that have been answered when the server is told to stop.
const ANSWERED: usize = 30;
/// A stop may take so long.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What each key was answered: a job, or nothing that the caller could read.
type Told = Arc<Mutex<BTreeMap<String, Option<String>>>>;

/// What a server says that may stop at any moment; `None` if it accepts no connection any more.
async fn answer(http: SocketAddr, bytes: &[u8]) -> Option<String> {
    let mut socket = TcpStream::connect(http).await.ok()?;
    drop(socket.write_all(bytes).await);
    let mut answer = Vec::new();
    // Cut off is cut off, however.
    drop(socket.read_to_end(&mut answer).await);
    Some(String::from_utf8(answer).unwrap())
}

async fn call_until_it_is_gone(http: SocketAddr, told: Told, caller: usize, plan: Plan) {
    let target = format!("{COMMANDS}?action=createJob&orgId=o1");
    let body = plan.0.to_string();
    for call in 0_u32.. {
        let key = format!("{caller} {call}");
        let bytes = request("POST", &target, &[("Idempotency-Key", &key)], body.as_bytes());
        let Some(text) = answer(http, &bytes).await else { return };
        let body = text
            .split_once("\r\n\r\n")
            .and_then(|(_, body)| serde_json::from_str::<Value>(body).ok());
        let job = body.and_then(|body| {
            let code = body["code"].as_i64();
            assert!(code == Some(0) || text.starts_with("HTTP/1.1 503"), "{text}");
            body["data"].as_str().map(str::to_owned)
        });
        told.lock().unwrap().insert(key, job);
    }
}

fn answered(told: &Told) -> usize {
    told.lock().unwrap().values().flatten().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_amid_calls_and_replies_keeps_every_answer_and_doubles_nothing() {
    let mut world = World::open().await;
    let mut busy = Busy::with_jobs(&world, 3).await;
    let absent = world.device("absent").await;
    let plan = Plan::device(&absent).ttl(600);
    let told = Told::default();
    let http = world.server.http;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| tokio::spawn(call_until_it_is_gone(http, Arc::clone(&told), caller, plan.clone())))
        .collect();
    eventually("answered calls", || async {
        (answered(&told) >= ANSWERED).then_some(())
    })
    .await;
    let (status, took) = world.server.terminate();
    assert!(
        status.success() && took < STOP_WITHIN,
        "{status} after {took:?}:\n{}",
        world.server.log()
    );
    for caller in callers {
        caller.await.unwrap();
    }
    world.server.start_again();
    let told = std::mem::take(&mut *told.lock().unwrap());
    for (key, job) in &told {
        let again = create_as(&world, key, &plan).await;
        let now = again.data().as_str().unwrap();
        assert!(
            job.as_deref().is_none_or(|job| job == now),
            "{key} was answered with {job:?}, now it is {now}"
        );
        assert_eq!(world.client.statistics(now).await.unwrap().data.total, 1);
    }
    assert_eq!(jobs(&world).await, 3 + told.len(), "one job for each key");
    busy.jobs.push(world.create(&busy.plan()).await);
    busy.ends_well(&world).await;
}
