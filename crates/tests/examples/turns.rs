//! What a task costs the writer's thread, without network: a fleet of present devices that answer at once, real engine,
//! real store. `cargo run --release -p aldis-tests --example turns -- [devices] [jobs] [rounds] [events in a turn]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for people who measure"
)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aldis_core::command::{Command, Qos};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, JobNo, OrgId};
use aldis_core::policy::Policy;
use aldis_core::task::{Reply, State};
use aldis_core::time::Timestamp;
use aldis_engine::clock::Reading;
use aldis_engine::link::{AnswerTo, DeviceEvent, DeviceLink, Kinds, Order, Outgoing, SessionNo};
use aldis_engine::writer::{Inbox, WriterRequest};
use aldis_engine::{Engine, Ports, Shared, Wake};
use aldis_store::rows::{Actor, JobText, Model, NewDevice, NewJob, Product, Secret, TargetScope};
use aldis_store::{Epoch, ReadJobs, Store, Write};
use aldis_store_sqlite::{Options, SqliteReader, SqliteStore, open};
use parking_lot::Mutex;
use serde_json::json;

/// Keeps what was sent.
#[derive(Default)]
struct Sent(Mutex<Vec<Outgoing>>);

impl DeviceLink for Sent {
    fn carry_out(&self, orders: Vec<Order>) {
        let mut sent = self.0.lock();
        for order in orders {
            if let Order::Publish(outgoing) = order {
                assert!(outgoing.gate.take());
                outgoing.gate.handed_over(now());
                sent.push(outgoing);
            }
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

struct World {
    engine: Engine,
    inbox: Arc<Inbox>,
    link: Arc<Sent>,
    reader: SqliteReader,
    devices: u64,
    jobs: u64,
    turns: u64,
    busy: Duration,
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let devices = arguments.next().unwrap_or(5_000);
    let jobs = arguments.next().unwrap_or(20);
    let rounds = arguments.next().unwrap_or(5);
    let events = usize::try_from(arguments.next().unwrap_or(1_000)).unwrap();
    let dir = tempfile::tempdir_in(".").unwrap();
    let (mut store, reader) = open(dir.path(), &Options { key: None, readers: 1 }).unwrap();
    register(&mut store, devices);
    let inbox = Inbox::new(|| {});
    let link = Arc::new(Sent::default());
    let engine = Engine::start(
        Ports {
            epoch: store.begin_epoch().unwrap(),
            store: Box::new(store),
            link: Arc::clone(&link) as _,
            inbox: Arc::clone(&inbox),
            observers: Vec::new(),
            shared: Shared::default(),
        },
        Reading::right(now()),
    )
    .unwrap();
    let mut world = World {
        engine,
        inbox,
        link,
        reader,
        devices,
        jobs: 0,
        turns: 0,
        busy: Duration::ZERO,
    };
    world.connect();
    for _ in 0..rounds {
        world.round(jobs, events);
    }
}

impl World {
    fn connect(&mut self) {
        for number in 1..=self.devices {
            let (session, device) = (SessionNo(number), DeviceNo(number));
            self.inbox.report(DeviceEvent::Connected { session, device });
            let kinds = Kinds::ALL;
            self.inbox.report(DeviceEvent::Ready { session, device, kinds });
        }
        while self.turn() == Wake::Now {}
    }

    fn turn(&mut self) -> Wake {
        let start = Instant::now();
        let wake = self.engine.run_once(Reading::right(now()));
        self.busy += start.elapsed();
        self.turns += 1;
        wake
    }

    fn round(&mut self, jobs: u64, events: usize) {
        (self.turns, self.busy) = (0, Duration::ZERO);
        for _ in 0..jobs {
            self.jobs += 1;
            let (answer, _nobody) = tokio::sync::oneshot::channel();
            assert!(self.inbox.submit(WriterRequest::Write {
                writes: vec![Write::CreateJob(job())],
                answer
            }));
        }
        let wanted = jobs * self.devices;
        let mut out: VecDeque<Outgoing> = VecDeque::new();
        let mut done = 0;
        while done < wanted {
            for outgoing in out.drain(..out.len().min(events)) {
                done += 1;
                self.answer(&outgoing);
            }
            self.turn();
            out.extend(self.link.0.lock().drain(..));
        }
        self.turn();
        let last = self.reader.job(JobNo(self.jobs)).unwrap().unwrap();
        assert_eq!(last.job.counters.of(State::Succeeded), self.devices);
        let us = self.busy.as_secs_f64() * 1e6;
        println!(
            "{wanted} tasks in {} turns: {:6.2} us a task, {:6.0} us a turn",
            self.turns,
            us / wanted as f64,
            us / self.turns as f64
        );
    }

    fn answer(&self, outgoing: &Outgoing) {
        let (device, wire) = (outgoing.device, outgoing.wire);
        self.inbox.report(DeviceEvent::Acked { device, wire });
        self.inbox.report(DeviceEvent::Replied {
            session: outgoing.session,
            device,
            wire: Some(wire),
            mentioned: None,
            to: AnswerTo::Service("spin".to_owned()),
            reply: Reply {
                code: Some(200),
                message: None,
                output: None,
            },
            packet: Some(1),
        });
    }
}

fn register(store: &mut SqliteStore, devices: u64) {
    let org = OrgId::from("o");
    let moment = now();
    let model = Model {
        org: org.clone(),
        id: "m".into(),
        document: json!({"modelId": "m"}),
        created: moment,
        updated: moment,
    };
    let product = Product {
        org: org.clone(),
        key: "p".into(),
        name: I18nText::plain("p"),
        secret: Secret("secret".to_owned()),
        desc: String::new(),
        gateway: false,
        json: true,
        tags: BTreeMap::new(),
        model: "m".into(),
        dynamic_activation: false,
        certificates: false,
        gateway_registers: false,
        former_secret: None,
        command_qos: Qos::default(),
        created: moment,
        created_by: None,
        updated: moment,
        updated_by: None,
    };
    store
        .commit(
            Epoch::SOLE,
            moment,
            &[Write::CreateModel(model), Write::CreateProduct(product)],
        )
        .unwrap();
    let new = |number: u64| NewDevice {
        org: org.clone(),
        product: "p".into(),
        key: format!("device-{number}").as_str().into(),
        asset: format!("asset-{number:08}").as_str().into(),
        secret: Secret("0123456789abcdef".to_owned()),
        name: I18nText::plain(format!("Device {number}")),
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: BTreeMap::new(),
        tags: BTreeMap::new(),
    };
    let numbers: Vec<u64> = (0..devices).collect();
    for slice in numbers.chunks(1000) {
        let devices = slice.iter().map(|number| new(*number)).collect();
        store.commit(Epoch::SOLE, moment, &[Write::register(devices)]).unwrap();
    }
}

fn job() -> NewJob {
    NewJob {
        org: OrgId::from("o"),
        text: JobText {
            name: I18nText::plain("job"),
            desc: String::new(),
            targets: TargetScope::Products {
                products: vec!["p".into()],
                entries: Vec::new(),
            },
            trigger: None,
            retry_enabled: false,
            retry_count: 0,
            retry_interval_s: 0,
        },
        command: Command::InvokeService {
            service_id: "spin".to_owned(),
            input: serde_json::Map::new(),
        },
        policy: Policy {
            ttl_ms: 20_000,
            reply_timeout_ms: 30_000,
            retry: None,
        },
        release: now(),
        devices: None,
        idempotency: None,
        by: Actor {
            app_key: None,
            address: None,
            request_id: "measure".to_owned(),
        },
    }
}
