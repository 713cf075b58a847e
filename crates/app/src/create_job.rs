//! A new command job: checked as a whole, then stored in one commit (docs/api.md, "Command jobs").
//!
//! Nothing is half-created: every refusal comes before the commit, and the commit holds the job, the tasks of a device
//! list and the idempotency key together.

use aldis_core::command::Command;
use aldis_core::ids::{DeviceNo, JobNo, OrgId};
use aldis_core::job::TRIGGER_AHEAD_MAX_MS;
use aldis_core::policy::Policy;
use aldis_core::task::{QUEUE_MAX, code};
use aldis_core::time::Timestamp;
use aldis_core::violation::Violation;
use aldis_store::rows::{Idempotency, JobText, NewJob, TargetScope};
use aldis_store::{Done, Read, Refusal, Write};
use serde_json::Value;

use super::{App, Caller, Error, job_command, job_targets};
use aldis_engine::writer::WriterError;

/// Longest description of a job, in characters (Unicode scalar values).
pub const DESC_CHARS_MAX: usize = 100;

/// Up to this many devices are looked up at once; more are worth a change of threads.
const LOOKED_UP_MAX: usize = 16;

/// A job as its owner wants it, every range checked, defaults filled in.
#[derive(Debug, Clone)]
pub struct JobDraft {
    /// What its owner says.
    pub text: JobText,
    /// Timeouts and retries as they take effect.
    pub policy: Policy,
    /// What its devices are to do, not yet checked against a thing model.
    pub command: Command,
}

struct Accepted {
    devices: Option<Vec<DeviceNo>>,
    command: Command,
}

impl App {
    /// Creates a job; its number. A repetition of a request that was carried out brings the number of that job.
    ///
    /// # Errors
    /// A target is unknown, a thing model refuses the command, a limit is exceeded, the idempotency key came with
    /// another request; nothing is stored then.
    pub async fn create_job(
        &self,
        caller: &Caller,
        draft: JobDraft,
        idempotency: Option<Idempotency>,
    ) -> Result<JobNo, Error> {
        if let Some(idempotency) = &idempotency
            && let Some(before) = self.created_before(idempotency).await?
        {
            return Ok(before);
        }
        let now = self.now();
        check_desc_of(&draft.text)?;
        let trigger = draft.text.trigger.map(|at| self.planned(at, now)).transpose()?;
        let (org, tasks_max) = (caller.org.clone(), self.settings().tasks_per_job_max);
        let (targets, command) = (draft.text.targets.clone(), draft.command);
        let accepted = match targets.devices() {
            Some(few) if few.len() <= LOOKED_UP_MAX => {
                self.look_up(|store| accept(store, &org, &targets, &command, tasks_max))
                    .await?
            }
            _ => {
                self.read(move |store| accept(store, &org, &targets, &command, tasks_max))
                    .await?
            }
        };
        let job = NewJob {
            org: caller.org.clone(),
            release: trigger.map_or(now, |trigger| trigger.max(now)),
            text: draft.text,
            command: accepted.command,
            policy: draft.policy,
            devices: accepted.devices,
            idempotency,
            by: caller.actor(),
        };
        self.store_job(job).await
    }

    /// The moment by the server's clock at which a job triggers that is planned for `at` by its caller's.
    fn planned(&self, at: Timestamp, now: Timestamp) -> Result<Timestamp, Violation> {
        let refused = |expected: String| {
            Violation::of(&Value::from(at.0), expected).within("schedulePolicy.disposableSchedulePolicy.triggerTs")
        };
        if let Some(doubt) = self.clock_doubt() {
            return Err(refused(format!("no planned moment ({doubt})")));
        }
        let trigger = self.by_our_clock(at);
        if trigger > now.plus_ms(TRIGGER_AHEAD_MAX_MS) {
            let latest = at.plus_ms(now.plus_ms(TRIGGER_AHEAD_MAX_MS).ms_since(trigger));
            return Err(refused(format!("moment at most a year ahead ({})", latest.0)));
        }
        Ok(trigger)
    }

    /// Stores a job that was checked; its number, or that of an earlier one with the same idempotency key.
    pub(super) async fn store_job(&self, job: NewJob) -> Result<JobNo, Error> {
        let mut done = match self.writer().write(vec![Write::CreateJob(job)]).await {
            Err(WriterError::Refused(Refusal::Full)) => return Err(queue_full()),
            done => done?,
        };
        match done.pop() {
            Some(Done::Job { no, .. }) => Ok(no),
            Some(Done::Refused(Refusal::Mismatch)) => Err(other_request()),
            other => Err(Error::Internal(format!("a new job was answered with {other:?}"))),
        }
    }

    /// The job that this very request created before. Asked first, because what it names may have changed since.
    pub(super) async fn created_before(&self, idempotency: &Idempotency) -> Result<Option<JobNo>, Error> {
        let now = self.now();
        let Some(before) = self
            .look_up(|store| store.idempotency_record(&idempotency.scope, &idempotency.key, now))
            .await?
        else {
            return Ok(None);
        };
        if before.digest != idempotency.digest {
            return Err(other_request());
        }
        let no = before.answer.parse().map(JobNo);
        no.map(Some)
            .map_err(|error| Error::Internal(format!("a job was remembered as {}: {error}", before.answer)))
    }
}

/// As many commands wait for the device as may.
fn queue_full() -> Error {
    Error::CommandRefused {
        code: code::QUEUE_FULL,
        why: format!("{QUEUE_MAX} commands already wait for the device"),
    }
}

/// The idempotency key came with another request.
pub(super) fn other_request() -> Error {
    let expected = "a new key";
    Error::Invalid(Violation {
        path: "Idempotency-Key".to_owned(),
        expected: expected.to_owned(),
        found: "one that a different request used in the last 24 h".to_owned(),
    })
}

fn check_desc_of(text: &JobText) -> Result<(), Violation> {
    if text.desc.chars().count() > DESC_CHARS_MAX {
        let expected = format!("text of at most {DESC_CHARS_MAX} characters");
        return Err(Violation::of_text(&text.desc, expected).within("desc"));
    }
    Ok(())
}

fn accept(
    store: &dyn Read,
    org: &OrgId,
    targets: &TargetScope,
    command: &Command,
    tasks_max: Option<u64>,
) -> Result<Accepted, Error> {
    let (devices, asked) = match targets.devices() {
        Some(entries) => {
            let (devices, asked) = job_targets::devices(store, org, entries)?;
            (Some(devices), asked)
        }
        None => (None, job_targets::products(store, org, targets.products())?),
    };
    if let Some(max) = tasks_max {
        let tasks = match &devices {
            Some(devices) => u64::try_from(devices.len()).unwrap_or(u64::MAX),
            None => job_targets::members(store, org, asked.keys())?,
        };
        if tasks > max {
            return Err(Error::TooManyTasks { tasks, max });
        }
    }
    let command = job_command::accept(store, org, &asked, command)?;
    Ok(Accepted { devices, command })
}
