//! What only shows on a real socket: bodies that break off or are too large, keep-alive, the stop of the server.

use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::fleet::Fleet;
use super::world::World;
use crate::{BYTES_MAX, serve};
use aldis_app::App;

const TARGET: &str = "/model-service/v2.1/thing-models?action=search&orgId=o1";

/// Connections that these tests may have at a time.
const CONNECTIONS_MAX: usize = 3;

struct Served {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    stopped: JoinHandle<()>,
}

async fn served() -> Served {
    serving(World::open().await.app).await
}

async fn serving(app: App) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, wait) = oneshot::channel::<()>();
    let stopped = tokio::spawn(serve(listener, CONNECTIONS_MAX, app, async {
        drop(wait.await);
    }));
    Served { address, stop, stopped }
}

async fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.address).await.unwrap()
}

/// Reads one answer: its status and its body.
async fn answer(socket: &mut TcpStream) -> (u16, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, rest) = head.split_once("content-length: ").unwrap();
    let mut body = vec![0; rest.split("\r\n").next().unwrap().parse().unwrap()];
    socket.read_exact(&mut body).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn post(length: usize) -> String {
    format!(
        "POST {TARGET} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_connection_carries_one_request_after_another() {
    let served = served().await;
    let mut socket = connect(&served).await;
    for _ in 0..3 {
        socket.write_all(format!("{}{{}}", post(2)).as_bytes()).await.unwrap();
        let (status, body) = answer(&mut socket).await;
        assert_eq!((status, &body["code"]), (200, &json!(0)));
    }
}

#[tokio::test]
async fn the_longest_idle_connection_makes_room_for_the_next_caller() {
    let served = served().await;
    let mut callers = Vec::new();
    for _ in 0..=CONNECTIONS_MAX {
        let mut socket = connect(&served).await;
        socket.write_all(format!("{}{{}}", post(2)).as_bytes()).await.unwrap();
        assert_eq!(answer(&mut socket).await.0, 200);
        callers.push(socket);
    }
    assert_eq!(callers[0].read(&mut [0; 1]).await.unwrap(), 0, "it is closed");
    let last = callers.last_mut().unwrap();
    last.write_all(format!("{}{{}}", post(2)).as_bytes()).await.unwrap();
    assert_eq!(answer(last).await.0, 200);
}

/// Callers of a device that never answers.
async fn waiting(served: &Served, fleet: &Fleet, count: usize) -> Vec<TcpStream> {
    let device = "productKey=productKey&deviceKey=deviceKey";
    let target = format!("/connect-service/v2.1/commands?action=invokeService&orgId=o1&{device}&serviceId=serviceId");
    let mut callers = Vec::new();
    for _ in 0..count {
        let mut socket = connect(served).await;
        let request = format!(
            "POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        callers.push(socket);
    }
    until_wait(fleet, count).await;
    callers
}

async fn until_wait(fleet: &Fleet, count: usize) {
    while fleet.waited_for() != count {
        tokio::task::yield_now().await;
    }
}

/// Asks whether the server is up, a while after having connected; what is answered.
async fn health(served: &Served) -> u16 {
    let mut socket = connect(served).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    socket
        .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    answer(&mut socket).await.0
}

#[tokio::test]
async fn who_has_just_come_is_heard_although_all_others_wait_for_devices() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let served = serving(fleet.world.app.clone()).await;
    let callers = waiting(&served, &fleet, CONNECTIONS_MAX - 1).await;
    for _ in 0..20 {
        assert_eq!(health(&served).await, 200);
    }
    let mut silent = connect(&served).await;
    for _ in 0..3 {
        assert_eq!(health(&served).await, 200);
    }
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0, "it has had its moment");
    assert_eq!(fleet.waited_for(), callers.len());
}

#[tokio::test]
async fn a_caller_that_hangs_up_gives_its_place_back_and_its_command_goes_on() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let served = serving(fleet.world.app.clone()).await;
    for abruptly in [false, true] {
        let callers = waiting(&served, &fleet, CONNECTIONS_MAX).await;
        for socket in callers {
            let linger = abruptly.then_some(std::time::Duration::ZERO);
            SockRef::from(&socket).set_linger(linger).unwrap();
        }
        until_wait(&fleet, 0).await;
        assert_eq!(health(&served).await, 200);
    }
    let found = fleet
        .call("searchTask", json!({"expression": "status in ('QUEUED', 'PUBLISHED')"}))
        .await;
    assert_eq!(found.body["pagination"]["totalSize"], 2 * CONNECTIONS_MAX);
}

#[tokio::test]
async fn a_caller_that_closes_its_side_is_told_at_once_where_to_look() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let served = serving(fleet.world.app.clone()).await;
    let mut caller = waiting(&served, &fleet, 1).await.remove(0);
    caller.shutdown().await.unwrap();
    let (status, body) = answer(&mut caller).await;
    assert_eq!((status, &body["code"]), (503, &json!(99500)));
    let message = body["msg"].as_str().unwrap();
    assert!(message.contains("is stored") && message.contains("get it"), "{message}");
    // Every other answer comes however late it is: nothing waits there.
    let mut caller = connect(&served).await;
    caller.write_all(format!("{}{{}}", post(2)).as_bytes()).await.unwrap();
    caller.shutdown().await.unwrap();
    assert_eq!(answer(&mut caller).await.0, 200);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_answered_with_400() {
    let served = served().await;
    let mut socket = connect(&served).await;
    socket
        .write_all(format!("{}{{\"half\":", post(100)).as_bytes())
        .await
        .unwrap();
    socket.shutdown().await.unwrap();
    let (status, body) = answer(&mut socket).await;
    assert_eq!(
        (status, &body["code"], &body["data"]),
        (400, &json!(99400), &Value::Null)
    );
    assert!(body["msg"].as_str().unwrap().starts_with("body: "), "{body}");
}

#[tokio::test]
async fn the_sender_of_a_body_that_is_too_large_gets_to_see_the_answer() {
    let served = served().await;
    let mut socket = connect(&served).await;
    let length = BYTES_MAX * 2;
    socket.write_all(post(length).as_bytes()).await.unwrap();
    socket.write_all(&vec![b' '; length]).await.unwrap();
    let (status, body) = answer(&mut socket).await;
    assert_eq!((status, &body["code"]), (413, &json!(413)));
}

#[tokio::test]
async fn a_stop_closes_idle_connections_and_ends() {
    let served = served().await;
    let mut socket = connect(&served).await;
    socket.write_all(format!("{}{{}}", post(2)).as_bytes()).await.unwrap();
    answer(&mut socket).await;
    served.stop.send(()).unwrap();
    assert_eq!(
        socket.read(&mut [0; 1]).await.unwrap(),
        0,
        "the idle connection is closed"
    );
    served.stopped.await.unwrap();
    TcpStream::connect(served.address).await.unwrap_err();
}

#[tokio::test]
async fn a_stop_lets_a_request_under_way_finish() {
    let served = served().await;
    let mut socket = connect(&served).await;
    socket.write_all(format!("{}{{", post(2)).as_bytes()).await.unwrap();
    // One round trip on another connection: by then the first request has been accepted.
    let mut other = connect(&served).await;
    other.write_all(format!("{}{{}}", post(2)).as_bytes()).await.unwrap();
    answer(&mut other).await;
    served.stop.send(()).unwrap();
    socket.write_all(b"}").await.unwrap();
    let (status, body) = answer(&mut socket).await;
    assert_eq!((status, &body["code"]), (200, &json!(0)));
    served.stopped.await.unwrap();
}
