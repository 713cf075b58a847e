//! Answers about commits, idempotency keys, used proofs and the record of actions.

use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;
use aldis_store::rows::{ActionFilter, CommitNo, IdempotencyRecord, PastAction, Proof};
use aldis_store::{Error, Found, Page, ReadJournal};

use crate::MemoryStore;
use crate::records::cut;

impl ReadJournal for MemoryStore {
    fn last_commit(&self) -> Result<(CommitNo, Timestamp), Error> {
        let contents = self.contents.read();
        Ok((contents.last, contents.clock))
    }

    fn proofs(&self, limit: usize) -> Result<Vec<Proof>, Error> {
        Ok(self.contents.read().journal.proofs(limit))
    }

    fn idempotency_record(&self, scope: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, Error> {
        Ok(self
            .contents
            .read()
            .journal
            .idempotency_record(scope, key, now)
            .cloned())
    }

    fn search_actions(&self, org: &OrgId, filter: &ActionFilter, page: Page) -> Result<Found<PastAction>, Error> {
        let contents = self.contents.read();
        cut(contents.journal.actions(org, filter).cloned(), page)
    }
}
