//! Single commands: one command for one device, sent at once or kept for it (docs/api.md, "Single commands").
//!
//! A single command is a job with one task, so that it goes through the device's one queue, is as durable, and is found
//! by everything that knows tasks. All that is added here: the caller of an instant command waits until its task has
//! ended.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use aldis_core::command::Command;
use aldis_core::expression::{CommandField, Filter};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, JobNo, OrgId, TaskNo};
use aldis_core::policy::Policy;
use aldis_core::task::{State, Task, code};
use aldis_store::rows::{Device, Idempotency, JobText, NewJob, TargetEntry, TargetScope};
use aldis_store::{DeviceRef, Error as StoreError, Found, Page, Read, ReadDevices, TaskInfo};

use super::devices::DeviceName;
use super::{App, Caller, Error, Results, job_command};
use aldis_engine::waiters::{WaiterPermit, Waiting};

/// Longest time to wait for a reply, in seconds.
pub const TIMEOUT_MAX_S: i64 = 60;
/// How much longer than its own limits an instant command may take before its caller is told to look for itself: turns
/// of a busy writer, and a store that fails for a moment.
const GRACE: Duration = Duration::from_secs(10);

/// A command as its sender wants it, every range checked, defaults filled in.
#[derive(Debug, Clone)]
pub struct CommandDraft {
    /// For which device.
    pub device: DeviceName,
    /// What it is to do, not yet checked against its thing model.
    pub command: Command,
    /// How long to wait for the reply, in seconds.
    pub timeout_s: i64,
    /// How long the command may wait for its device, in seconds; 0: the caller waits for its end.
    pub pending_ttl_s: i64,
}

/// A command that was accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// Its number.
    pub no: TaskNo,
    /// What the device sent along, as JSON text; `None` also of a command that is kept.
    pub output: Option<String>,
    /// It sent more along than is kept.
    pub output_lost: bool,
}

/// A single command with what its owner wants to know around it.
#[derive(Debug, Clone)]
pub struct SingleCommand {
    /// Its task and its job.
    pub info: TaskInfo,
    /// The name of its service or measurement point.
    pub name: I18nText,
    /// Its device's time zone.
    pub timezone: String,
}

/// What is known of a command before it is created.
struct Checked {
    device: Device,
    command: Command,
    name: I18nText,
}

impl App {
    /// Sends a command. An instant one (`pending_ttl_s` 0) has ended when this returns, well or with
    /// [`Error::CommandEnded`]; any other is stored then. A repetition of a request that was carried out is about the
    /// same command. The wait ends once the caller has `left`.
    ///
    /// # Errors
    /// As [`App::find_device`]; the thing model refuses the command; too many commands wait for the device, or it is
    /// disabled; [`Error::TooManyWait`]; [`Error::CommandEnded`]; [`Error::CommandUnsettled`].
    pub async fn send_command(
        &self,
        caller: &Caller,
        draft: CommandDraft,
        mark: Option<Idempotency>,
        left: impl Future<Output = ()> + Send,
    ) -> Result<Accepted, Error> {
        let instant = draft.pending_ttl_s == 0;
        let place = instant.then(|| self.shared().waiters.reserve()).transpose()?;
        let longest = Duration::from_secs(u64::try_from(2 * draft.timeout_s).unwrap_or(0)) + GRACE;
        let before = match &mark {
            Some(mark) => self.created_before(mark).await?,
            None => None,
        };
        let job = match before {
            Some(before) => before,
            None => self.create_command(caller, draft, mark).await?,
        };
        let no = self.task_of(job).await?;
        match place {
            None => Ok(Accepted {
                no,
                output: None,
                output_lost: false,
            }),
            Some(place) => {
                let given_up = async {
                    tokio::select! {
                        () = tokio::time::sleep(longest) => {}
                        () = left => {}
                    }
                };
                self.end_of(no, place, given_up).await
            }
        }
    }

    async fn create_command(
        &self,
        caller: &Caller,
        draft: CommandDraft,
        mark: Option<Idempotency>,
    ) -> Result<JobNo, Error> {
        let device = self.find_device(caller, &draft.device).await?;
        let checked = self
            .look_up(|store| check(store, &caller.org, device, &draft.command))
            .await?;
        if draft.pending_ttl_s > 0 {
            may_wait(&checked)?;
        }
        let target = TargetEntry {
            asset: Some(checked.device.is.asset.0),
            product: Some(checked.device.is.product.0),
            device: Some(checked.device.is.key.0),
        };
        let now = self.now();
        self.store_job(NewJob {
            org: caller.org.clone(),
            text: JobText {
                name: checked.name,
                desc: String::new(),
                targets: TargetScope::Single(target),
                trigger: None,
                retry_enabled: false,
                retry_count: 0,
                retry_interval_s: 0,
            },
            command: checked.command,
            policy: Policy {
                ttl_ms: draft.pending_ttl_s * 1000,
                reply_timeout_ms: draft.timeout_s * 1000,
                retry: None,
            },
            release: now,
            devices: Some(vec![checked.device.no]),
            idempotency: mark,
            by: caller.actor(),
        })
        .await
    }

    /// The one task of a single command.
    async fn task_of(&self, job: JobNo) -> Result<TaskNo, Error> {
        let detail = self.look_up(|store| store.job(job)).await?;
        let single = detail.filter(|detail| detail.job.single);
        let first = single.and_then(|detail| detail.job.range.first);
        first.ok_or_else(|| Error::missing("command", job.to_job_id()))
    }

    /// Registered first, looked at then: whatever ends the task from now on is told, whatever ended it before is seen.
    async fn end_of(
        &self,
        no: TaskNo,
        place: WaiterPermit,
        given_up: impl Future<Output = ()> + Send,
    ) -> Result<Accepted, Error> {
        let mut waiting = place.wait_for(no);
        if let Some(task) = self.ended(no).await? {
            return outcome(task);
        }
        if let Some(task) = told_before(&mut waiting, given_up).await {
            return outcome(task);
        }
        match self.ended(no).await? {
            Some(task) => outcome(task),
            None => Err(Error::CommandUnsettled(no.to_task_id())),
        }
    }

    async fn ended(&self, no: TaskNo) -> Result<Option<Task>, Error> {
        let mut found = self.look_up(|store| store.tasks(&[no])).await?;
        let task = found.pop().flatten();
        let task = task.ok_or_else(|| Error::missing("command", no.to_task_id()))?;
        Ok(Some(task).filter(|task| task.state.is_final()))
    }

    /// A single command of the caller's organization; if a device is named, it has to be that device's.
    ///
    /// # Errors
    /// There is none.
    pub async fn command(&self, caller: &Caller, id: &str, device: &DeviceName) -> Result<SingleCommand, Error> {
        let (no, org, device) = (TaskNo::from_task_id(id), caller.org.clone(), device.clone());
        let found = self
            .read(move |store| {
                let found = no.map(|no| commands(store, &[no])).transpose()?.unwrap_or_default();
                Ok::<_, StoreError>(found.into_iter().find(|command| belongs(command, &org, &device)))
            })
            .await?;
        found.ok_or_else(|| Error::missing("command", id))
    }

    /// The single commands of a device, newest first.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn search_commands(
        &self,
        caller: &Caller,
        device: &DeviceName,
        filter: Option<Filter<CommandField>>,
        page: Page,
    ) -> Result<Results<SingleCommand>, Error> {
        let device = self.find_device(caller, device).await?.no;
        self.search(caller, filter.is_some(), move |store| {
            let found = store.search_commands(device, filter.as_ref(), page)?;
            Ok(Found {
                rows: described(store, found.rows)?,
                total: found.total,
            })
        })
        .await
    }

    /// Cancels a cached command that has not been sent, as it is then.
    ///
    /// # Errors
    /// There is no such command; [`Error::CommandNotCached`].
    pub async fn cancel_command(
        &self,
        caller: &Caller,
        id: &str,
        device: &DeviceName,
    ) -> Result<Vec<SingleCommand>, Error> {
        let info = self.command(caller, id, device).await?.info;
        let cancelled = self.cancelled(caller, info.task.device, Some(info.task.no)).await?;
        match cancelled.is_empty() {
            true => Err(Error::CommandNotCached(id.to_owned())),
            false => Ok(cancelled),
        }
    }

    /// Cancels all cached commands of a device that have not been sent; those, as they are then.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn cancel_commands(&self, caller: &Caller, device: &DeviceName) -> Result<Vec<SingleCommand>, Error> {
        let device = self.find_device(caller, device).await?.no;
        self.cancelled(caller, device, None).await
    }

    async fn cancelled(
        &self,
        caller: &Caller,
        device: DeviceNo,
        only: Option<TaskNo>,
    ) -> Result<Vec<SingleCommand>, Error> {
        let tasks = self.writer().cancel_commands(device, only, caller.actor()).await?;
        self.read(move |store| commands(store, &tasks)).await
    }
}

/// A stopping server answers no waiter, and a caller that has given up gets no answer.
async fn told_before(waiting: &mut Waiting, given_up: impl Future<Output = ()>) -> Option<Task> {
    tokio::select! {
        told = waiting.end() => told,
        () = given_up => None,
    }
}

fn outcome(task: Task) -> Result<Accepted, Error> {
    let no = task.no;
    match (task.state, task.result) {
        (State::Succeeded, result) => Ok(Accepted {
            no,
            output_lost: result.as_ref().is_some_and(|result| result.notes.output_dropped),
            output: result.and_then(|outcome| outcome.output),
        }),
        (_, Some(outcome)) => Err(Error::CommandEnded {
            id: no.to_task_id(),
            code: outcome.code,
            desc: outcome.desc,
        }),
        (state, None) => Err(Error::Internal(format!("{state:?} without a result"))),
    }
}

fn check(store: &dyn Read, org: &OrgId, device: Device, command: &Command) -> Result<Checked, Error> {
    let (command, name) = job_command::accept_single(store, org, &device.is.product, command)?;
    Ok(Checked { device, command, name })
}

/// What would fail as soon as it is due is not accepted at all. Whether the device's queue is full is decided where
/// others cannot come in between: by the writer.
fn may_wait(checked: &Checked) -> Result<(), Error> {
    match checked.device.disabled {
        false => Ok(()),
        true => Err(Error::CommandRefused {
            code: code::NOT_ACTIVE,
            why: "the device is disabled".to_owned(),
        }),
    }
}

fn belongs(command: &SingleCommand, org: &OrgId, device: &DeviceName) -> bool {
    let info = &command.info;
    let is = |given: &Option<String>, is: &str| given.as_deref().is_none_or(|given| given == is);
    info.job.org == *org
        && is(&device.asset, info.asset.as_str())
        && is(&device.product, info.product.as_str())
        && is(&device.key, info.device_key.as_str())
}

/// What their owner wants to know of these tasks, as far as they are single commands. Each is read once.
fn described(store: &dyn Read, mut infos: Vec<TaskInfo>) -> Result<Vec<SingleCommand>, StoreError> {
    infos.retain(|info| info.job.single);
    let jobs: Vec<JobNo> = infos.iter().map(|info| info.job.no).collect();
    let names = store.job_names(&jobs)?;
    let mut timezones: BTreeMap<DeviceNo, String> = BTreeMap::new();
    let mut commands = Vec::with_capacity(infos.len());
    for (info, name) in infos.into_iter().zip(names) {
        let timezone = match timezones.entry(info.task.device) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(place) => place.insert(timezone_of(store, info.task.device)?).clone(),
        };
        // A job without a name has been deleted meanwhile.
        commands.extend(name.map(|name| SingleCommand { info, name, timezone }));
    }
    Ok(commands)
}

fn timezone_of(store: &dyn ReadDevices, device: DeviceNo) -> Result<String, StoreError> {
    let found = store.devices(&[DeviceRef::No(device)])?.pop().flatten();
    Ok(found.map(|found| found.is.timezone).unwrap_or_default())
}

fn commands(store: &dyn Read, tasks: &[TaskNo]) -> Result<Vec<SingleCommand>, StoreError> {
    described(store, store.task_infos(tasks)?.into_iter().flatten().collect())
}
