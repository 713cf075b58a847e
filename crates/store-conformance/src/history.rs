//! Makes up what could happen next: writes as application and engine would make them, with names from a small pool, so
//! that they collide, and with steps that the core decided.

use aldis_core::command::Qos;
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AttemptNo, DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::job::JobState;
use aldis_core::policy::{Policy, Retry};
use aldis_core::reported::ReportKind;
use aldis_core::task::{Condition, Event, Link, Presence, State, Task, step};
use aldis_core::time::Timestamp;
use aldis_store::rows::{
    Action, Activity, DeviceChange, Job, NewDevice, ProductChange, Proof, Registrar, Reported, Secret, Slot,
};
use aldis_store::{
    DeviceRef, JobTasks, OnlineDevices, Page, ReadDevices, ReadJobs, ReadQueues, ReadRegistry, StepWrite, Write,
};
use serde_json::json;

use super::bench::{ALL, delete, disable};
use super::sample::{self, ORG, OTHER_ORG, PRESENT, device_job, idempotency, new_device, product_job, reply, texts};
use super::snapshot::{APP_KEYS, DEVICE_KEYS, MODELS, PRODUCTS, REQUESTS};
use aldis_store_memory::MemoryStore;

/// Numbers that look random; the same seed gives the same ones on every machine (splitmix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let index = self.below(from.len().max(1) as u64);
        from.get(usize::try_from(index).unwrap()).cloned()
    }

    fn name<'a>(&mut self, from: &[&'a str]) -> &'a str {
        self.pick(from).unwrap()
    }
}

/// A history in the making. The model is what it looks at to make up sensible things.
pub(super) struct History {
    rng: Rng,
    pub(super) model: MemoryStore,
    pub(super) now: Timestamp,
    /// Makes moments of creation differ.
    created: i64,
}

impl History {
    pub(super) fn new(seed: u64, model: MemoryStore, now: Timestamp) -> Self {
        Self {
            rng: Rng(seed),
            model,
            now,
            created: now.0,
        }
    }

    /// Enough to begin with.
    pub(super) fn beginning(&mut self) -> Vec<Write> {
        let mut writes = Vec::new();
        for (org, product) in [(ORG, "p1"), (OTHER_ORG, "p2")] {
            writes.push(Write::CreateOrganization(sample::organization(org)));
            for model in MODELS {
                writes.push(Write::CreateModel(sample::model(org, model)));
            }
            writes.push(Write::CreateProduct(sample::product(org, product)));
            let devices = DEVICE_KEYS[..5].iter().map(|key| new_device(org, product, key));
            writes.push(Write::register(devices.collect()));
        }
        writes
    }

    /// A device that comes (true) or goes.
    pub(super) fn visitor(&mut self) -> (DeviceNo, bool) {
        (self.any_device(), self.rng.one_in(2))
    }

    /// The writes of the next commit.
    pub(super) fn next(&mut self) -> Vec<Write> {
        self.now = self.now.plus_ms(self.rng.below(8_000).cast_signed());
        if self.rng.one_in(40) {
            let by_ms = self.rng.below(90_000).cast_signed();
            self.now = self.now.plus_ms(-by_ms);
            return vec![Write::SetClockBack { by_ms }];
        }
        let mut writes = Vec::new();
        for _ in 0..=self.rng.below(3) {
            match self.rng.below(20) {
                0 | 1 => writes.extend(self.registry()),
                2..=4 => writes.extend(self.devices()),
                5 | 6 => writes.push(self.create_job()),
                7..=9 => writes.extend(self.members()),
                10..=14 => writes.push(self.steps()),
                15 | 16 => writes.extend(self.clearing()),
                17 => writes.extend(self.slots()),
                _ => writes.push(self.journal()),
            }
        }
        // Once a commit: whether a job triggers or is cancelled is decided by the engine, which knows what it asked
        // for.
        writes.extend(if self.rng.one_in(12) {
            self.cancel()
        } else {
            self.trigger()
        });
        writes
    }

    fn org(&mut self) -> &'static str {
        if self.rng.one_in(4) { OTHER_ORG } else { ORG }
    }

    fn next_created(&mut self) -> Timestamp {
        self.created += 1;
        Timestamp(self.created)
    }

    fn any_device(&mut self) -> DeviceNo {
        let newest = [ORG, OTHER_ORG].map(|org| {
            let page = Page { skip: 0, take: 1 };
            let found = self
                .model
                .search_devices(&org.into(), None, &OnlineDevices::default(), page)
                .unwrap()
                .rows;
            found.first().map_or(0, |device| device.no.0)
        });
        DeviceNo(self.rng.below(newest[0].max(newest[1]) + 2))
    }

    /// Mostly one that exists.
    fn any_job(&mut self) -> JobNo {
        let jobs = self.jobs(|_| true);
        let existing = self.rng.pick(&jobs).filter(|_| !self.rng.one_in(8));
        existing.map_or(JobNo(3), |job| job.no)
    }

    fn jobs(&self, wanted: impl Fn(&Job) -> bool) -> Vec<Job> {
        let of = |org: &str| self.model.search_jobs(&org.into(), None, ALL).unwrap().rows;
        let both = of(ORG).into_iter().chain(of(OTHER_ORG));
        both.map(|detail| detail.job).filter(wanted).collect()
    }

    fn registry(&mut self) -> Option<Write> {
        let org = self.org();
        let disabled = self.rng.one_in(2);
        let (model, key) = (self.rng.name(&MODELS), self.rng.name(&APP_KEYS));
        let product = self.rng.name(&PRODUCTS);
        Some(match self.rng.below(13) {
            0 => Write::CreateOrganization(sample::organization(org)),
            1 => Write::DisableOrganization {
                org: org.into(),
                disabled,
            },
            2 => Write::DeleteOrganization { org: org.into() },
            3 => Write::CreateKey(sample::access_key(org, key)),
            4 => Write::DisableKey {
                key: key.into(),
                disabled,
            },
            5 => Write::DeleteKey { key: key.into() },
            6 => {
                let created = self.next_created();
                let new = sample::model(org, model);
                Write::CreateModel(aldis_store::rows::Model { created, ..new })
            }
            7 => Write::UpdateModel {
                org: org.into(),
                id: model.into(),
                from: self.model_as_read(org, model),
                document: json!({"modelId": model, "name": {"defaultValue": format!("at {}", self.now.0)}}),
            },
            8 => Write::DeleteModel {
                org: org.into(),
                id: model.into(),
            },
            9 => Write::CreateProduct(self.product(org, product, model)),
            12 => Write::RotateProductSecret {
                org: org.into(),
                key: product.into(),
                secret: Secret(format!("at {}", self.now.0)),
                former_until: self.grace(),
                by: self.some("changer".into()),
            },
            10 => Write::UpdateProduct {
                org: org.into(),
                key: product.into(),
                change: self.product_change(),
                by: self.some("changer".into()),
            },
            _ => Write::DeleteProduct {
                org: org.into(),
                key: product.into(),
            },
        })
    }

    /// Now and then as it was before it was changed.
    fn model_as_read(&mut self, org: &str, id: &str) -> serde_json::Value {
        let stored = self.model.model(&org.into(), &id.into()).unwrap();
        let stored = stored.filter(|_| !self.rng.one_in(4));
        stored.map_or_else(|| sample::model(org, id).document, |model| model.document)
    }

    fn product(&mut self, org: &str, key: &str, model: &str) -> aldis_store::rows::Product {
        aldis_store::rows::Product {
            model: model.into(),
            created: self.next_created(),
            gateway: self.rng.one_in(3),
            gateway_registers: self.rng.one_in(2),
            ..sample::product(org, key)
        }
    }

    fn devices(&mut self) -> Vec<Write> {
        let device = self.any_device();
        let write = match self.rng.below(14) {
            13 => Write::RotateDeviceSecret {
                device,
                secret: Secret(format!("at {}", self.now.0)),
                former_until: self.grace(),
            },
            11 | 12 => self.report(device),
            9 | 10 => self.topology(),
            8 => Write::EndSessions { at: self.now },
            0 | 1 => Write::CreateDevices {
                devices: (0..=self.rng.below(4)).map(|_| self.new_device()).collect(),
                most: self.rng.one_in(3).then_some(6),
                registrar: self.rng.one_in(3).then_some(Registrar {
                    gateway: device,
                    most: 3,
                }),
            },
            2 => Write::UpdateDevice {
                device,
                change: self.device_change(),
            },
            3 | 4 => disable(device, self.rng.one_in(2)),
            5 => delete(device),
            6 => Write::ReplaceDevice {
                device,
                key: self.rng.name(&DEVICE_KEYS).into(),
                by: sample::by(),
            },
            _ => {
                let moment = |some: bool| some.then_some(self.now);
                let (online, offline) = (moment(self.rng.one_in(2)), moment(self.rng.one_in(2)));
                Write::Activity(vec![Activity {
                    device,
                    online,
                    offline,
                }])
            }
        };
        vec![write]
    }

    fn device_change(&mut self) -> DeviceChange {
        let power = json!(self.rng.below(6));
        DeviceChange {
            name: self.some(I18nText::plain(format!("at {}", self.now.0))),
            desc: self.some(String::new()),
            timezone: self.some("+09:00".to_owned()),
            attributes: self.some([("power".to_owned(), power)].into()),
            tags: self.some(texts(&[("a", "b")])),
        }
    }

    fn product_change(&mut self) -> ProductChange {
        let (one, other) = (self.rng.one_in(2), self.rng.one_in(2));
        ProductChange {
            name: self.some(I18nText::plain(format!("at {}", self.now.0))),
            desc: self.some(format!("since {}", self.now.0)),
            tags: self.some(texts(&[("a", "b")])),
            dynamic_activation: self.some(one),
            certificates: self.some(other),
            gateway_registers: self.some(one),
            command_qos: self.some(Qos::AtMostOnce),
        }
    }

    fn grace(&mut self) -> Option<Timestamp> {
        let until = self.now.plus_ms(60_000);
        self.some(until)
    }

    fn some<T>(&mut self, part: T) -> Option<T> {
        self.rng.one_in(2).then_some(part)
    }

    /// Few names and moments, so that values meet.
    fn report(&mut self, device: DeviceNo) -> Write {
        let values = (0..3).map(|_| Reported {
            kind: ReportKind::ALL[usize::try_from(self.rng.below(3)).unwrap()],
            name: self.rng.name(&["a", "b", "c"]).to_owned(),
            value: (!self.rng.one_in(4)).then(|| self.rng.below(9).to_string()),
            at: Timestamp(i64::try_from(self.rng.below(4)).unwrap()),
        });
        Write::Report {
            values: vec![(device, values.collect())],
            names_max: 2,
        }
    }

    /// Few gateways, so that devices meet under them.
    fn topology(&mut self) -> Write {
        let gateway = DeviceNo(1 + self.rng.below(3));
        let devices = vec![self.any_device(), self.any_device()];
        if self.rng.one_in(4) {
            let under = self.model.sub_devices(gateway).unwrap();
            let devices = self.rng.pick(&under).map_or(devices, |device| vec![device]);
            return Write::RemoveSubDevices { gateway, devices };
        }
        Write::AddSubDevices {
            gateway,
            devices,
            moves: self.rng.one_in(2),
            most: 4,
        }
    }

    fn new_device(&mut self) -> NewDevice {
        let (org, product) = (self.org(), self.rng.name(&PRODUCTS));
        let mut new = new_device(org, product, self.rng.name(&DEVICE_KEYS));
        if self.rng.one_in(8) {
            let (product, key) = (self.rng.name(&PRODUCTS), self.rng.name(&DEVICE_KEYS));
            new.asset = format!("asset-{product}-{key}").as_str().into();
        }
        new
    }

    fn create_job(&mut self) -> Write {
        let org = self.org();
        let mut new = if self.rng.one_in(2) {
            let products = [self.rng.name(&PRODUCTS), "p1"];
            product_job(&products[..1 + usize::from(products[0] != "p1")])
        } else {
            let devices = self
                .model
                .search_devices(&OrgId::from(org), None, &OnlineDevices::default(), ALL)
                .unwrap()
                .rows;
            let some: Vec<DeviceNo> = devices
                .iter()
                .map(|device| device.no)
                .filter(|_| self.rng.one_in(2))
                .collect();
            device_job(&some)
        };
        new.org = org.into();
        new.policy = Policy {
            ttl_ms: self.rng.pick(&[0, 60_000]).unwrap(),
            reply_timeout_ms: 20_000,
            retry: self.rng.one_in(2).then_some(Retry {
                count: 2,
                interval_ms: 5_000,
            }),
        };
        new.release = self.now.plus_ms(self.rng.pick(&[0, 0, 30_000]).unwrap());
        if self.rng.one_in(3) {
            let digest = self.rng.pick(&[1, 2]).unwrap();
            new.idempotency = Some(idempotency(self.rng.name(&REQUESTS), digest));
        }
        Write::CreateJob(new)
    }

    /// A job triggers; the rows of a device list become due with it.
    fn trigger(&mut self) -> Vec<Write> {
        let now = self.now;
        let due = self.jobs(|job| job.total.is_none() && job.cancels.made == 0 && job.release <= now);
        let Some(job) = self.rng.pick(&due) else {
            return Vec::new();
        };
        let rows = self.model.job_tasks(&job, JobTasks::Init, None, usize::MAX).unwrap();
        let mut steps = Vec::new();
        for task in rows {
            let condition = self.condition(task.device);
            steps.extend(self.decide(&job, &task, Event::Due(&condition)));
        }
        vec![Write::TriggerJob { job: job.no }, Write::Steps(steps)]
    }

    fn cancel(&mut self) -> Vec<Write> {
        let job = self.any_job();
        vec![Write::CancelJob { job, by: sample::by() }]
    }

    /// A slice of a product job's rows.
    fn members(&mut self) -> Option<Write> {
        let unwritten = self.jobs(|job| job.members.is_some() && job.total.is_some() && !job.is_written());
        let job = self.rng.pick(&unwritten)?;
        let limit = 1 + usize::from(self.rng.one_in(2)) * 2;
        let members = self.model.members(&job, limit).unwrap();
        let first = job.range.first?.0 + job.counters.written();
        let mut tasks = Vec::new();
        for (no, facts) in (first..).zip(&members) {
            let born = Task::new(TaskNo(no), facts.device, self.now);
            let condition = self.condition(facts.device);
            tasks.extend(self.decide(&job, &born, Event::Due(&condition)));
        }
        Some(Write::WriteTasks {
            job: job.no,
            after: job.members?.cursor,
            cursor: members.last()?.device,
            tasks,
        })
    }

    /// Something happens to some tasks of a job.
    fn steps(&mut self) -> Write {
        let finished = self.rng.one_in(5);
        let jobs = self.jobs(|job| job.counters.written() > 0 && (job.state == JobState::Finished) == finished);
        let Some(job) = self.rng.pick(&jobs) else {
            return Write::Steps(Vec::new());
        };
        let which = if self.rng.one_in(4) {
            JobTasks::All
        } else {
            JobTasks::Unfinished
        };
        let rows = self.model.job_tasks(&job, which, None, usize::MAX).unwrap();
        let mut steps = Vec::new();
        for _ in 0..=self.rng.below(6) {
            if let Some(task) = self.rng.pick(&rows) {
                steps.extend(self.something(&job, &task));
            }
        }
        Write::Steps(steps)
    }

    fn something(&mut self, job: &Job, task: &Task) -> Option<StepWrite> {
        let condition = self.condition(task.device);
        let handed = self.rng.one_in(2).then_some(self.now);
        let attempt = if self.rng.one_in(4) { AttemptNo(1) } else { task.attempt };
        let reply = reply(self.rng.pick(&[200, 500, 0]).unwrap());
        let replied = Event::Replied {
            attempt,
            handed,
            reply: &reply,
        };
        let withdrawn = self.rng.one_in(2);
        let event = match (job.total, task.state, self.rng.below(8)) {
            (None, ..) | (_, _, 0) => Event::Cancelled { withdrawn },
            (_, State::Init | State::RetryWait, _) => Event::Due(&condition),
            (_, State::Queued, 1..=5) => Event::Claimed,
            (_, State::Queued, 6) => Event::WindowEnded(&condition),
            (_, State::Published, 1..=3) => Event::Acked { attempt, handed },
            (_, State::Published, 4) => Event::NotSent(attempt, &condition),
            (_, State::Published | State::InProgress, 5) => {
                let link = Link::LostAt(self.now);
                Event::ReplyDeadline {
                    attempt,
                    handed,
                    link,
                    unreadable: false,
                }
            }
            (_, State::Published | State::InProgress, _) | (_, _, 1) => replied,
            (_, _, 2) => Event::DeviceDisabled,
            (_, _, 3) => Event::DeviceDeleted,
            _ => Event::RetryAsked(&condition),
        };
        let mut write = self.decide(job, task, event)?;
        if self.rng.one_in(12) {
            write.from.0 = State::ALL[usize::try_from(self.rng.below(10)).unwrap()];
        }
        Some(write)
    }

    fn decide(&self, job: &Job, task: &Task, event: Event<'_>) -> Option<StepWrite> {
        let step = step(task, &job.rules(), event, self.now).ok()?;
        Some(StepWrite {
            job: job.no,
            from: (task.state, task.attempt),
            wake_at: step.task.wake_at(&job.rules()),
            task: step.task,
            ended: step.ended,
        })
    }

    fn condition(&mut self, device: DeviceNo) -> Condition {
        let facts = self.model.device_facts(&[device]).unwrap().remove(0).unwrap();
        let presence = if self.rng.one_in(4) {
            Presence::Absent {
                since: facts.last_offline,
            }
        } else {
            Presence::Present
        };
        Condition {
            deleted: facts.deleted,
            disabled: facts.disabled,
            activated: facts.activated,
            presence,
            queued: self.model.queue_lengths(&[device]).unwrap()[0],
            busy_with: None,
            ..PRESENT
        }
    }

    /// A cancel is settled, a job is deleted, a deleted one is purged.
    fn clearing(&mut self) -> Option<Write> {
        let all = self.jobs(|_| true);
        Some(match self.rng.below(3) {
            0 => {
                let job = self.rng.pick(&all)?;
                Write::SettledJob {
                    job: job.no,
                    mark: job.cancels.made,
                }
            }
            1 => {
                let deletable = self.jobs(|job| job.state != JobState::InProgress);
                let job = self.rng.pick(&deletable).map(|job| job.no);
                let job = job.unwrap_or_else(|| self.any_job());
                Write::DeleteJob { job, by: sample::by() }
            }
            _ => {
                let at_work = self.model.jobs_at_work().unwrap();
                let deleted: Vec<Job> = at_work.into_iter().filter(|job| job.deleted).collect();
                let job = self.rng.pick(&deleted)?.no;
                let limit = self.rng.pick(&[1, 3, 100])?;
                Write::PurgeJob { job, limit }
            }
        })
    }

    fn slots(&mut self) -> Option<Write> {
        let device = self.any_device();
        let known = self.model.devices(&[DeviceRef::No(device)]).unwrap().remove(0)?;
        let slot = Slot {
            device: known.no,
            task: TaskNo(self.rng.below(30)),
            attempt: AttemptNo(1),
            reply_deadline: self.now.plus_ms(20_000),
            acked: self.rng.one_in(2),
        };
        Some(Write::Slots(vec![(device, self.rng.one_in(2).then_some(slot))]))
    }

    fn journal(&mut self) -> Write {
        match self.rng.below(5) {
            4 => Write::UseUp {
                proofs: vec![self.proof(), self.proof()],
                before: self.now.plus_ms(-30_000),
                limit: usize::try_from(self.rng.below(4)).unwrap_or(0),
            },
            3 => {
                let write = Box::new(self.devices().remove(0));
                Write::Noted {
                    write,
                    actions: vec![self.action(), self.action()],
                }
            }
            0 => Write::Remember {
                idempotency: idempotency(self.rng.name(&REQUESTS), 9),
                answer: "a text".to_owned(),
            },
            _ => Write::Note(self.action()),
        }
    }

    fn proof(&mut self) -> Proof {
        let ago = i64::try_from(self.rng.below(60)).unwrap_or(0);
        Proof {
            at: self.now.plus_ms(-1000 * ago),
            digest: [u8::try_from(self.rng.below(3)).unwrap_or(0); 16],
        }
    }

    fn action(&mut self) -> Action {
        Action {
            org: self.org().into(),
            verb: "job.look",
            subject: JobNo(self.rng.below(9)).to_job_id(),
            by: sample::by(),
        }
    }
}
