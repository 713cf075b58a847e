//! A process that dies inside a commit leaves a log that ends anywhere: what is opened then is the state before that
//! commit or after it, never a part of it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aldis_core::command::{Command, Qos};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, OrgId};
use aldis_core::policy::Policy;
use aldis_core::time::Timestamp;
use aldis_store::rows::{
    Actor, CommitNo, JobText, Model, NewDevice, NewJob, Organization, Product, Secret, Slot, TargetEntry, TargetScope,
};
use aldis_store::{Epoch, JobTasks, OnlineDevices, Page, Read, Store, Write};
use aldis_store_sqlite::{Options, SqliteReader, SqliteStore, open};
use serde_json::json;

const COMMITS: u64 = 24;
/// Devices of each commit: several pages.
const DEVICES: u64 = 40;
/// Bytes of the log's own header, and of a frame: its header and a page.
const HEADER: u64 = 32;
const FRAME: u64 = 24 + 4096;
/// Where in a frame the log ends: at its start, in its header, in its page, one byte short.
const CUTS: [u64; 4] = [0, 11, 2_000, FRAME - 1];

fn open_dir(dir: &Path) -> (SqliteStore, SqliteReader) {
    open(dir, &Options { key: None, readers: 1 }).unwrap()
}

fn log_length(dir: &Path) -> u64 {
    fs::metadata(dir.join("aldis.db-wal")).map_or(0, |found| found.len())
}

/// Everything that these commits touch, as text.
fn state(read: &dyn Read) -> (CommitNo, String) {
    let org = OrgId::from("o");
    let everything = Page { skip: 0, take: 10_000 };
    let devices = read
        .search_devices(&org, None, &OnlineDevices::default(), everything)
        .unwrap();
    let jobs = read.jobs_at_work().unwrap();
    let tasks: Vec<_> = jobs
        .iter()
        .map(|job| read.job_tasks(job, JobTasks::All, None, usize::MAX).unwrap())
        .collect();
    let told = format!(
        "{:?} {:?} {jobs:?} {tasks:?} {:?}",
        read.organizations().unwrap(),
        devices.rows,
        read.slots().unwrap()
    );
    (read.last_commit().unwrap().0, told)
}

fn foundation() -> Vec<Write> {
    let org = OrgId::from("o");
    let created = Timestamp(1);
    vec![
        Write::CreateModel(Model {
            org: org.clone(),
            id: "m".into(),
            document: json!({"modelId": "m"}),
            created,
            updated: created,
        }),
        Write::CreateProduct(Product {
            org,
            key: "p".into(),
            name: I18nText::plain("p"),
            secret: Secret("hush".to_owned()),
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
            created,
            created_by: None,
            updated: created,
            updated_by: None,
        }),
    ]
}

/// Devices, a job for all of them, its trigger, a slot, and an organization: many tables in one commit.
fn writes(number: u64) -> Vec<Write> {
    let org = OrgId::from("o");
    let first = (number - 1) * DEVICES;
    let device = |index: u64| NewDevice {
        org: org.clone(),
        product: "p".into(),
        key: format!("d{index}").as_str().into(),
        asset: format!("a{index}").as_str().into(),
        secret: Secret("hush".to_owned()),
        name: I18nText::plain("x".repeat(200)),
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: BTreeMap::new(),
        tags: BTreeMap::new(),
    };
    let numbers: Vec<DeviceNo> = (first + 1..=first + DEVICES).map(DeviceNo).collect();
    let job = NewJob {
        org: org.clone(),
        text: JobText {
            name: I18nText::plain("job"),
            desc: String::new(),
            targets: TargetScope::Devices(vec![
                TargetEntry {
                    asset: None,
                    product: None,
                    device: None
                };
                numbers.len()
            ]),
            trigger: None,
            retry_enabled: false,
            retry_count: 0,
            retry_interval_s: 0,
        },
        command: Command::SetMeasurepoint {
            measurepoint_id: "x".to_owned(),
            value: json!(number),
        },
        policy: Policy {
            ttl_ms: 0,
            reply_timeout_ms: 1_000,
            retry: None,
        },
        release: Timestamp(2),
        devices: Some(numbers.clone()),
        idempotency: None,
        by: Actor {
            app_key: None,
            address: None,
            request_id: "r".to_owned(),
        },
    };
    let slot = Slot {
        device: numbers[0],
        task: aldis_core::ids::TaskNo(first + 1),
        attempt: aldis_core::ids::AttemptNo(1),
        reply_deadline: Timestamp(9),
        acked: false,
    };
    vec![
        Write::register((first..first + DEVICES).map(device).collect()),
        Write::CreateJob(job),
        Write::TriggerJob {
            job: aldis_core::ids::JobNo(number),
        },
        Write::Slots(vec![(numbers[0], Some(slot))]),
        Write::CreateOrganization(Organization {
            id: OrgId(format!("o{number:03}")),
            name: String::new(),
            disabled: false,
            created: Timestamp(1),
        }),
    ]
}

/// What is found in a copy whose log ends there.
fn opened_with_log_of(dir: &Path, length: u64) -> (CommitNo, String) {
    let copy = tempfile::tempdir().unwrap();
    for name in ["aldis.db", "aldis.db-wal", "secret.key"] {
        fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    let log = fs::File::options()
        .write(true)
        .open(copy.path().join("aldis.db-wal"))
        .unwrap();
    log.set_len(length).unwrap();
    let (mut store, reader) = open_dir(copy.path());
    let found = state(&reader);
    store.commit(Epoch::SOLE, Timestamp(99), &[]).unwrap();
    found
}

#[test]
fn a_commit_that_was_cut_off_anywhere_is_there_as_a_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, reader) = open_dir(dir.path());
    store.commit(Epoch::SOLE, Timestamp(1), &foundation()).unwrap();
    let mut opened = 0;
    for number in 1..=COMMITS {
        let (before, from) = (state(&reader), log_length(dir.path()));
        store.commit(Epoch::SOLE, Timestamp(3), &writes(number)).unwrap();
        let (after, to) = (state(&reader), log_length(dir.path()));
        assert_ne!(before, after);
        assert!(to > from, "the log grows with each commit");
        let first = from.max(HEADER);
        let frames = (to - first) / FRAME;
        // All frames of the first commits, later only some: the last one decides.
        let step = if number <= 2 { 1 } else { frames.div_ceil(3).max(1) };
        let starts = (0..frames).step_by(usize::try_from(step).unwrap()).chain([frames - 1]);
        for cut in starts.flat_map(|frame| CUTS.map(|cut| first + frame * FRAME + cut)) {
            let found = opened_with_log_of(dir.path(), cut);
            assert!(
                found == before,
                "commit {number}, cut off at {cut} of {from} to {to}: {} found",
                found.0.0
            );
            opened += 1;
        }
        assert_eq!(opened_with_log_of(dir.path(), to), after);
    }
    assert!(opened > 300, "{opened} logs were cut");
}
