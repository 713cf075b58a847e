//! The answers to every question, line by line, to compare stores with each other.

use super::bench::Bench;
use std::fmt::Debug;

use aldis_core::expression::{Field, Filter};
use aldis_core::ids::{AppKey, DeviceKey, DeviceNo, JobNo, ModelId, OrgId, ProductKey, TaskNo};
use aldis_core::job::Counters;
use aldis_core::reported::ReportKind;
use aldis_core::task::Task;
use aldis_core::time::Timestamp;
use aldis_store::rows::{ActionFilter, Device, Job, Secret};
use aldis_store::{DeviceRef, Error, Found, JobTasks, OnlineDevices, Page, Read};

use super::bench::ALL;
use super::sample::{ORG, OTHER_ORG};

/// Numbers beyond the last one given out that are asked for all the same.
const BEYOND: u64 = 2;
/// Keys and ids that cases and random histories use.
pub(super) const PRODUCTS: [&str; 5] = [super::sample::PRODUCT, super::sample::OTHER_PRODUCT, "p1", "p2", "p3"];
pub(super) const MODELS: [&str; 3] = [super::sample::MODEL, "m1", "m2"];
pub(super) const APP_KEYS: [&str; 4] = ["k1", "k2", "k3", "console"];
pub(super) const DEVICE_KEYS: [&str; 9] = ["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9"];
pub(super) const REQUESTS: [&str; 4] = ["key", "r1", "r2", "r3"];

const JOB_FILTERS: [&str; 3] = [
    "status = 'IN_PROGRESS' or name like 'UP'",
    "createTime > '2023-11-14T22:16:00Z'",
    "status not in ('INIT', 'FINISHED')",
];
const TASK_FILTERS: [&str; 4] = [
    "status in ('QUEUED', 'FAILED', 'TTL_TIMEOUT')",
    "status != 'SUCCEED' and deviceKey in ('d1', 'd2', 'd3')",
    "createTime <= '2023-11-14T22:16:00Z' or not productKey = 'p1'",
    "jobId in ('8000000000000000001', '8000000000000000003') and status = 'RSP_TIMEOUT'",
];
const DEVICE_FILTERS: [&str; 4] = [
    "status = 'online'",
    "status != 'offline' and deviceTags.floor = '3'",
    "productKey = 'p1' or deviceAttributes.power in (3, 1500) or exists(deviceTags.a)",
    "modelId = 'm1' and not status = 'disabled'",
];

/// Compares two snapshots and shows the first line that differs.
pub(super) fn assert_same(found: &[String], expected: &[String], when: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{when}");
    }
    assert_eq!(found.len(), expected.len(), "{when}");
}

/// Every answer of the bench's store.
pub(super) fn of_bench(bench: &mut Bench) -> Vec<String> {
    let online = bench.online();
    of(bench.read(), online)
}

/// The answers to every question.
pub(super) fn of(read: &dyn Read, online: OnlineDevices) -> Vec<String> {
    let mut lines = Lines {
        read,
        online,
        lines: Vec::new(),
    };
    lines.all().unwrap();
    lines.lines
}

struct Lines<'a> {
    read: &'a dyn Read,
    online: OnlineDevices,
    lines: Vec<String>,
}

impl Lines<'_> {
    fn add(&mut self, what: &str, answer: impl Debug) {
        self.lines.push(format!("{what}: {answer:?}"));
    }

    fn all(&mut self) -> Result<(), Error> {
        self.add("last commit", self.read.last_commit()?);
        self.registry()?;
        self.devices()?;
        self.jobs()?;
        self.tasks()?;
        self.moments()?;
        for org in [ORG, OTHER_ORG] {
            self.searches(&org.into())?;
        }
        self.journal()
    }

    fn registry(&mut self) -> Result<(), Error> {
        let read = self.read;
        self.add("organizations", read.organizations()?);
        self.add("keys", read.access_keys(None)?);
        for org in [ORG, OTHER_ORG].map(OrgId::from) {
            self.add("organization", read.organization(&org)?);
            self.add("keys", read.access_keys(Some(&org))?);
            for id in MODELS.map(ModelId::from) {
                self.add("model", read.model(&org, &id)?);
            }
        }
        for key in APP_KEYS.map(AppKey::from) {
            let found = read.access_key(&key)?;
            self.add("key", found.map(|key| (shown(&key.secret), key)));
        }
        for key in PRODUCTS.map(ProductKey::from) {
            let found = read.product(&key)?;
            self.add(
                "product",
                found.map(|product| (all_shown(product.secrets_at(ALWAYS)), product)),
            );
        }
        Ok(())
    }

    fn devices(&mut self) -> Result<(), Error> {
        let read = self.read;
        let mut refs: Vec<DeviceRef> = numbers(last_device(read)?)
            .map(|no| DeviceRef::No(DeviceNo(no)))
            .collect();
        for product in PRODUCTS {
            for key in DEVICE_KEYS {
                refs.push(DeviceRef::Keys(ProductKey::from(product), DeviceKey::from(key)));
                refs.push(DeviceRef::Asset(format!("asset-{product}-{key}").as_str().into()));
            }
        }
        for (by, found) in refs.iter().zip(read.devices(&refs)?) {
            self.add(
                "device",
                (by, found.map(|device| (all_shown(device.secrets_at(ALWAYS)), device))),
            );
        }
        let all: Vec<DeviceNo> = numbers(last_device(read)?).map(DeviceNo).collect();
        for facts in read.device_facts(&all)? {
            self.add("facts", facts);
        }
        self.add("queue lengths", read.queue_lengths(&all)?);
        for (device, queued) in all.iter().zip(read.queued(&all)?) {
            self.add("queued", (device, sorted(queued)));
            self.add("waiting", (device, sorted(read.waiting(*device)?)));
            self.add("attempted", (device, read.attempted(*device, 1000)?));
        }
        self.add("gateways", read.gateways_of(&all)?);
        for device in &all {
            self.add("sub-devices", (device, read.sub_devices(*device)?));
            let page = Page { skip: 1, take: 2 };
            let found = read.search_sub_devices(*device, None, &self.online, page)?;
            let numbers: Vec<DeviceNo> = found.rows.iter().map(|device| device.no).collect();
            self.add("sub-devices found", (numbers, found.total));
            self.add("reported", read.reported(*device)?);
        }
        for kind in ReportKind::ALL {
            self.add("last reported", read.last_reported(&all, kind)?);
        }
        let mut slots = read.slots()?;
        slots.sort_by_key(|slot| slot.device);
        self.add("slots", slots);
        Ok(())
    }

    fn jobs(&mut self) -> Result<(), Error> {
        let read = self.read;
        for no in numbers(last_job(read)?).map(JobNo) {
            let Some(detail) = read.job(no)? else {
                self.add("no job", no);
                continue;
            };
            let job = &detail.job;
            self.add("job", &detail);
            for which in [
                JobTasks::All,
                JobTasks::Init,
                JobTasks::FirstRound,
                JobTasks::Unfinished,
                JobTasks::Out,
                JobTasks::Retryable,
            ] {
                self.add("rows", (which, read.job_tasks(job, which, None, usize::MAX)?));
            }
            let after = job.range.first;
            self.add("slice", read.job_tasks(job, JobTasks::All, after, 2)?);
            let members = read.members(job, usize::MAX)?;
            self.add("members", members);
            self.add("two members", read.members(job, 2)?.len());
        }
        let mut at_work = read.jobs_at_work()?;
        at_work.sort_by_key(|job| job.no);
        self.add("at work", at_work.into_iter().map(settled).collect::<Vec<_>>());
        Ok(())
    }

    fn tasks(&mut self) -> Result<(), Error> {
        let read = self.read;
        let all: Vec<TaskNo> = numbers(last_task(read)?).map(TaskNo).collect();
        self.add("tasks", read.tasks(&all)?);
        for (no, info) in all.iter().zip(read.task_infos(&all)?) {
            self.add("task", (no, info));
            self.add("history", read.history(*no)?);
        }
        let mut jobs = read.jobs_of(&all)?;
        jobs.sort_by_key(|job| job.no);
        self.add("jobs of all", jobs);
        Ok(())
    }

    fn moments(&mut self) -> Result<(), Error> {
        let read = self.read;
        let now = read.last_commit()?.1;
        for moment in [now, now.plus_ms(60_000), Timestamp(i64::MAX)] {
            self.add("due", sorted(read.due_tasks(moment, usize::MAX)?));
            self.add("next due", read.next_due(moment)?);
        }
        Ok(())
    }

    fn searches(&mut self, org: &OrgId) -> Result<(), Error> {
        let (read, online) = (self.read, self.online.clone());
        self.search(&["modelId like 'm' and not tags.kind = 'm1'"], |filter, page| {
            read.search_models(org, filter, page)
        })?;
        self.search(&["productTags.site = 'north' and modelId != 'm2'"], |filter, page| {
            read.search_products(org, filter, page)
        })?;
        self.search(&DEVICE_FILTERS, |filter, page| {
            read.search_devices(org, filter, &online, page)
        })?;
        self.search(&JOB_FILTERS, |filter, page| read.search_jobs(org, filter, page))?;
        self.search(&TASK_FILTERS, |filter, page| read.search_tasks(org, filter, page))
    }

    fn search<F: Field, T: Debug>(
        &mut self,
        texts: &[&str],
        search: impl Fn(Option<&Filter<F>>, Page) -> Result<Found<T>, Error>,
    ) -> Result<(), Error> {
        let everything = Page { skip: 0, take: 1_000 };
        self.add("all", search(None, everything)?);
        self.add("page", search(None, Page { skip: 2, take: 3 })?);
        for text in texts {
            let filter = Filter::parse(text).unwrap();
            self.add(text, search(Some(&filter), everything)?);
            self.add(text, search(Some(&filter), Page { skip: 1, take: 2 })?);
        }
        Ok(())
    }

    fn journal(&mut self) -> Result<(), Error> {
        let read = self.read;
        self.add("proofs", read.proofs(1000)?);
        for key in REQUESTS {
            self.add(
                "remembered",
                (
                    key,
                    read.idempotency_record("wind/console", key, read.last_commit()?.1)?,
                ),
            );
        }
        let jobs = numbers(last_job(read)?).map(|no| JobNo(no).to_job_id());
        let devices = PRODUCTS
            .iter()
            .flat_map(|product| DEVICE_KEYS.map(|key| format!("asset-{product}-{key}")));
        let subjects: Vec<String> = jobs.chain(devices).collect();
        for org in [ORG, OTHER_ORG].map(OrgId::from) {
            for subject in &subjects {
                let filter = ActionFilter {
                    subject: Some(subject.to_owned()),
                    ..ActionFilter::default()
                };
                self.add("actions", (subject, read.search_actions(&org, &filter, ALL)?));
            }
        }
        Ok(())
    }
}

/// Before the end of every grace.
const ALWAYS: Timestamp = Timestamp(i64::MIN);

fn all_shown<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Vec<String> {
    secrets.map(shown).collect()
}

fn shown(secret: &Secret) -> String {
    secret.0.clone()
}

fn sorted(mut tasks: Vec<Task>) -> Vec<Task> {
    tasks.sort_by_key(|task| task.no);
    tasks
}

/// The counters of a deleted job are never read.
fn settled(job: Job) -> Job {
    if job.deleted {
        Job {
            counters: Counters::default(),
            ..job
        }
    } else {
        job
    }
}

fn numbers(last: u64) -> std::ops::RangeInclusive<u64> {
    0..=last + BEYOND
}

/// The largest number that is still to be seen; a few more are asked for anyway.
fn last_device(read: &dyn Read) -> Result<u64, Error> {
    let mut last = 0;
    while let [Some(Device { no, .. })] = read.devices(&[DeviceRef::No(DeviceNo(last + 1))])?[..] {
        last = no.0;
    }
    Ok(last)
}

fn last_job(read: &dyn Read) -> Result<u64, Error> {
    let mut last = 0;
    for org in [ORG, OTHER_ORG].map(OrgId::from) {
        let newest = read.search_jobs(&org, None, Page { skip: 0, take: 1 })?;
        last = newest.rows.first().map_or(last, |detail| last.max(detail.job.no.0));
    }
    Ok(last)
}

fn last_task(read: &dyn Read) -> Result<u64, Error> {
    let mut last = 0;
    for org in [ORG, OTHER_ORG].map(OrgId::from) {
        let newest = read.search_tasks(&org, None, Page { skip: 0, take: 1 })?;
        last = newest.rows.first().map_or(last, |info| last.max(info.task.no.0));
    }
    Ok(last)
}
