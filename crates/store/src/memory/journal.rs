//! Remembered answers, and who did what.

use std::collections::BTreeMap;

use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;

use super::Contents;
use super::apply::Applied;
use crate::rows::{Action, Actor, Idempotency, PastAction, Remembered};
use crate::{Done, Refusal, Write};

#[derive(Default)]
pub(super) struct Journal {
    remembered: BTreeMap<(String, String), Remembered>,
    /// In the order in which they were done.
    actions: Vec<(OrgId, PastAction)>,
}

impl Journal {
    pub(super) fn remembered(&self, scope: &str, key: &str) -> Option<&Remembered> {
        self.remembered.get(&(scope.to_owned(), key.to_owned()))
    }

    pub(super) fn actions(&self, org: &OrgId, subject: &str) -> Vec<PastAction> {
        let of_subject = self
            .actions
            .iter()
            .filter(|(of, action)| of == org && action.subject == subject);
        of_subject.map(|(_, action)| action.clone()).collect()
    }
}

impl Contents {
    pub(super) fn remember(&mut self, idempotency: &Idempotency, answer: &str) -> Applied {
        let place = (idempotency.scope.clone(), idempotency.key.clone());
        if self.journal.remembered.contains_key(&place) {
            return Err(Refusal::Taken);
        }
        let remembered = Remembered {
            digest: idempotency.digest,
            answer: answer.to_owned(),
            at: self.clock,
        };
        self.journal.remembered.insert(place, remembered);
        Ok(Done::Yes)
    }

    pub(super) fn forget(&mut self, before: Timestamp) -> Done {
        self.journal.remembered.retain(|_, remembered| remembered.at >= before);
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
            at: self.clock,
            verb: verb.to_owned(),
            subject,
            by: by.clone(),
        };
        self.journal.actions.push((org, action));
    }
}
