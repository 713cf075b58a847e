//! What cases work with: a store, a clock of its own, and short ways to common situations.

use std::collections::BTreeSet;
use std::sync::Arc;

use aldis_core::ids::{DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::job::{Counters, roll_up};
use aldis_core::task::{Event, Task, step};
use aldis_core::time::Timestamp;
use aldis_store::rows::{CommitNo, Device, Job, NewDevice, NewJob};
use aldis_store::{
    DeviceRef, Done, Epoch, Error, JobTasks, OnlineDevices, Page, Read, Refusal, StepWrite, Store, Write,
};
use parking_lot::Mutex;

use super::sample::{self, MODEL, ORG, OTHER_ORG, OTHER_PRODUCT, PRESENT, PRODUCT, reply};
use super::{Fixture, Make};

/// Time that passes between two commits, in milliseconds.
const BETWEEN_COMMITS_MS: i64 = 1_000;
/// Everything.
pub(super) const ALL: Page = Page { skip: 0, take: 10_000 };

/// Who is online, as cases set it.
#[derive(Default)]
pub(super) struct Sessions(Mutex<BTreeSet<DeviceNo>>);

impl Sessions {
    pub(super) fn come(&self, device: DeviceNo) {
        self.0.lock().insert(device);
    }

    pub(super) fn go(&self, device: DeviceNo) {
        self.0.lock().remove(&device);
    }

    pub(super) fn online(&self) -> OnlineDevices {
        self.0.lock().iter().copied().collect()
    }
}

/// A store under test with a clock.
pub struct Bench {
    make: Make,
    fixture: Box<dyn Fixture>,
    pub(super) epoch: Epoch,
    pub(super) sessions: Arc<Sessions>,
    pub(super) now: Timestamp,
    last: CommitNo,
}

impl Bench {
    /// A bench with a new, empty store.
    #[must_use]
    pub fn new(make: Make) -> Self {
        let sessions = Arc::new(Sessions::default());
        let mut fixture = make();
        let epoch = fixture.store().begin_epoch().unwrap();
        Self {
            make,
            fixture,
            epoch,
            sessions,
            now: Timestamp(1_700_000_100_000),
            last: CommitNo(0),
        }
    }

    /// Begins again with a new, empty store.
    pub(super) fn renew(&mut self) {
        *self = Self::new(self.make);
    }

    pub(super) fn online(&self) -> OnlineDevices {
        self.sessions.online()
    }

    pub(super) fn store(&mut self) -> &mut dyn Store {
        self.fixture.store()
    }

    pub(super) fn read(&mut self) -> &dyn Read {
        self.fixture.store()
    }

    pub(super) fn reopen(&mut self) {
        self.fixture.reopen();
        self.begin_epoch();
    }

    /// Another writer begins; what the bench commits from now on is that writer's.
    pub(super) fn begin_epoch(&mut self) {
        self.epoch = self.store().begin_epoch().unwrap();
    }

    /// The moment that the next commit will have.
    pub(super) fn next_moment(&self) -> Timestamp {
        self.now.plus_ms(BETWEEN_COMMITS_MS)
    }

    /// Lets time pass until the next commit will have this moment.
    pub(super) fn pass_until(&mut self, moment: Timestamp) {
        self.now = moment.plus_ms(-BETWEEN_COMMITS_MS);
    }

    /// Commits and checks what holds for every commit.
    pub(super) fn commit(&mut self, writes: &[Write]) -> Vec<Done> {
        self.now = self.next_moment();
        let (epoch, now) = (self.epoch, self.now);
        let committed = self.store().commit(epoch, now, writes).unwrap();
        self.last = CommitNo(self.last.0 + 1);
        assert_eq!(committed.number, self.last, "commits are numbered one by one");
        assert_eq!(committed.done.len(), writes.len(), "an answer for each write");
        for org in [ORG, OTHER_ORG] {
            check_jobs(self.read(), &org.into());
        }
        committed.done
    }

    pub(super) fn one(&mut self, write: Write) -> Done {
        self.commit(&[write]).remove(0)
    }

    pub(super) fn done(&mut self, write: Write) {
        assert_eq!(self.one(write), Done::Yes);
    }

    pub(super) fn refused(&mut self, write: Write, why: Refusal) {
        assert_eq!(self.one(write), Done::Refused(why));
    }

    /// Two organizations, each with a thing model and a product.
    pub(super) fn found(&mut self) {
        for (org, product) in [(ORG, PRODUCT), (OTHER_ORG, OTHER_PRODUCT)] {
            self.done(Write::CreateOrganization(sample::organization(org)));
            self.done(Write::CreateModel(sample::model(org, MODEL)));
            self.done(Write::CreateProduct(sample::product(org, product)));
        }
    }

    pub(super) fn register(&mut self, devices: Vec<NewDevice>) -> Vec<DeviceNo> {
        match self.one(Write::register(devices)) {
            Done::Devices(answers) => answers.into_iter().map(Result::unwrap).collect(),
            other => panic!("expected devices, not {other:?}"),
        }
    }

    /// Registers devices of the usual product.
    pub(super) fn devices(&mut self, keys: &[&str]) -> Vec<DeviceNo> {
        self.register(keys.iter().map(|key| sample::new_device(ORG, PRODUCT, key)).collect())
    }

    /// The usual organizations and devices of the usual product.
    pub(super) fn with_devices(&mut self, keys: &[&str]) -> Vec<DeviceNo> {
        self.found();
        self.devices(keys)
    }

    pub(super) fn device(&mut self, no: DeviceNo) -> Device {
        self.read().devices(&[DeviceRef::No(no)]).unwrap().remove(0).unwrap()
    }

    pub(super) fn disable(&mut self, device: DeviceNo, disabled: bool) {
        self.done(disable(device, disabled));
    }

    pub(super) fn delete_device(&mut self, device: DeviceNo) {
        self.done(delete(device));
    }

    pub(super) fn create(&mut self, job: NewJob) -> JobNo {
        match self.one(Write::CreateJob(job)) {
            Done::Job { no, created: true } => no,
            other => panic!("expected a new job, not {other:?}"),
        }
    }

    pub(super) fn trigger(&mut self, job: JobNo) -> u64 {
        match self.one(Write::TriggerJob { job }) {
            Done::Count(total) => total,
            other => panic!("expected a total, not {other:?}"),
        }
    }

    /// A triggered job for these devices whose tasks are all queued, with its tasks' numbers.
    pub(super) fn running(&mut self, job: NewJob) -> (JobNo, Vec<TaskNo>) {
        let no = self.create(job);
        self.trigger(no);
        let tasks = self.numbers(no);
        for task in &tasks {
            self.queue(*task);
        }
        (no, tasks)
    }

    pub(super) fn job(&mut self, no: JobNo) -> Job {
        self.read().job(no).unwrap().unwrap().job
    }

    pub(super) fn rows(&mut self, no: JobNo, which: JobTasks) -> Vec<Task> {
        let job = self.job(no);
        self.read().job_tasks(&job, which, None, usize::MAX).unwrap()
    }

    /// The numbers of a job's tasks.
    pub(super) fn numbers(&mut self, no: JobNo) -> Vec<TaskNo> {
        self.rows(no, JobTasks::All).iter().map(|task| task.no).collect()
    }

    pub(super) fn task(&mut self, no: TaskNo) -> Task {
        self.read().tasks(&[no]).unwrap().remove(0).unwrap()
    }

    /// What an event makes of a task, decided by the core, as a write that has not been applied yet.
    pub(super) fn decide(&mut self, no: TaskNo, event: Event<'_>) -> StepWrite {
        let now = self.next_moment();
        let task = self.task(no);
        let job = self.read().jobs_of(&[no]).unwrap().remove(0);
        let step = step(&task, &job.rules(), event, now).unwrap();
        StepWrite {
            job: job.no,
            from: (task.state, task.attempt),
            wake_at: step.task.wake_at(&job.rules()),
            task: step.task,
            ended: step.ended,
        }
    }

    /// Applies an event to a task.
    pub(super) fn step(&mut self, no: TaskNo, event: Event<'_>) -> Task {
        let write = self.decide(no, event);
        assert_eq!(self.one(Write::Steps(vec![write])), Done::Steps(vec![true]));
        self.task(no)
    }

    pub(super) fn queue(&mut self, no: TaskNo) -> Task {
        self.step(no, Event::Due(&PRESENT))
    }

    pub(super) fn publish(&mut self, no: TaskNo) -> Task {
        self.step(no, Event::Claimed)
    }

    /// The device replies to the latest attempt.
    pub(super) fn reply(&mut self, no: TaskNo, code: i64) -> Task {
        let attempt = self.task(no).attempt;
        let event = Event::Replied {
            attempt,
            handed: None,
            reply: &reply(code),
        };
        self.step(no, event)
    }

    /// Sends the task and has the device succeed.
    pub(super) fn succeed(&mut self, no: TaskNo) -> Task {
        self.publish(no);
        self.reply(no, 200)
    }

    /// Sends the task and has the device fail.
    pub(super) fn fail(&mut self, no: TaskNo) -> Task {
        self.publish(no);
        self.reply(no, 500)
    }
}

pub(super) fn disable(device: DeviceNo, disabled: bool) -> Write {
    Write::DisableDevice {
        device,
        disabled,
        by: sample::by(),
    }
}

pub(super) fn delete(device: DeviceNo) -> Write {
    Write::DeleteDevice {
        device,
        by: sample::by(),
    }
}

/// All jobs of an organization, one by one if they are too large for one page.
fn jobs(read: &dyn Read, org: &OrgId) -> Vec<Job> {
    let found = match read.search_jobs(org, None, ALL) {
        Err(Error::PageTooLarge) => {
            let total = read.search_jobs(org, None, Page { skip: 0, take: 0 }).unwrap().total;
            let page = |skip| read.search_jobs(org, None, Page { skip, take: 1 }).unwrap().rows;
            (0..total).flat_map(page).collect()
        }
        found => found.unwrap().rows,
    };
    found.into_iter().map(|detail| detail.job).collect()
}

/// I5: the counters equal a recount, the state is the roll-up, and the rows follow each other without a gap.
pub(super) fn check_jobs(read: &dyn Read, org: &OrgId) {
    for job in jobs(read, org) {
        let rows = read.job_tasks(&job, JobTasks::All, None, usize::MAX).unwrap();
        let mut recount = Counters::default();
        for task in &rows {
            recount.add(task.state, 1);
        }
        assert_eq!(job.counters, recount, "counters of {:?} are a recount", job.no);
        let cancelled_before = job.total.is_none() && job.cancels.made > 0;
        assert_eq!(job.state, roll_up(job.total, &recount, cancelled_before), "{job:?}");
        let expected = job.range.first.map_or(0, |first| first.0)..;
        assert!(
            rows.iter().zip(expected).all(|(task, no)| task.no == TaskNo(no)),
            "a job's rows follow each other: {rows:?}"
        );
    }
}
