//! What is kept: plain rows, one struct each.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use aldis_core::command::{Command, Qos};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AppKey, AssetId, AttemptNo, DeviceKey, DeviceNo, JobNo, ModelId, OrgId, ProductKey, TaskNo};
use aldis_core::job::{Counters, JobState};
use aldis_core::policy::{Policy, Rules};
use aldis_core::reported::ReportKind;
pub use aldis_core::secret::Secret;
use aldis_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::cancels::Cancels;
pub use crate::task_range::TaskRange;

/// A commit's number; later commits have larger ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitNo(pub u64);

/// Who asked for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The access key; `None` for unsigned calls, gateways and the server itself.
    pub app_key: Option<AppKey>,
    /// The address that the request came from, if it is known.
    pub address: Option<IpAddr>,
    /// The request's id, as answered.
    pub request_id: String,
}

/// A secret that was replaced and is still good for a while, so that what holds it can be given the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerSecret {
    /// The secret.
    pub secret: Secret,
    /// From then on it is good no more.
    pub until: Timestamp,
}

/// The secrets that are good at `now`, the present one first.
fn good_secrets<'a>(
    secret: &'a Secret,
    former: Option<&'a FormerSecret>,
    now: Timestamp,
) -> impl Iterator<Item = &'a Secret> {
    let former = former.filter(move |former| now < former.until);
    std::iter::once(secret).chain(former.map(|former| &former.secret))
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: String,
    /// Its keys are refused.
    pub disabled: bool,
    /// When it was created.
    pub created: Timestamp,
}

/// What an access key may do. The numbers are stored: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Everything, also keys and organizations.
    Admin = 0,
    /// Everything but keys and organizations.
    Operator = 1,
    /// Only actions that change nothing.
    Reader = 2,
}

impl Role {
    /// All of them: each stands at its number.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Operator, Self::Reader];
}

aldis_core::each_at_its_number!(Role::ALL);

/// An application's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub app_key: AppKey,
    /// Its secret half.
    pub secret: Secret,
    /// The organization it belongs to.
    pub org: OrgId,
    /// What it may do.
    pub role: Role,
    /// What its owner calls it.
    pub name: String,
    /// It is refused.
    pub disabled: bool,
    /// When it was created.
    pub created: Timestamp,
}

/// Most thing models of an organization: a search with an expression reads every one of them.
pub const MODELS_PER_ORG_MAX: usize = 1000;

/// A thing model, kept as the document that `core::model` accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Whose it is.
    pub org: OrgId,
    /// Its id, unique within the organization.
    pub id: ModelId,
    /// The accepted document.
    pub document: Value,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// A thing model as a search finds it. Its document stays text: taken apart it holds many times as much memory, and a
/// page has megabytes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundModel {
    /// Whose it is.
    pub org: OrgId,
    /// Its id, unique within the organization.
    pub id: ModelId,
    /// The accepted document, in JSON.
    pub document: Box<str>,
}

/// A device type.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// Whose it is.
    pub org: OrgId,
    /// Its key, unique over the installation.
    pub key: ProductKey,
    /// Its name.
    pub name: I18nText,
    /// Its secret.
    pub secret: Secret,
    /// The secret before that, if it was replaced with a grace.
    pub former_secret: Option<FormerSecret>,
    /// Its description.
    pub desc: String,
    /// Its devices hold connections for others.
    pub gateway: bool,
    /// Its devices speak JSON; false: a format of their own.
    pub json: bool,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
    /// Its thing model.
    pub model: ModelId,
    /// Devices may fetch their secret with the product's.
    pub dynamic_activation: bool,
    /// Devices must present certificates.
    pub certificates: bool,
    /// Gateways may register devices in it; never if its own devices are gateways.
    pub gateway_registers: bool,
    /// How commands are sent to its devices.
    pub command_qos: Qos,
    /// When it was created, and by which key.
    pub created: Timestamp,
    /// The key that created it.
    pub created_by: Option<AppKey>,
    /// When it was last changed.
    pub updated: Timestamp,
    /// The key that changed it last.
    pub updated_by: Option<AppKey>,
}

impl Product {
    /// The secrets that are good at `now`, the present one first.
    pub fn secrets_at(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        good_secrets(&self.secret, self.former_secret.as_ref(), now)
    }
}

/// What a change of a product sets. Absent parts stay as the commit finds them, so that two changes of different parts
/// both last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProductChange {
    /// Its name.
    pub name: Option<I18nText>,
    /// Its description.
    pub desc: Option<String>,
    /// All its tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Devices may fetch their secret with the product's.
    pub dynamic_activation: Option<bool>,
    /// Devices must present certificates.
    pub certificates: Option<bool>,
    /// Gateways may register devices in it.
    pub gateway_registers: Option<bool>,
    /// How commands are sent to its devices.
    pub command_qos: Option<Qos>,
}

/// A device as it is registered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDevice {
    /// Whose it is.
    pub org: OrgId,
    /// Its product.
    pub product: ProductKey,
    /// Its key, unique within the product.
    pub key: DeviceKey,
    /// Its id, unique over the installation.
    pub asset: AssetId,
    /// Its secret.
    pub secret: Secret,
    /// Its name.
    pub name: I18nText,
    /// Its description.
    pub desc: String,
    /// Its time zone, `±HH:MM` or an IANA name.
    pub timezone: String,
    /// Attributes, not checked against the model.
    pub attributes: BTreeMap<String, Value>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
}

/// What a change of a device sets. Absent parts stay as the commit finds them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceChange {
    /// Its name.
    pub name: Option<I18nText>,
    /// Its description.
    pub desc: Option<String>,
    /// Its time zone.
    pub timezone: Option<String>,
    /// All its attributes.
    pub attributes: Option<BTreeMap<String, Value>>,
    /// All its tags.
    pub tags: Option<BTreeMap<String, String>>,
}

/// One thing. A deleted device keeps its row, so that nothing of it is taken for another's.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its number; never used again.
    pub no: DeviceNo,
    /// What was registered, with later changes.
    pub is: NewDevice,
    /// The secret before the present one, if it was replaced with a grace.
    pub former_secret: Option<FormerSecret>,
    /// It may not log in.
    pub disabled: bool,
    /// It is gone: found by number only.
    pub deleted: bool,
    /// When it was registered.
    pub created: Timestamp,
    /// When it was last changed by an operator.
    pub updated: Timestamp,
    /// Its first login.
    pub activated: Option<Timestamp>,
    /// Its last login.
    pub last_online: Option<Timestamp>,
    /// The end of its last session.
    pub last_offline: Option<Timestamp>,
}

impl Device {
    /// The secrets that are good at `now`, the present one first.
    pub fn secrets_at(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        good_secrets(&self.is.secret, self.former_secret.as_ref(), now)
    }
}

/// The gateway that registers devices, which are put under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registrar {
    /// The gateway.
    pub gateway: DeviceNo,
    /// Most devices that it may have registered, as far as they are not deleted, and that may be under it.
    pub most: usize,
}

/// What happened to a device's presence; written in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Which device.
    pub device: DeviceNo,
    /// It logged in at this moment; the first such moment activates it.
    pub online: Option<Timestamp>,
    /// Its session ended at this moment.
    pub offline: Option<Timestamp>,
}

/// A value that a device has reported, or that it has none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// What it is of.
    pub kind: ReportKind,
    /// Its identifier.
    pub name: String,
    /// The value as JSON text; `None`: gone.
    pub value: Option<String>,
    /// Since when it is so.
    pub at: Timestamp,
}

/// A target as the operator named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetEntry {
    /// By asset id.
    pub asset: Option<String>,
    /// By keys: the product's.
    pub product: Option<String>,
    /// By keys: the device's.
    pub device: Option<String>,
}

/// What a job names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetScope {
    /// Devices, as named.
    Devices(Vec<TargetEntry>),
    /// The one device of a single command: the job has one task, and searches for jobs pass it over.
    Single(TargetEntry),
    /// All devices of these products that are not disabled at the trigger.
    Products {
        /// The distinct product keys.
        products: Vec<ProductKey>,
        /// The entries as given, for the answer.
        entries: Vec<TargetEntry>,
    },
}

impl TargetScope {
    /// Whether it is a single command's.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// The devices that it names, if it names devices.
    #[must_use]
    pub fn devices(&self) -> Option<&[TargetEntry]> {
        match self {
            Self::Devices(entries) => Some(entries),
            Self::Single(entry) => Some(std::slice::from_ref(entry)),
            Self::Products { .. } => None,
        }
    }

    /// The products that it names, if it names products.
    #[must_use]
    pub fn products(&self) -> &[ProductKey] {
        match self {
            Self::Products { products, .. } => products,
            Self::Devices(_) | Self::Single(_) => &[],
        }
    }
}

/// A job as the operator described it, defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobText {
    /// Its name.
    pub name: I18nText,
    /// Its description.
    pub desc: String,
    /// Its targets as given.
    pub targets: TargetScope,
    /// The trigger moment as given.
    pub trigger: Option<Timestamp>,
    /// Retries are on.
    pub retry_enabled: bool,
    /// Automatic retries, effective when enabled.
    pub retry_count: u8,
    /// Pause before each, in seconds, effective when enabled.
    pub retry_interval_s: i64,
}

/// What engine and searches need of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its number.
    pub no: JobNo,
    /// Whose it is.
    pub org: OrgId,
    /// What its devices are to do.
    pub command: Arc<Command>,
    /// Timeouts and retries.
    pub policy: Policy,
    /// The planned trigger: the later of the wanted moment and creation.
    pub release: Timestamp,
    /// When it was created.
    pub created: Timestamp,
    /// Where it stands; always the roll-up of the rest.
    pub state: JobState,
    /// How many tasks it has; `None` before the trigger. (A device list's INIT rows exist before.)
    pub total: Option<u64>,
    /// The numbers of its tasks.
    pub range: TaskRange,
    /// When its tasks were created: with the job, or for whole products at its trigger.
    pub tasks_created: Timestamp,
    /// For whole products: which members are still to be written.
    pub members: Option<Members>,
    /// How many tasks are in each state; unwritten ones only show in `total`.
    pub counters: Counters,
    /// Cancels of the whole job.
    pub cancels: Cancels,
    /// Deleted: gone from the API, rows still to be purged.
    pub deleted: bool,
    /// It is a single command: one task, and searches for jobs pass it over.
    pub single: bool,
}

impl Job {
    /// The job's part in `core::task::step`.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            release: self.release,
            policy: self.policy,
            cancel_mark: self.cancels.made,
        }
    }

    /// The job has triggered, and every task has its row.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.total.is_some_and(|total| self.counters.written() >= total)
    }
}

/// The members of a product job: fixed by the commit that triggered it, whatever happens to the devices afterwards. Its
/// devices are those of the job's organization that were neither deleted nor disabled then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The products.
    pub products: Vec<ProductKey>,
    /// The trigger's commit; `None` before.
    pub trigger: Option<CommitNo>,
    /// No device with a larger number is a member.
    pub watermark: DeviceNo,
    /// Members up to this one have their rows.
    pub cursor: DeviceNo,
}

/// A job with all that its owner said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobDetail {
    /// What engine and searches need.
    pub job: Job,
    /// What its owner said.
    pub text: Arc<JobText>,
}

/// A job to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Whose it is.
    pub org: OrgId,
    /// What its owner said.
    pub text: JobText,
    /// What its devices are to do.
    pub command: Command,
    /// Timeouts and retries.
    pub policy: Policy,
    /// The planned trigger.
    pub release: Timestamp,
    /// Resolved targets of a device list, each once, in order; `None` for whole products.
    pub devices: Option<Vec<DeviceNo>>,
    /// Makes repeated requests harmless.
    pub idempotency: Option<Idempotency>,
    /// Who asked.
    pub by: Actor,
}

impl NewJob {
    /// The device of a single command that may wait for it in the server.
    #[must_use]
    pub fn cached_for(&self) -> Option<DeviceNo> {
        let cached = matches!(self.text.targets, TargetScope::Single(_)) && self.policy.ttl_ms > 0;
        self.devices.as_ref().filter(|_| cached)?.first().copied()
    }
}

/// What makes a repeated request recognisable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// The access key's organization and name; an unsigned caller's organization alone.
    pub scope: String,
    /// The caller's key.
    pub key: String,
    /// A digest of the request.
    pub digest: [u8; 32],
}

/// How long the answer to a request with an idempotency key is kept, in milliseconds: 24 h, as docs/api.md says.
pub const ANSWER_KEPT_MS: i64 = 24 * 3_600_000;

/// What proved one call: it can be used once (docs/decisions/0018-what-a-signature-proves.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proof {
    /// The moment that its caller named in the signed text.
    pub at: Timestamp,
    /// The first half of the signature, a SHA-256 digest.
    pub digest: [u8; 16],
}

/// What was answered to a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The digest of that request.
    pub digest: [u8; 32],
    /// The answer: the job's number in decimal digits, or the text that the application stored.
    pub answer: String,
    /// When.
    pub at: Timestamp,
}

impl IdempotencyRecord {
    /// Whether a request at `now` is still answered from it.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.at >= now.plus_ms(-ANSWER_KEPT_MS)
    }
}

/// A device's place for an attempt in flight, held until that attempt's reply, its deadline, or certainty that it never
/// left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The device.
    pub device: DeviceNo,
    /// The task; it may have been cancelled or deleted since.
    pub task: TaskNo,
    /// The attempt.
    pub attempt: AttemptNo,
    /// From then on the slot is free.
    pub reply_deadline: Timestamp,
    /// The device has acknowledged the attempt.
    pub acked: bool,
}

/// Something an operator did, kept for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// In which organization.
    pub org: OrgId,
    /// What was done, as `resource.verb`.
    pub verb: &'static str,
    /// To what: an id.
    pub subject: String,
    /// Who did it.
    pub by: Actor,
}

/// An [`Action`] as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastAction {
    /// Its number; later actions have larger ones.
    pub no: u64,
    /// In which organization.
    pub org: OrgId,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub verb: String,
    /// To what.
    pub subject: String,
    /// Who did it.
    pub by: Actor,
}

/// Which actions are wanted; absent parts want all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionFilter {
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// What was done.
    pub verb: Option<String>,
    /// Who did it.
    pub app_key: Option<AppKey>,
    /// To what it was done.
    pub subject: Option<String>,
}
