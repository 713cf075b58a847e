//! A job too large for a walk over its tasks: its shards tell every page of a search for states.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use aldis_core::command::{Command, Qos};
use aldis_core::expression::{Filter, TaskField, Value};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::policy::Policy;
use aldis_core::task::{State, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Actor, JobText, Model, NewDevice, NewJob, Product, Secret, TargetScope};
use aldis_store::{Epoch, Page, Read, ReadJobs, StepWrite, Store, Write, status_names};
use aldis_store_memory::MemoryStore;
use aldis_store_sqlite::{Options, SqliteStore, open};
use serde_json::json;

/// More than a walk is made over, and not a whole number of shards.
const LARGE: u64 = 20_500;
const SMALL: u64 = 7;

fn sqlite(dir: &Path) -> SqliteStore {
    open(dir, &Options { key: None, readers: 1 }).unwrap().0
}

/// Small jobs before and after two large ones; some of the steps are of rows written in the same commit.
fn content() -> Vec<Vec<Write>> {
    let sizes = [SMALL, LARGE, LARGE, SMALL, SMALL];
    let devices = (1..=LARGE).map(device).collect();
    let mut commits = vec![
        vec![Write::CreateModel(model())],
        vec![Write::CreateProduct(product())],
        vec![Write::register(devices)],
    ];
    commits.extend(sizes.map(|size| vec![job(size)]));
    commits.extend((1..=5).map(|number| vec![Write::TriggerJob { job: JobNo(number) }]));
    let firsts = sizes.iter().scan(1, |next, size| {
        let first = *next;
        *next += size;
        Some(first)
    });
    for ((job, size), first) in (1..).map(JobNo).zip(sizes).zip(firsts) {
        let steps: Vec<StepWrite> = (0..size).map(|place| step(job, first, place)).collect();
        commits.extend(steps.chunks(3000).map(|some| vec![Write::Steps(some.to_vec())]));
    }
    commits
}

fn model() -> Model {
    Model {
        org: "o".into(),
        id: "m".into(),
        document: json!({"modelId": "m", "name": {"defaultValue": "m"}}),
        created: Timestamp(1),
        updated: Timestamp(1),
    }
}

fn device(number: u64) -> NewDevice {
    NewDevice {
        org: "o".into(),
        product: "p".into(),
        key: format!("d{number}").as_str().into(),
        asset: format!("a{number}").as_str().into(),
        secret: Secret("s".to_owned()),
        name: I18nText::plain("d"),
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: BTreeMap::new(),
        tags: BTreeMap::new(),
    }
}

fn product() -> Product {
    Product {
        org: "o".into(),
        key: "p".into(),
        name: I18nText::plain("p"),
        secret: Secret("s".to_owned()),
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
        created: Timestamp(1),
        created_by: None,
        updated: Timestamp(1),
        updated_by: None,
    }
}

fn job(size: u64) -> Write {
    Write::CreateJob(NewJob {
        org: "o".into(),
        text: JobText {
            name: I18nText::plain("large"),
            desc: String::new(),
            targets: TargetScope::Devices(Vec::new()),
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
            ttl_ms: 0,
            reply_timeout_ms: 30_000,
            retry: None,
        },
        release: Timestamp(5_000),
        devices: Some((1..=size).map(DeviceNo).collect()),
        idempotency: None,
        by: Actor {
            app_key: None,
            address: None,
            request_id: "r".to_owned(),
        },
    })
}

/// Most tasks wait; whole shards have succeeded, and here and there a task was cancelled or has failed.
fn step(job: JobNo, first: u64, place: u64) -> StepWrite {
    let state = match place {
        4096..10_000 => State::Succeeded,
        _ if place % 997 == 3 => State::Cancelled,
        _ if place % 11 == 5 => State::Failed,
        _ => State::Queued,
    };
    StepWrite {
        job,
        from: (State::Init, AttemptNo(0)),
        task: Task {
            state,
            ..Task::new(TaskNo(first + place), DeviceNo(place + 1), Timestamp(9_000))
        },
        wake_at: None,
        ended: Vec::new(),
    }
}

fn fill(store: &mut impl Store) {
    for (now, writes) in (1000..).step_by(1000).map(Timestamp).zip(content()) {
        store.commit(Epoch::SOLE, now, &writes).unwrap();
    }
}

fn in_states(states: &[State]) -> Filter<TaskField> {
    Filter::In {
        field: TaskField::Status,
        sub: None,
        values: states
            .iter()
            .map(|state| Value::from(status_names::task_state(*state)))
            .collect(),
        negated: false,
    }
}

#[test]
fn every_page_is_the_one_that_the_model_finds() {
    let dir = tempfile::tempdir().unwrap();
    let (mut sqlite, mut memory) = (sqlite(dir.path()), MemoryStore::default());
    fill(&mut sqlite);
    fill(&mut memory);
    let sets: [&[State]; 6] = [
        &[State::Queued],
        &[State::Succeeded],
        &[State::Cancelled],
        &[State::Failed],
        &[State::Failed, State::Cancelled],
        &[State::Published],
    ];
    for filter in sets.map(in_states) {
        let total = memory
            .search_tasks(&OrgId::from("o"), Some(&filter), Page { skip: 0, take: 1 })
            .unwrap()
            .total;
        for skip in [
            0,
            1,
            total / 3,
            total / 2 + 1,
            total.saturating_sub(60),
            total,
            total + 5,
        ] {
            let page = Page { skip, take: 50 };
            let ask = |read: &dyn Read| read.search_tasks(&OrgId::from("o"), Some(&filter), page).unwrap();
            let found = ask(&sqlite);
            assert_eq!(found, ask(&memory), "{filter:?} from {skip}");
            assert_eq!(found.rows.len() as u64, total.saturating_sub(skip).min(50));
        }
    }
}
