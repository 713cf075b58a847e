//! What operators ask of the engine, as short as a test wants it.

use aldis_core::command::Command;
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_core::policy::Policy;
use aldis_core::task::{State, Task, code};
use aldis_core::time::Timestamp;
use aldis_store::rows::{JobText, NewJob, TargetEntry, TargetScope};
use aldis_store::{Done, Refusal, Store as _, Write};
use tokio::sync::oneshot;

use super::bench::Bench;
use super::sample::{ORG, PRODUCT, WAITING, by};
use crate::writer::{AnswerSender, Retried, TaskEntry, WholeJob, WriterError, WriterRequest};

impl Bench {
    pub(super) fn new_job(&self, devices: &[DeviceNo], policy: Policy) -> NewJob {
        let entry = TargetEntry {
            asset: Some("as named".to_owned()),
            product: None,
            device: None,
        };
        let targets = TargetScope::Devices(vec![entry; devices.len()]);
        NewJob {
            devices: Some(devices.to_vec()),
            ..draft(targets, self.now, policy)
        }
    }

    pub(super) fn new_product_job(&self, policy: Policy) -> NewJob {
        product_job(self.now, policy)
    }

    /// Submits a request and does not wait.
    pub(super) fn request<T>(
        &mut self,
        request: impl FnOnce(AnswerSender<T>) -> WriterRequest,
    ) -> oneshot::Receiver<Result<T, WriterError>> {
        let (answer, answered) = oneshot::channel();
        assert!(self.inbox.submit(request(answer)), "the inbox has room");
        answered
    }

    /// Submits a request, and runs the engine until it has answered.
    pub(super) fn answer<T>(
        &mut self,
        request: impl FnOnce(AnswerSender<T>) -> WriterRequest,
    ) -> Result<T, WriterError> {
        let mut answered = self.request(request);
        self.settle();
        answered.try_recv().expect("an answer")
    }

    pub(super) fn write(&mut self, write: Write) -> Done {
        self.answer(|answer| WriterRequest::Write {
            writes: vec![write],
            answer,
        })
        .unwrap()
        .remove(0)
    }

    pub(super) fn create(&mut self, new: NewJob) -> JobNo {
        match self.write(Write::CreateJob(new)) {
            Done::Job { no, .. } => no,
            other => panic!("no job was created: {other:?}"),
        }
    }

    /// Creates a job for these devices, due now, and returns its tasks.
    pub(super) fn tasks_for(&mut self, devices: &[DeviceNo], policy: Policy) -> Vec<TaskNo> {
        let job = self.create(self.new_job(devices, policy));
        self.tasks_of(job).into_iter().map(|task| task.no).collect()
    }

    /// Creates a job for these devices that triggers later.
    pub(super) fn planned(&mut self, devices: &[DeviceNo], policy: Policy, in_ms: i64) -> Vec<TaskNo> {
        let release = self.now.plus_ms(in_ms);
        let job = self.create(NewJob {
            release,
            ..self.new_job(devices, policy)
        });
        self.tasks_of(job).into_iter().map(|task| task.no).collect()
    }

    /// One more task has room in the device's full queue, and a second has not.
    pub(super) fn fills_one_place(&mut self, device: DeviceNo) {
        let fits = self.task_for(device, WAITING);
        assert_eq!(self.state(fits), State::Queued);
        let too_many = self.task_for(device, WAITING);
        assert_eq!(self.code(too_many), code::QUEUE_FULL);
    }

    /// As `tasks_for`, with one device.
    pub(super) fn task_for(&mut self, device: DeviceNo, policy: Policy) -> TaskNo {
        self.tasks_for(&[device], policy)[0]
    }

    pub(super) fn cancel(&mut self, task: TaskNo) -> TaskEntry {
        let job = self.job_of(task).no;
        self.answer(|answer| WriterRequest::CancelTasks {
            job,
            tasks: vec![task],
            by: by(),
            answer,
        })
        .unwrap()
        .remove(0)
    }

    pub(super) fn cancel_job(&mut self, job: JobNo) -> WholeJob {
        self.answer(|answer| WriterRequest::CancelJob { job, by: by(), answer })
            .unwrap()
    }

    pub(super) fn retry(&mut self, task: TaskNo) -> TaskEntry {
        let job = self.job_of(task).no;
        match self
            .answer(|answer| WriterRequest::Retry {
                job,
                tasks: Some(vec![task]),
                by: by(),
                idempotency: None,
                answer,
            })
            .unwrap()
        {
            Retried::Tasks(mut entries) => entries.remove(0).1,
            Retried::Whole(whole) => panic!("one task was named: {whole:?}"),
        }
    }

    pub(super) fn retry_job(&mut self, job: JobNo) -> WholeJob {
        match self
            .answer(|answer| WriterRequest::Retry {
                job,
                tasks: None,
                by: by(),
                idempotency: None,
                answer,
            })
            .unwrap()
        {
            Retried::Whole(whole) => whole,
            Retried::Tasks(entries) => panic!("no task was named: {entries:?}"),
        }
    }

    pub(super) fn delete_job(&mut self, job: JobNo) -> Result<(), Refusal> {
        match self.write(Write::DeleteJob { job, by: by() }) {
            Done::Refused(refusal) => Err(refusal),
            _ => Ok(()),
        }
    }

    /// A job is deleted behind the engine's back: as the process died right after the commit.
    pub(super) fn meddle_delete(&mut self, job: JobNo) {
        let delete = Write::DeleteJob { job, by: by() };
        assert_eq!(
            self.store.commit(self.store.epoch(), self.now, &[delete]).unwrap().done,
            [Done::Yes]
        );
    }

    /// A row is changed behind the engine's back, who has to be started anew.
    pub(super) fn meddle_task(&mut self, task: TaskNo, change: impl FnOnce(&mut Task)) {
        super::stored::meddle(&mut self.store, task, change);
    }

    /// A held slot's deadline is moved behind the engine's back.
    pub(super) fn meddle_deadline(&mut self, device: DeviceNo, in_ms: i64) {
        let slot = self.slots()[&device];
        let earlier = slot.reply_deadline.ms_since(self.now) - in_ms;
        self.meddle_task(slot.task, |task| {
            task.times.intent = task.times.intent.map(|at| at.plus_ms(-earlier));
        });
    }

    /// One more device is registered.
    pub(super) fn new_device(&mut self, key: &str) -> DeviceNo {
        match self.write(Write::register(vec![super::sample::new_device(key)])) {
            Done::Devices(devices) => devices[0].unwrap(),
            other => panic!("no device was registered: {other:?}"),
        }
    }

    pub(super) fn disable(&mut self, device: DeviceNo, disabled: bool) {
        self.answer(|answer| WriterRequest::DisableDevice {
            device,
            disabled,
            by: by(),
            answer,
        })
        .unwrap();
    }

    pub(super) fn delete_device(&mut self, device: DeviceNo) {
        self.answer(|answer| WriterRequest::DeleteDevice {
            device,
            by: by(),
            answer,
        })
        .unwrap();
    }
}

/// A job for all devices.
pub(super) fn product_job(release: Timestamp, policy: Policy) -> NewJob {
    draft(
        TargetScope::Products {
            products: vec![PRODUCT.into()],
            entries: Vec::new(),
        },
        release,
        policy,
    )
}

fn draft(targets: TargetScope, release: Timestamp, policy: Policy) -> NewJob {
    NewJob {
        org: ORG.into(),
        text: JobText {
            name: I18nText::plain("Spin".to_owned()),
            desc: String::new(),
            targets,
            trigger: None,
            retry_enabled: policy.retry.is_some(),
            retry_count: 0,
            retry_interval_s: 0,
        },
        command: Command::InvokeService {
            service_id: "spin".to_owned(),
            input: serde_json::Map::new(),
        },
        policy,
        release,
        devices: None,
        idempotency: None,
        by: by(),
    }
}
