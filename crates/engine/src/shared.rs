//! What the engine shares with the parts around it, beside the store, the inbox and the link.

use std::sync::Arc;

use crate::health::Health;
use crate::latest::LatestValues;
use crate::proofs::Proofs;
use crate::session_contention::SessionContention;
use crate::trace::Traces;
use crate::waiters::Waiters;

/// One handle for each part; who needs only some of them takes those.
#[derive(Clone, Default)]
pub struct Shared {
    /// Callers that wait for the end of a task.
    pub waiters: Arc<Waiters>,
    /// What happened to devices, beside what is stored.
    pub traces: Arc<Traces>,
    /// The latest values that devices have reported.
    pub latest: Arc<LatestValues>,
    /// Devices whose session is taken over again and again.
    pub contention: Arc<SessionContention>,
    /// The signatures that have been used.
    pub proofs: Arc<Proofs>,
    /// What keeps the server from doing its work.
    pub health: Arc<Health>,
}
