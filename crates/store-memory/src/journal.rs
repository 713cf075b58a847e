//! Remembered answers, and who did what.

use std::collections::{BTreeMap, BTreeSet};

use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;
use aldis_store::rows::{Action, ActionFilter, Actor, Idempotency, IdempotencyRecord, PastAction, Proof};
use aldis_store::{Done, Refusal, Write};

use super::Contents;
use super::apply::Applied;

#[derive(Default)]
pub(super) struct Journal {
    remembered: BTreeMap<(String, String), IdempotencyRecord>,
    proofs: BTreeSet<Proof>,
    /// In the order in which they were done.
    actions: Vec<PastAction>,
}

impl Journal {
    /// Nothing was remembered or done later than this.
    pub(super) fn limit_moments(&mut self, now: Timestamp) {
        self.actions
            .iter_mut()
            .for_each(|action| action.at = action.at.min(now));
        self.remembered.values_mut().for_each(|row| row.at = row.at.min(now));
    }

    pub(super) fn idempotency_record(&self, scope: &str, key: &str, now: Timestamp) -> Option<&IdempotencyRecord> {
        let found = self.remembered.get(&(scope.to_owned(), key.to_owned()));
        found.filter(|remembered| remembered.holds_at(now))
    }

    pub(super) fn proofs(&self, limit: usize) -> Vec<Proof> {
        self.proofs.iter().rev().take(limit).copied().collect()
    }

    /// Newest first.
    pub(super) fn actions<'a>(
        &'a self,
        org: &'a OrgId,
        filter: &'a ActionFilter,
    ) -> impl Iterator<Item = &'a PastAction> {
        let passes = |action: &&PastAction| {
            action.org == *org
                && filter.from.is_none_or(|from| action.at >= from)
                && filter.until.is_none_or(|until| action.at < until)
                && filter.verb.as_ref().is_none_or(|verb| action.verb == *verb)
                && filter.subject.as_ref().is_none_or(|subject| action.subject == *subject)
                && (filter.app_key.is_none() || action.by.app_key == filter.app_key)
        };
        self.actions.iter().rev().filter(passes)
    }
}

impl Contents {
    pub(super) fn remember(&mut self, idempotency: &Idempotency, answer: &str) -> Applied {
        let now = self.clock;
        let place = (idempotency.scope.clone(), idempotency.key.clone());
        self.journal.remembered.retain(|_, remembered| remembered.holds_at(now));
        if self.journal.remembered.contains_key(&place) {
            return Err(Refusal::Taken);
        }
        let remembered = IdempotencyRecord {
            digest: idempotency.digest,
            answer: answer.to_owned(),
            at: self.clock,
        };
        self.journal.remembered.insert(place, remembered);
        Ok(Done::Yes)
    }

    pub(super) fn use_up(&mut self, proofs: &[Proof], before: Timestamp, limit: usize) -> Done {
        let known = &mut self.journal.proofs;
        known.extend(proofs);
        let over: Vec<Proof> = known
            .iter()
            .take_while(|proof| proof.at < before)
            .take(limit)
            .copied()
            .collect();
        for proof in over {
            known.remove(&proof);
        }
        Done::Yes
    }

    pub(super) fn note(&mut self, action: &Action) -> Done {
        self.act(action.org.clone(), action.verb, action.subject.clone(), &action.by);
        Done::Yes
    }

    pub(super) fn noted(&mut self, write: &Write, actions: &[Action]) -> Applied {
        let done = self.try_apply(write)?;
        for action in done.took_place(actions) {
            self.note(action);
        }
        Ok(done)
    }

    pub(super) fn act(&mut self, org: OrgId, verb: &str, subject: String, by: &Actor) {
        let action = PastAction {
            no: self.journal.actions.len() as u64 + 1,
            org,
            at: self.clock,
            verb: verb.to_owned(),
            subject,
            by: by.clone(),
        };
        self.journal.actions.push(action);
    }
}
