use std::io::{BufRead, BufReader, Write};

use super::*;
use crate::peer::Peer;

#[tokio::test]
async fn asks_are_answered_once_they_are_met_and_the_fleet_ends_with_its_input() {
    let peer = Peer::bind().await;
    let plan = FleetPlan {
        devices: vec![("p".into(), "d".into(), "s".into())],
        ..FleetPlan::new(peer.addr())
    };
    let (input, mut asks) = std::io::pipe().unwrap();
    let (answers, output) = std::io::pipe().unwrap();
    let child = std::thread::spawn(move || serve_fleet(BufReader::new(input), output));
    let mut answers = BufReader::new(answers).lines();
    writeln!(asks, "{}", serde_json::to_string(&plan).unwrap()).unwrap();
    writeln!(asks, "{}", serde_json::to_string(&FleetRequest::Connected(1)).unwrap()).unwrap();
    let mut server = peer.let_in().await;
    let mut next = || serde_json::from_str::<Counts>(&answers.next().unwrap().unwrap()).unwrap();
    assert_eq!(next().connected, 1);

    server.command("/sys/p/d/thing/service/m", 9, 3).await;
    server.expect_puback(3).await;
    let (reply, _) = server.expect_publish().await;
    server.puback(reply.packet_id.unwrap()).await;
    writeln!(
        asks,
        "{}",
        serde_json::to_string(&FleetRequest::Acknowledged(1)).unwrap()
    )
    .unwrap();
    assert_eq!(next().commands, 1);

    drop(asks);
    child.join().unwrap().unwrap();
}
