//! Arbitrary and nearly right bytes, connect storms and readers that never read, against the devices' port, while a
//! well-behaved device goes on being served.
//!
//! `ALDIS_FUZZ_SECONDS` makes it longer than 15 s, `ALDIS_FUZZ_SEED` another one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aldis_client::TaskStatus;
use aldis_simulator::DeviceIdentity;
use aldis_tests::mutation::{Rng, mutated};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Plan, World};
use crate::packets::packet;

const SECONDS: u64 = 15;
/// Hostile peers at a time.
const PEERS: u64 = 12;
/// What all of them together may make the server's memory grow by: each can have one packet of 512 KiB under way, a
/// megabyte unread, and leaves pieces of the allocator behind.
const GROWTH_MAX: u64 = 64 << 20;
/// What it may grow by in the second half of the run: nothing adds up.
const GROWTH_LATER_MAX: u64 = 16 << 20;
/// The good device's job has to be done within this time, from call to counted reply.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn text(of: &str) -> Vec<u8> {
    [&u16::try_from(of.len()).unwrap().to_be_bytes()[..], of.as_bytes()].concat()
}

fn connect(identity: &DeviceIdentity) -> Vec<u8> {
    let login = identity.login();
    let strings = [&login.client_id, &login.user_name, &login.password].map(|string| text(string));
    packet(
        0x10,
        &[b"\x00\x04MQTT\x04\xc2\x00\x3c".to_vec(), strings.concat()].concat(),
    )
}

fn publish(flags: u8, topic: &str, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let id = if flags & 0b0110 == 0 {
        vec![]
    } else {
        packet_id.to_be_bytes().to_vec()
    };
    packet(0x30 | flags, &[text(topic), id, payload.to_vec()].concat())
}

/// Whole sessions as a device of the vendor's libraries would send them, as far as the server lets it.
fn sessions(identity: &DeviceIdentity) -> Vec<Vec<u8>> {
    let reply = br#"{"id":"1000000000000004097","code":200,"data":{"product":42},"message":""}"#;
    let post = br#"{"id":"1","version":"1.0","params":{"measurepoints":{"temperature":1}},"method":"thing.measurepoint.post"}"#;
    let talk = [
        packet(
            0x82,
            &[b"\x00\x01".to_vec(), text("/sys/pump/bad/thing/service/+"), vec![1]].concat(),
        ),
        publish(0b0010, "/sys/pump/bad/thing/measurepoint/post", 2, post),
        publish(0b0000, "/sys/pump/bad/thing/event/hot/post", 0, post),
        publish(0b0010, "/sys/pump/bad/thing/service/multiply_reply", 2, reply),
        publish(0b0010, "/sys/pump/good/thing/service/multiply_reply", 3, reply),
        publish(0b0010, "/sys/pump/bad/thing/model/up_raw", 4, b"\x00\xff\x00"),
        publish(0b0100, "/sys/pump/bad/thing/measurepoint/post", 5, post),
        packet(0x40, b"\x00\x01"),
        packet(0xc0, b""),
        packet(0xa2, &[b"\x00\x02".to_vec(), text("/sys/#")].concat()),
        packet(0xe0, b""),
    ];
    let mut sessions: Vec<Vec<u8>> = talk
        .iter()
        .map(|packet| [connect(identity), packet.clone()].concat())
        .collect();
    sessions.push([vec![connect(identity)], talk.to_vec()].concat().concat());
    sessions.push(talk.concat());
    sessions
}

struct Hostile<'w> {
    world: &'w World,
    identity: &'w DeviceIdentity,
    sessions: Vec<Vec<u8>>,
    rng: Rng,
}

impl Hostile<'_> {
    async fn act(&mut self) {
        match self.rng.below(16) {
            0 => self.storm().await,
            1 => self.never_reads().await,
            2 => self.too_large().await,
            3 => self.says_nothing().await,
            4..6 => {
                let bytes: Vec<u8> = (0..self.rng.below(3000)).map(|_| self.rng.byte()).collect();
                self.say(&bytes).await;
            }
            // In, and then rubbish: what comes before the login is a small part of the path.
            6..10 => {
                let rest = mutated(&mut self.rng, &self.sessions[..]);
                self.say(&[connect(self.identity), rest].concat()).await;
            }
            _ => {
                let bytes = mutated(&mut self.rng, &self.sessions[..]);
                self.say(&bytes).await;
            }
        }
    }

    async fn socket(&self) -> Option<TcpStream> {
        TcpStream::connect(self.world.server.mqtt).await.ok()
    }

    /// Sends in pieces, reads for a moment, and goes away without a word.
    async fn say(&mut self, bytes: &[u8]) {
        let Some(mut socket) = self.socket().await else { return };
        let cut = self.rng.below(bytes.len() + 1);
        for piece in [&bytes[..cut], &bytes[cut..]] {
            if !matches!(
                timeout(Duration::from_secs(1), socket.write_all(piece)).await,
                Ok(Ok(()))
            ) {
                return;
            }
            tokio::task::yield_now().await;
        }
        let mut told = [0; 4096];
        // Whatever it says or does not say, the connection is dropped after it.
        drop(timeout(Duration::from_millis(100), socket.read(&mut told)).await);
    }

    /// Many connections at once: half say CONNECT, half nothing.
    async fn storm(&mut self) {
        let mut sockets = Vec::new();
        for n in 0..100 {
            let Some(mut socket) = self.socket().await else {
                continue;
            };
            if n % 2 == 0 {
                drop(socket.write_all(&connect(self.identity)).await);
            }
            sockets.push(socket);
        }
        drop(sockets);
    }

    /// Asks and asks, and never reads an answer.
    async fn never_reads(&mut self) {
        let Some(mut socket) = self.socket().await else { return };
        let question = publish(
            0b0010,
            "/sys/pump/bad/thing/tsltemplate/get",
            1,
            br#"{"id":"1","params":{}}"#,
        );
        let bytes = [connect(self.identity), question.repeat(20_000)].concat();
        drop(timeout(Duration::from_secs(2), socket.write_all(&bytes)).await);
    }

    async fn too_large(&mut self) {
        let payload = vec![b'x'; 400 << 10 << self.rng.below(3)];
        let bytes = publish(0b0010, "/sys/pump/bad/thing/measurepoint/post", 1, &payload);
        self.say(&[connect(self.identity), bytes].concat()).await;
    }

    async fn says_nothing(&mut self) {
        let socket = self.socket().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(socket);
    }
}

/// Jobs for a device that behaves, one after another, until the time is over; how many.
async fn good_device(world: &World, until: Instant) -> u32 {
    let mut device = world.connected("good").await;
    let mut served = 0;
    while Instant::now() < until {
        let begun = Instant::now();
        let job = world.create(&Plan::device(device.identity()).ttl(60)).await;
        let command = device.next_command().await.unwrap();
        device.answer(&command, 200, json!({})).await.unwrap();
        world.task_in(&job, TaskStatus::Succeed).await;
        assert!(begun.elapsed() < SERVED_WITHIN, "{:?} for one command", begun.elapsed());
        served += 1;
    }
    device.ping().await.unwrap();
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_devices_neither_kill_nor_fill_the_server_nor_hold_up_a_good_one() {
    let world = World::open().await;
    let bad = world.device("bad").await;
    let seed = setting("ALDIS_FUZZ_SEED", 1);
    let length = Duration::from_secs(setting("ALDIS_FUZZ_SECONDS", SECONDS));
    let before = world.server.peak_memory();
    let begun = Instant::now();
    let acts = AtomicU64::new(0);
    let half_way = AtomicU64::new(0);
    let hostile = async |peer: u64| {
        let sessions = sessions(&bad);
        let rng = Rng::new(seed.wrapping_mul(PEERS).wrapping_add(peer));
        let mut hostile = Hostile {
            world: &world,
            identity: &bad,
            sessions,
            rng,
        };
        loop {
            hostile.act().await;
            acts.fetch_add(1, Ordering::Relaxed);
            if begun.elapsed() > length / 2 && half_way.load(Ordering::Relaxed) == 0 {
                half_way.store(world.server.peak_memory(), Ordering::Relaxed);
            }
        }
    };
    let peers = async {
        tokio::join!(
            hostile(0),
            hostile(1),
            hostile(2),
            hostile(3),
            hostile(4),
            hostile(5),
            hostile(6),
            hostile(7),
            hostile(8),
            hostile(9),
            hostile(10),
            hostile(11)
        )
        .0
    };
    let served = tokio::select! {
        () = peers => unreachable!("they go on for ever"),
        served = good_device(&world, begun + length) => served,
    };
    let (after, half_way, acts) = (world.server.peak_memory(), half_way.into_inner(), acts.into_inner());
    println!(
        "{acts} hostile connections, {served} commands served beside them, {} KiB more",
        (after - before) / 1024
    );
    assert!(served >= 5, "only {served} commands were served");
    assert!(after - before < GROWTH_MAX, "{} KiB more", (after - before) / 1024);
    assert!(
        after - half_way < GROWTH_LATER_MAX,
        "{} KiB more in the second half",
        (after - half_way) / 1024
    );
    let log = world.server.log();
    assert!(!log.contains("panic") && !log.contains("ERROR"), "{log}");
}
