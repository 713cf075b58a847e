//! Whatever a filter says, also what no expression could say, SQL finds what the model in memory finds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::OnceLock;

use aldis_core::command::{Command, Qos};
use aldis_core::expression::{Comparison, DeviceField, Filter, JobField, TaskField, Value};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::policy::Policy;
use aldis_core::task::{State, Task};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Actor, JobText, Model, NewDevice, NewJob, Product, Secret, TargetScope};
use aldis_store::{Epoch, Error, Found, OnlineDevices, Page, Read, StepWrite, Store, Write};
use aldis_store_memory::MemoryStore;
use aldis_store_sqlite::{Options, SqliteStore, open};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

const DEVICES: u64 = 12;
const DEVICES_PER_JOB: u64 = 6;
const JOBS: u64 = 7;

/// Every third device is online.
fn every_third() -> OnlineDevices {
    (0..10_000)
        .map(DeviceNo)
        .filter(|device| device.0.is_multiple_of(3))
        .collect()
}

struct Both {
    _dir: TempDir,
    sqlite: Mutex<SqliteStore>,
    memory: MemoryStore,
}

/// The two stores with the same content, filled once.
fn both() -> &'static Both {
    static BOTH: OnceLock<Both> = OnceLock::new();
    BOTH.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (mut sqlite, _) = open(dir.path(), &Options { key: None, readers: 1 }).unwrap();
        let mut memory = MemoryStore::default();
        for (now, writes) in (1000..).step_by(1000).map(Timestamp).zip(content()) {
            assert_eq!(
                sqlite.commit(Epoch::SOLE, now, &writes).unwrap(),
                memory.commit(Epoch::SOLE, now, &writes).unwrap()
            );
        }
        Both {
            _dir: dir,
            sqlite: Mutex::new(sqlite),
            memory,
        }
    })
}

fn content() -> Vec<Vec<Write>> {
    let by = || Actor {
        app_key: None,
        address: None,
        request_id: "r".to_owned(),
    };
    let mut commits = vec![
        ["o", "other"].map(|org| Write::CreateModel(model(org))).to_vec(),
        vec![
            product("o", "p", false),
            product("o", "gw", true),
            product("other", "foreign", false),
        ],
        vec![Write::register((1..=DEVICES).map(device).collect())],
        vec![Write::Activity((4..=8).map(|no| seen(DeviceNo(no))).collect())],
    ];
    commits.extend((1..=JOBS).map(|number| vec![job(number)]));
    // The third job stays as it is, so that not all ranges look alike.
    commits.extend([1, 2, 4, 5, 6, 7].map(|number| vec![Write::TriggerJob { job: JobNo(number) }]));
    commits.push(vec![Write::Steps((1..=JOBS * DEVICES_PER_JOB).map(step).collect())]);
    commits.push(vec![
        Write::DeleteJob {
            job: JobNo(3),
            by: by(),
        },
        Write::DisableDevice {
            device: DeviceNo(5),
            disabled: true,
            by: by(),
        },
        Write::DisableDevice {
            device: DeviceNo(6),
            disabled: true,
            by: by(),
        },
        Write::DeleteDevice {
            device: DeviceNo(2),
            by: by(),
        },
    ]);
    let again = NewDevice {
        name: I18nText::plain("again"),
        ..device(2)
    };
    commits.push(vec![Write::register(vec![again])]);
    commits
}

fn model(org: &str) -> Model {
    let document = json!({"modelId": "m", "name": {"defaultValue": "m"}});
    Model {
        org: org.into(),
        id: "m".into(),
        document,
        created: Timestamp(1),
        updated: Timestamp(1),
    }
}

fn product(org: &str, key: &str, gateway: bool) -> Write {
    Write::CreateProduct(Product {
        org: org.into(),
        key: key.into(),
        name: I18nText::plain(key),
        secret: Secret("s".to_owned()),
        desc: String::new(),
        gateway,
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
    })
}

fn device(number: u64) -> NewDevice {
    let (org, product) = match number % 4 {
        0 => ("o", "gw"),
        1 if number > 8 => ("other", "foreign"),
        _ => ("o", "p"),
    };
    let power = [
        json!(number),
        json!(1.5),
        json!(true),
        json!("1"),
        json!(null),
        json!([1]),
    ];
    let mut name = I18nText::plain(format!("Gerät {number}"));
    name.i18n_value.insert("en_US".to_owned(), format!("DEVICE {number}"));
    NewDevice {
        org: org.into(),
        product: product.into(),
        key: format!("d{number}").as_str().into(),
        asset: format!("a{number}").as_str().into(),
        secret: Secret("s".to_owned()),
        name,
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: BTreeMap::from([("x".to_owned(), power[usize::try_from(number % 6).unwrap()].clone())]),
        tags: (0..number % 3)
            .map(|tag| (["x", "y"][usize::try_from(tag).unwrap()].to_owned(), "1".to_owned()))
            .collect(),
    }
}

fn seen(device: DeviceNo) -> Activity {
    Activity {
        device,
        online: Some(Timestamp(1)),
        offline: None,
    }
}

/// Every job goes to six devices; the fifth belongs to another organization.
fn job(number: u64) -> Write {
    let org = OrgId::from(if number == 5 { "other" } else { "o" });
    let mut name = I18nText::plain(format!("Job {number}"));
    name.i18n_value.insert("en_US".to_owned(), "UP".to_owned());
    Write::CreateJob(NewJob {
        org,
        text: JobText {
            name,
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
        devices: Some(
            (0..DEVICES_PER_JOB)
                .map(|place| DeviceNo((number + place) % DEVICES + 1))
                .collect(),
        ),
        idempotency: None,
        by: Actor {
            app_key: None,
            address: None,
            request_id: "r".to_owned(),
        },
    })
}

/// The tasks of the first two jobs succeed, the others end up in every state.
fn step(number: u64) -> StepWrite {
    let (job, place) = ((number - 1) / DEVICES_PER_JOB + 1, (number - 1) % DEVICES_PER_JOB);
    let state = match job {
        1 | 2 => State::Succeeded,
        _ => State::ALL[usize::try_from(number % 10).unwrap()],
    };
    let device = DeviceNo((job + place) % DEVICES + 1);
    let task = Task {
        state,
        ..Task::new(TaskNo(number), device, Timestamp(9_000))
    };
    StepWrite {
        job: JobNo(job),
        from: (State::Init, AttemptNo(0)),
        task,
        wake_at: None,
        ended: Vec::new(),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let numbered = |prefix: &'static str| (0_u64..14).prop_map(move |number| Value::Text(format!("{prefix}{number}")));
    prop_oneof![
        numbered("d"),
        numbered("a"),
        prop::sample::select(vec!["p", "gw", "m", "Device", "Gateway", "1", "", "[1]"]).prop_map(Value::from),
        prop::sample::select(vec!["online", "offline", "inactive", "disabled"]).prop_map(Value::from),
        prop::sample::select(vec![
            "INIT",
            "QUEUED",
            "PUBLISHED",
            "SUCCEED",
            "FAILED",
            "RSP_TIMEOUT",
            "FINISHED"
        ])
        .prop_map(Value::from),
        (0_u64..9).prop_map(|number| Value::Text(JobNo(number).to_job_id())),
        (0_u64..45).prop_map(|number| Value::Text(TaskNo(number).to_task_id())),
        (0_i64..25).prop_map(|second| Value::Time(Timestamp(second * 1000))),
        (0_i64..13).prop_map(Value::Int),
        (0_i64..12_000).prop_map(Value::Int),
        prop::sample::select(vec![1.5, 1.0, 5000.5]).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
    ]
}

fn filter<F: Copy + Debug + 'static>(
    fields: &'static [(F, &'static [Option<&'static str>])],
) -> BoxedStrategy<Filter<F>> {
    const OPS: [Comparison; 6] = [
        Comparison::Eq,
        Comparison::Ne,
        Comparison::Lt,
        Comparison::Le,
        Comparison::Gt,
        Comparison::Ge,
    ];
    let target = prop::sample::select(fields).prop_flat_map(|(field, subs)| {
        (
            Just(field),
            prop::sample::select(subs).prop_map(|sub| sub.map(str::to_owned)),
        )
    });
    let leaf = (
        target,
        prop::sample::select(OPS.to_vec()),
        prop::collection::vec(value(), 1..4),
        0..6_u8,
    )
        .prop_map(|((field, sub), op, mut values, kind)| match kind {
            0 => Filter::In {
                field,
                sub,
                values,
                negated: false,
            },
            1 => Filter::In {
                field,
                sub,
                values,
                negated: true,
            },
            2 => Filter::Exists { field, sub },
            3 => {
                let text = if let Value::Text(text) = &values[0] {
                    text.to_lowercase()
                } else {
                    "e 1".to_owned()
                };
                Filter::Like { field, sub, text }
            }
            _ => Filter::Compare {
                field,
                sub,
                op,
                value: values.remove(0),
            },
        });
    let groups = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    });
    groups.boxed()
}

const PLAIN: &[Option<&str>] = &[None];
const NAMES: &[Option<&str>] = &[None, Some("default"), Some("en_US"), Some("zh_CN")];
const KEYS: &[Option<&str>] = &[Some("x"), Some("y")];

const TASK_FIELDS: &[(TaskField, &[Option<&str>])] = &[
    (TaskField::JobId, PLAIN),
    (TaskField::TaskId, PLAIN),
    (TaskField::AssetId, PLAIN),
    (TaskField::ProductKey, PLAIN),
    (TaskField::DeviceKey, PLAIN),
    (TaskField::Status, PLAIN),
    (TaskField::CreatedAt, PLAIN),
];
const JOB_FIELDS: &[(JobField, &[Option<&str>])] = &[
    (JobField::JobId, PLAIN),
    (JobField::Name, NAMES),
    (JobField::Status, PLAIN),
    (JobField::CreatedAt, PLAIN),
];
const DEVICE_FIELDS: &[(DeviceField, &[Option<&str>])] = &[
    (DeviceField::AssetId, PLAIN),
    (DeviceField::ProductKey, PLAIN),
    (DeviceField::DeviceKey, PLAIN),
    (DeviceField::ModelId, PLAIN),
    (DeviceField::ProductType, PLAIN),
    (DeviceField::Name, NAMES),
    (DeviceField::Status, PLAIN),
    (DeviceField::Attributes, KEYS),
    (DeviceField::Tags, KEYS),
];

fn page() -> impl Strategy<Value = Page> {
    prop_oneof![
        Just(Page { skip: 0, take: 100 }),
        (0_u64..40, 0_u64..20).prop_map(|(skip, take)| Page { skip, take }),
        Just(Page {
            skip: u64::MAX,
            take: u64::MAX
        }),
    ]
}

/// Asks both and compares.
fn agree<T: PartialEq + Debug>(search: impl Fn(&dyn Read) -> Result<Found<T>, Error>) -> Result<(), TestCaseError> {
    let both = both();
    prop_assert_eq!(search(&*both.sqlite.lock()).unwrap(), search(&both.memory).unwrap());
    Ok(())
}

/// SQLite refuses a query that is told to take an index for which it has no use.
#[test]
fn a_word_that_is_no_state_finds_nothing_beside_any_other_condition() {
    let is = |field, value: &str| Filter::In {
        field,
        sub: None,
        values: vec![Value::from(value)],
        negated: false,
    };
    let fields = [
        TaskField::ProductKey,
        TaskField::AssetId,
        TaskField::DeviceKey,
        TaskField::TaskId,
    ];
    for (field, value) in fields
        .into_iter()
        .flat_map(|field| ["p", "a1", "d1", "none"].map(|value| (field, value)))
    {
        for word in ["FINISHED", "FAILED"] {
            let filter = Filter::And(vec![is(field, value), is(TaskField::Status, word)]);
            let page = Page { skip: 0, take: 100 };
            agree(|read| read.search_tasks(&OrgId::from("o"), Some(&filter), page)).unwrap();
        }
    }
}

#[test]
fn a_value_that_a_field_cannot_have_finds_nothing_beside_a_rare_state() {
    let failed = Filter::In {
        field: TaskField::Status,
        sub: None,
        values: vec![Value::from("FAILED")],
        negated: false,
    };
    for values in [vec![Value::Float(5000.5)], Vec::new()] {
        for negated in [false, true] {
            let odd = Filter::In {
                field: TaskField::ProductKey,
                sub: None,
                values: values.clone(),
                negated,
            };
            let filter = Filter::And(vec![failed.clone(), odd]);
            let page = Page { skip: 0, take: 100 };
            agree(|read| read.search_tasks(&OrgId::from("o"), Some(&filter), page)).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_tasks(filter in proptest::option::of(filter(TASK_FIELDS)), page in page()) {
        agree(|read| read.search_tasks(&OrgId::from("o"), filter.as_ref(), page))?;
    }

    #[test]
    fn on_jobs(filter in proptest::option::of(filter(JOB_FIELDS)), page in page()) {
        agree(|read| read.search_jobs(&OrgId::from("o"), filter.as_ref(), page))?;
    }

    #[test]
    fn on_devices(filter in proptest::option::of(filter(DEVICE_FIELDS)), page in page()) {
        agree(|read| read.search_devices(&OrgId::from("o"), filter.as_ref(), &every_third(), page))?;
    }
}
