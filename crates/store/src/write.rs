//! Everything that can be written, by intent.

use aldis_core::ids::{AppKey, AttemptNo, DeviceKey, DeviceNo, JobNo, ModelId, OrgId, ProductKey};
use aldis_core::task::{AttemptRecord, State, Task};
use aldis_core::time::Timestamp;
use serde_json::Value;

use crate::rows::{
    AccessKey, Action, Activity, Actor, CommitNo, DeviceChange, Idempotency, Model, NewDevice, NewJob, Organization,
    Product, ProductChange, Proof, Registrar, Reported, Secret, Slot,
};

/// One intent. Applied whole or refused whole, except where its answer has an entry per element.
///
/// The writes of one commit see each other in their order. Writes that say who asked (`by`) keep it as an action, see
/// [`crate::status_names::verb`]. Deleted devices and jobs are `Missing`.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// A new organization. Refused: `Taken`.
    CreateOrganization(Organization),
    /// Disable or enable an organization. Refused: `Missing`.
    DisableOrganization { org: OrgId, disabled: bool },
    /// Delete an organization. Refused: `Missing`; `InUse` while it has keys, models, products or jobs that are not
    /// deleted.
    DeleteOrganization { org: OrgId },
    /// A new access key. Refused: `Taken`; `Missing` organization.
    CreateKey(AccessKey),
    /// Disable or enable an access key. Refused: `Missing`.
    DisableKey { key: AppKey, disabled: bool },
    /// Delete an access key. Refused: `Missing`.
    DeleteKey { key: AppKey },

    /// A new thing model. Refused: `Taken`.
    CreateModel(Model),
    /// Replace a thing model's document, if it still is `from`; `updated` becomes the commit's moment. Refused:
    /// `Missing`; `Changed` if it is another by now.
    UpdateModel {
        org: OrgId,
        id: ModelId,
        from: Value,
        document: Value,
    },
    /// Delete a thing model. Refused: `Missing`; `InUse` while a product has it.
    DeleteModel { org: OrgId, id: ModelId },

    /// A new product. Refused: `Taken`; `Missing` model.
    CreateProduct(Product),
    /// Change parts of a product; `updated` becomes the commit's moment, and `by` the key that changed it last.
    /// Refused: `Missing`.
    UpdateProduct {
        org: OrgId,
        key: ProductKey,
        change: ProductChange,
        by: Option<AppKey>,
    },
    /// Give a product another secret. The one before stays good until `former_until`, and no longer than this commit
    /// without it; one that was replaced earlier is good no more. `updated` and `by` as with `UpdateProduct`. Refused:
    /// `Missing`.
    RotateProductSecret {
        org: OrgId,
        key: ProductKey,
        secret: Secret,
        former_until: Option<Timestamp>,
        by: Option<AppKey>,
    },
    /// Delete a product. Refused: `Missing`; `InUse` while it has devices.
    DeleteProduct { org: OrgId, key: ProductKey },

    /// New devices; the answer is `Done::Devices`, an entry each (`Missing` product, `Taken`, `AssetTaken`, `Full` if
    /// the product would have more than `most`, in this order). Numbers are given out from 1 without gaps; a refused
    /// entry uses none. With a registrar they are put under it; refused is then also: `Missing` if it is not there or
    /// of another organization, if the product does not let gateways register, or if the product's devices are
    /// gateways; `Full` if the gateway would have registered, or have under it, more than it may.
    CreateDevices {
        devices: Vec<NewDevice>,
        most: Option<u64>,
        registrar: Option<Registrar>,
    },
    /// Change parts of a device; `updated` becomes the commit's moment. Refused: `Missing`.
    UpdateDevice { device: DeviceNo, change: DeviceChange },
    /// Disable or enable devices. The history of this is kept, because it fixes who is a member of a product job.
    /// Refused: `Missing`; `Unchanged` if it already is so.
    DisableDevice {
        device: DeviceNo,
        disabled: bool,
        by: Actor,
    },
    /// Delete a device. Its row stays, its keys and asset id become free, what it has reported goes; it is no gateway's
    /// sub-device any more, and as a gateway has none. Refused: `Missing`.
    DeleteDevice { device: DeviceNo, by: Actor },
    /// Give a device another key; asset and tasks stay with it. Refused: `Missing`, `Taken`.
    ReplaceDevice {
        device: DeviceNo,
        key: DeviceKey,
        by: Actor,
    },
    /// Give a device another secret, as `RotateProductSecret` does. Refused: `Missing`.
    RotateDeviceSecret {
        device: DeviceNo,
        secret: Secret,
        former_until: Option<Timestamp>,
    },
    /// Put devices under a gateway. One that is under another gateway moves if `moves`; one that is under this gateway
    /// stays. Refused: `Missing` gateway or device, or one of another organization than the gateway's; `InUse` by
    /// another gateway; `Full` if the gateway would have more than `most` sub-devices.
    AddSubDevices {
        gateway: DeviceNo,
        devices: Vec<DeviceNo>,
        moves: bool,
        most: usize,
    },
    /// Take devices away from their gateway. Refused: `Missing` if one is not under it.
    RemoveSubDevices { gateway: DeviceNo, devices: Vec<DeviceNo> },
    /// Logins and logouts; unknown and deleted devices are passed over. `None` leaves a moment as it was.
    Activity(Vec<Activity>),
    /// Values that devices have reported, each if none is stored that is later, or as late and came after it; one that
    /// is stored as later than the commit's moment does not count. A device keeps at most `names_max` of a kind:
    /// further names are left out. Unknown and deleted devices are passed over.
    Report {
        values: Vec<(DeviceNo, Vec<Reported>)>,
        names_max: usize,
    },
    /// No device is online, because the process that held the sessions has died: of every device whose last login is
    /// later than the end of its last session, the end becomes `at`, or the login itself if that is later still.
    EndSessions { at: Timestamp },
    /// What is stored comes from a clock that was ahead by so much: the commit's moment is the right one, and no stored
    /// moment of the past is later from then on. Comes first in its commit.
    ///
    /// Jobs that were created later than the commit's moment go back by `by_ms` as a whole, with their tasks and
    /// history, so that what waits keeps the time it has left. Of other jobs at work, tasks keep their moments up to
    /// what is possible: a retry is due no later than its interval from now, everything else has happened by now. Slots
    /// are held for no longer than their job's reply timeout from now.
    SetClockBack { by_ms: i64 },

    /// A new job. A device list's rows are written in state `Init` with it. Answer `Done::Job`. With an idempotency key
    /// that is remembered: `Done::Job` of the earlier one if the digest is equal, else refused as `Mismatch`. Job and
    /// task numbers are given out from 1 without gaps.
    CreateJob(NewJob),
    /// The trigger: fixes `total`, and for whole products the members, by watermark and this commit's number, and
    /// allocates their task numbers. Changes of devices that stand before it in the same commit count, later ones do
    /// not. Answer `Done::Count` with the total. Refused: `Missing`; `Unchanged` if it has triggered already or was
    /// cancelled before.
    TriggerJob { job: JobNo },
    /// Rows of a product job, in the order of their numbers, following those already written. Counters follow. Refused:
    /// `Missing`; `Unchanged` if the stored cursor is not `after`, or if it has not triggered.
    WriteTasks {
        job: JobNo,
        after: DeviceNo,
        cursor: DeviceNo,
        tasks: Vec<StepWrite>,
    },
    /// Steps of existing tasks, each only if its row is still as the step saw it. Counters follow; a lost step writes
    /// nothing, also no history. Steps of deleted jobs are lost. Answer `Done::Steps`.
    Steps(Vec<StepWrite>),
    /// What each of these devices' slots holds from now on, as far as no task tells it: an attempt that is out
    /// according to its task's row holds the slot by that, and only one that goes on after its task was cancelled or
    /// given up is written.
    Slots(Vec<(DeviceNo, Option<Slot>)>),
    /// Cancel a whole job: raises its mark by one. Answer `Done::Count`: how many tasks were eligible (cancellable rows
    /// and rows not yet written). A job that has not triggered is finished by it. Refused: `Missing`; `Full` after
    /// `u16::MAX` of them.
    CancelJob { job: JobNo, by: Actor },
    /// All rows have been settled under this mark. Refused: `Missing`.
    SettledJob { job: JobNo, mark: u16 },
    /// Delete a job: gone from the API at once. Refused: `Missing`; `InUse` unless it is INIT or FINISHED.
    DeleteJob { job: JobNo, by: Actor },
    /// Remove up to `limit` rows (tasks with their history) of a deleted job. Answer `Done::Count`: rows removed; the
    /// job's own row goes with the last, and its numbers are never used again. Refused: `Missing` if it is not there or
    /// not deleted.
    PurgeJob { job: JobNo, limit: usize },

    /// The numbers of jobs and tasks go on from `least`, or, where they have come that far, after `gap` that are left
    /// out.
    SkipNumbers { least: u64, gap: u64 },

    /// Remember an answer, and forget those that have been kept for [`crate::rows::ANSWER_KEPT_MS`]. Refused: `Taken`
    /// if the key is still remembered.
    Remember { idempotency: Idempotency, answer: String },
    /// Remember proofs that have been used (those that are remembered stay so), and forget the oldest of those from
    /// before `before`, at most `limit` of them.
    UseUp {
        proofs: Vec<Proof>,
        before: Timestamp,
        limit: usize,
    },
    /// What an operator did, where no other write carries it.
    Note(Action),
    /// A write that does not say by itself who asked for it, together with that: nothing is kept of a refused write.
    /// Where the answer is `Done::Devices`, the first action belongs to the first device, and so on; otherwise all
    /// belong to the whole. The answer is the write's own.
    Noted { write: Box<Write>, actions: Vec<Action> },
}

impl Write {
    /// New devices, however many their products have.
    #[must_use]
    pub const fn register(devices: Vec<NewDevice>) -> Self {
        Self::CreateDevices {
            devices,
            most: None,
            registrar: None,
        }
    }
}

impl Write {
    /// Who asked for it, as far as it says so.
    #[must_use]
    pub fn by(&self) -> Option<&Actor> {
        match self {
            Self::CreateJob(NewJob { by, .. })
            | Self::DisableDevice { by, .. }
            | Self::DeleteDevice { by, .. }
            | Self::ReplaceDevice { by, .. }
            | Self::CancelJob { by, .. }
            | Self::DeleteJob { by, .. }
            | Self::Note(Action { by, .. }) => Some(by),
            Self::Noted { actions, .. } => actions.first().map(|action| &action.by),
            _ => None,
        }
    }
}

/// One task's step, with the row it started from.
#[derive(Debug, Clone, PartialEq)]
pub struct StepWrite {
    /// The job.
    pub job: JobNo,
    /// State and attempt that the step saw; ignored for rows that are being created.
    pub from: (State, AttemptNo),
    /// The task as it is from now on.
    pub task: Task,
    /// The moment at which the task itself has to be looked at (`Task::wake_at`).
    pub wake_at: Option<Timestamp>,
    /// Rows for the history. A late reply to an attempt is kept once.
    pub ended: Vec<AttemptRecord>,
}

/// Why a write was refused. Each variant's meaning stands with the writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The key is in use.
    Taken,
    /// The asset id is in use.
    AssetTaken,
    /// It does not exist, or not in that organization.
    Missing,
    /// Something else still needs it.
    InUse,
    /// It already is so.
    Unchanged,
    /// It is no longer as the write expects it.
    Changed,
    /// The same idempotency key came with another request.
    Mismatch,
    /// There would be more than there may be.
    Full,
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// Applied.
    Yes,
    /// A job: created by this write, or the one that an earlier request with the same key created.
    Job { no: JobNo, created: bool },
    /// A number, as the write says.
    Count(u64),
    /// One entry per device.
    Devices(Vec<Result<DeviceNo, Refusal>>),
    /// One entry per step: applied, or lost because the row had moved on.
    Steps(Vec<bool>),
    /// Refused; nothing of it is stored.
    Refused(Refusal),
}

impl Done {
    /// The actions that go with a write that came to this ([`Write::Noted`]).
    pub fn took_place<'a>(&self, actions: &'a [Action]) -> impl Iterator<Item = &'a Action> {
        let refused = move |index: usize| match self {
            Self::Devices(entries) => entries.get(index).is_none_or(Result::is_err),
            Self::Refused(_) => true,
            Self::Yes | Self::Job { .. } | Self::Count(_) | Self::Steps(_) => false,
        };
        actions
            .iter()
            .enumerate()
            .filter(move |(index, _)| !refused(*index))
            .map(|(_, action)| action)
    }
}

/// A commit that is durable.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Its number.
    pub number: CommitNo,
    /// What became of each write.
    pub done: Vec<Done>,
}

/// The number that is given out next after [`Write::SkipNumbers`].
#[must_use]
pub const fn skipped(next: u64, least: u64, gap: u64) -> u64 {
    if next < least { least } else { next.saturating_add(gap) }
}
