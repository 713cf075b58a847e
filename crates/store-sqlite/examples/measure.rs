//! How fast the embedded store is, in figures: registration, product jobs over the whole fleet, steps in random order,
//! searches, and opening it all again. `cargo run --release -p aldis-store-sqlite --example measure -- [devices]
//! [jobs]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people who measure"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use aldis_core::command::{Command, Qos};
use aldis_core::expression::Filter;
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::policy::Policy;
use aldis_core::task::{AttemptTimes, Outcome, OutcomeNotes, State, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Actor, JobText, Model, NewDevice, NewJob, Product, Secret, TargetScope};
use aldis_store::{
    Done, Epoch, JobTasks, OnlineDevices, Page, ReadDevices, ReadJobs, ReadQueues, StepWrite, Store, Write,
};
use aldis_store_sqlite::{Options, SqliteReader, SqliteStore, open};
use serde_json::json;

const SLICE: usize = 10_000;
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let devices = arguments.next().unwrap_or(100_000);
    let jobs = arguments.next().unwrap_or(5);
    let dir = tempfile::tempdir().unwrap();
    let (mut store, reader) = open_dir(&dir);
    timed("register devices", devices, || register(&mut store, devices));
    let before = size(&dir);
    let mut last = JobNo(0);
    for _ in 0..jobs {
        last = product_job(&mut store, &reader, devices);
    }
    println!(
        "{:40} {:10.1} B per waiting task",
        "disk",
        (size(&dir) - before) / (devices * jobs) as f64
    );
    timed("facts with a full look at the queues", devices, || {
        let numbers: Vec<_> = (1..=devices as u64).map(DeviceNo).collect();
        assert_eq!(reader.device_facts(&numbers).unwrap().len(), devices);
    });
    timed("queues of 1000 devices", 1000, || {
        reader.queued(&(1..=1000).map(DeviceNo).collect::<Vec<_>>()).unwrap();
    });
    for rows in [200, 2_000, 10_000] {
        steps(&mut store, &reader, last, rows);
    }
    println!(
        "{:40} {:10.1} B per task",
        "disk after the steps",
        (size(&dir) - before) / (devices * jobs) as f64
    );
    searches(&reader, last);
    timed("a job with its counters", 1, || reader.job(last).unwrap());
    drop((store, reader));
    timed("open", 1, || drop(open_dir(&dir)));
}

fn open_dir(dir: &tempfile::TempDir) -> (SqliteStore, SqliteReader) {
    open(dir.path(), &Options { key: None, readers: 2 }).unwrap()
}

fn timed<T>(what: &str, count: usize, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what:40} {:10.2} ms {:12.0} per s",
        seconds * 1e3,
        count as f64 / seconds
    );
    result
}

fn size(dir: &tempfile::TempDir) -> f64 {
    std::fs::metadata(dir.path().join("aldis.db")).unwrap().len() as f64
}

fn by() -> Actor {
    Actor {
        app_key: None,
        address: None,
        request_id: "measure".to_owned(),
    }
}

fn register(store: &mut SqliteStore, devices: usize) {
    let org = OrgId::from("o");
    let model = Model {
        org: org.clone(),
        id: "m".into(),
        document: json!({"modelId": "m"}),
        created: NOW,
        updated: NOW,
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
        created: NOW,
        created_by: None,
        updated: NOW,
        updated_by: None,
    };
    store
        .commit(
            Epoch::SOLE,
            NOW,
            &[Write::CreateModel(model), Write::CreateProduct(product)],
        )
        .unwrap();
    let new = |number: usize| NewDevice {
        org: org.clone(),
        product: "p".into(),
        key: format!("device-{number}").as_str().into(),
        asset: format!("asset-{number:08}").as_str().into(),
        secret: Secret("0123456789abcdef".to_owned()),
        name: I18nText::plain(format!("Device {number}")),
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: BTreeMap::from([("power".to_owned(), json!(number % 100))]),
        tags: BTreeMap::from([("floor".to_owned(), (number % 10).to_string())]),
    };
    let numbers: Vec<usize> = (0..devices).collect();
    for slice in numbers.chunks(1000) {
        store
            .commit(
                Epoch::SOLE,
                NOW,
                &[Write::register(slice.iter().map(|number| new(*number)).collect())],
            )
            .unwrap();
    }
}

/// Creates a job over the whole product, triggers it and writes all its rows.
fn product_job(store: &mut SqliteStore, reader: &SqliteReader, devices: usize) -> JobNo {
    let job = NewJob {
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
        command: Command::SetMeasurepoint {
            measurepoint_id: "x".to_owned(),
            value: json!(1),
        },
        policy: Policy {
            ttl_ms: 3_600_000,
            reply_timeout_ms: 30_000,
            retry: None,
        },
        release: NOW,
        devices: None,
        idempotency: None,
        by: by(),
    };
    let no = match store.commit(Epoch::SOLE, NOW, &[Write::CreateJob(job)]).unwrap().done[..] {
        [Done::Job { no, .. }] => no,
        ref other => panic!("{other:?}"),
    };
    timed("trigger", 1, || {
        store
            .commit(Epoch::SOLE, NOW, &[Write::TriggerJob { job: no }])
            .unwrap()
    });
    let mut reading = std::time::Duration::ZERO;
    timed("members and rows, slices of 10,000", devices, || {
        let mut next = reader.job(no).unwrap().unwrap().job.range.first.unwrap();
        loop {
            let job = reader.job(no).unwrap().unwrap().job;
            let start = Instant::now();
            let members = reader.members(&job, SLICE).unwrap();
            reading += start.elapsed();
            let Some(last) = members.last() else { break };
            let cursor = last.device;
            let tasks = members
                .iter()
                .zip(next.0..)
                .map(|(facts, number)| queued(no, TaskNo(number), facts.device));
            let tasks: Vec<_> = tasks.collect();
            next.0 += tasks.len() as u64;
            let after = job.members.unwrap().cursor;
            store
                .commit(
                    Epoch::SOLE,
                    NOW,
                    &[Write::WriteTasks {
                        job: no,
                        after,
                        cursor,
                        tasks,
                    }],
                )
                .unwrap();
        }
    });
    println!(
        "{:40} {:10.2} ms",
        "  of it reading members",
        reading.as_secs_f64() * 1e3
    );
    no
}

fn queued(job: JobNo, no: TaskNo, device: DeviceNo) -> StepWrite {
    let task = Task {
        state: State::Queued,
        ..Task::new(no, device, NOW)
    };
    StepWrite {
        job,
        from: (State::Init, AttemptNo(0)),
        task,
        wake_at: None,
        ended: Vec::new(),
    }
}

/// Publishes tasks in random order, `rows` a commit.
fn steps(store: &mut SqliteStore, reader: &SqliteReader, no: JobNo, rows: usize) {
    let job = reader.job(no).unwrap().unwrap().job;
    let mut tasks = reader.job_tasks(&job, JobTasks::All, None, usize::MAX).unwrap();
    // A multiplicative walk: every row once, neighbours far apart.
    let count = tasks.len() as u64;
    tasks.sort_by_key(|task| (task.no.0 - job.range.first.unwrap().0).wrapping_mul(2_654_435_761) % count.max(1));
    tasks.truncate(40_000);
    let writes: Vec<Vec<StepWrite>> = tasks
        .chunks(rows)
        .map(|slice| slice.iter().map(|task| moved_on(no, task)).collect())
        .collect();
    timed(&format!("steps in random order, {rows} a commit"), tasks.len(), || {
        for slice in writes {
            let expected = vec![true; slice.len()];
            let done = store.commit(Epoch::SOLE, NOW, &[Write::Steps(slice)]).unwrap().done;
            assert_eq!(done, [Done::Steps(expected)]);
        }
    });
}

fn moved_on(job: JobNo, task: &Task) -> StepWrite {
    let from = (task.state, task.attempt);
    let later = |ms| Some(NOW.plus_ms(ms));
    let next = if task.state == State::Queued {
        let times = AttemptTimes {
            intent: later(5_000),
            ..AttemptTimes::default()
        };
        Task {
            state: State::Published,
            attempt: AttemptNo(1),
            times,
            updated: NOW.plus_ms(5_000),
            ..task.clone()
        }
    } else {
        let result = Outcome {
            code: 0,
            desc: "OK".to_owned(),
            output: None,
            sent: true,
            notes: OutcomeNotes::default(),
        };
        let times = AttemptTimes {
            intent: later(5_000),
            handed: later(5_003),
            acked: later(5_020),
            ended: later(5_080),
        };
        let state = if task.no.0.is_multiple_of(1000) {
            State::Failed
        } else {
            State::Succeeded
        };
        Task {
            state,
            times,
            result: Some(result),
            updated: NOW.plus_ms(5_080),
            ..task.clone()
        }
    };
    StepWrite {
        job,
        from,
        task: next,
        wake_at: None,
        ended: Vec::new(),
    }
}

fn searches(reader: &SqliteReader, job: JobNo) {
    let org = OrgId::from("o");
    let id = job.to_job_id();
    let deep = Page {
        skip: 99_000,
        take: 1000,
    };
    let first = Page { skip: 0, take: 1000 };
    let of_job = format!("jobId = '{id}'");
    let failed = format!("{of_job} and status = 'FAILED'");
    for (what, text, page) in [
        ("all tasks, first 1000", "", first),
        ("all tasks, 1000 after 99,000", "", deep),
        ("a job's tasks, first 1000", &of_job, first),
        ("a job's FAILED tasks, first 1000", &failed, first),
        ("tasks not SUCCEED, 1000 after 99,000", "status != 'SUCCEED'", deep),
        ("tasks of one device", "deviceKey = 'device-777'", first),
        ("tasks of one asset", "assetId = 'asset-00000777'", first),
        ("tasks of a product, first 1000", "productKey = 'p'", first),
    ] {
        let filter = (!text.is_empty()).then(|| Filter::parse(text).unwrap());
        let found = timed(what, 1, || reader.search_tasks(&org, filter.as_ref(), page).unwrap());
        println!("{:40} {:10} of {}", "", found.rows.len(), found.total);
    }
    let online: OnlineDevices = (0..100_000).step_by(2).map(DeviceNo).collect();
    for text in [
        "",
        "status = 'online'",
        "deviceTags.floor = '7'",
        "deviceName like 'DEVICE 77'",
    ] {
        let filter = (!text.is_empty()).then(|| Filter::parse(text).unwrap());
        let found = timed(&format!("devices: {text}"), 1, || {
            reader.search_devices(&org, filter.as_ref(), &online, first).unwrap()
        });
        println!("{:40} {:10} of {}", "", found.rows.len(), found.total);
    }
}
