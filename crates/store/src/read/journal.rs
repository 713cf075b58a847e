//! Questions about commits, idempotency keys, used proofs and the record of actions.

use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;

use crate::rows::{ActionFilter, CommitNo, IdempotencyRecord, PastAction, Proof};
use crate::{Error, Found, Page};

/// Reads commits, idempotency keys, used proofs and the record of actions.
///
/// Deleted devices and deleted jobs are found only where a method says so.
pub trait ReadJournal: Send + Sync {
    /// The last commit's number and the engine's clock at it; both 0 before the first. Every commit adds one, also one
    /// whose writes are all refused.
    fn last_commit(&self) -> Result<(CommitNo, Timestamp), Error>;
    /// What was answered to a request with this idempotency key, unless that was [`crate::rows::ANSWER_KEPT_MS`] before
    /// `now`.
    fn idempotency_record(&self, scope: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, Error>;
    /// The proofs that are remembered as used, the latest first, at most `limit`.
    fn proofs(&self, limit: usize) -> Result<Vec<Proof>, Error>;
    /// What was done in an organization, newest first.
    fn search_actions(&self, org: &OrgId, filter: &ActionFilter, page: Page) -> Result<Found<PastAction>, Error>;
}
