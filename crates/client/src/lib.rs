//! A typed client of the Aldis API (docs/api.md): it gets and renews its token, signs every call, and turns answers
//! into typed values without losing what the server wrote.
//!
//! Used by the command line, the demo and the tests; it never links the server. It decides nothing about jobs and
//! devices: what the server refuses comes back as [`Error::Refused`] with the server's own code and words.
//!
//! ```no_run
//! # async fn example() -> Result<(), aldis_client::Error> {
//! use aldis_client::{AccessKey, Client, CommandInfo, NewJob, Target, TargetScope};
//!
//! let key = AccessKey { org_id: "default".into(), app_key: "…".into(), app_secret: "…".into() };
//! let client = Client::new("http://127.0.0.1:8080", key)?;
//! let scope = TargetScope::devices([Target::keys("pump", "pump-1")]);
//! let reboot = CommandInfo::service("reboot", serde_json::json!({"delay": 5}));
//! let job = client.create_job(&NewJob::new("night reboot", scope, reboot)).await?.data;
//! println!("{} tasks", client.statistics(&job).await?.total);
//! # Ok(())
//! # }
//! ```

pub use aldis_core::secret::Secret;

mod access_keys;
mod answer;
mod attempts;
mod audit;
mod call;
mod client;
mod commands;
mod credentials;
mod devices;
mod error;
mod gateways;
mod jobs;
mod name;
mod organizations;
mod paging;
mod products;
mod signing;
mod tasks;
mod thing_models;
mod token;
mod transport;

pub use self::access_keys::{KeyInfo, NewKey};
pub use self::answer::{Answer, BatchEntry, PageInfo};
pub use self::attempts::Attempt;
pub use self::audit::{AuditFilter, AuditRecord};
pub use self::call::{Call, Method};
pub use self::client::Client;
pub use self::commands::{CommandLimits, CommandSent, SingleCommand};
pub use self::credentials::{AccessKey, Credentials};
pub use self::devices::{
    Device, DeviceIds, DeviceRef, DeviceRotation, DeviceUpdate, LatestValue, LatestValues, NewDevice, RotatedDevice,
    TraceEntry,
};
pub use self::error::Error;
pub use self::jobs::{
    CommandInfo, CommandType, DESC_CHARS_MAX, DisposableSchedule, Job, JobStatus, MeasurepointSet, NewJob, RetryPolicy,
    SchedulePolicy, ServiceInvoke, StatusCount, Target, TargetScope, TargetType, TimeoutPolicy,
};
pub use self::name::Name;
pub use self::organizations::{NewOrganization, OrganizationInfo};
pub use self::paging::{PAGE_SIZE_MAX, PageRequest, Pages, Search};
pub use self::products::{NewProduct, Product, ProductChange, ProductRotation, RotatedProduct};
pub use self::tasks::{Task, TaskResult, TaskStatus, quoted};
pub use self::thing_models::ThingModel;
