//! Round-robin over organizations: before an organization's next piece of work comes at most one of every other.

use std::collections::{HashMap, VecDeque};

use aldis_core::ids::OrgId;

/// Work that waits, in the order in which it came for each organization.
#[derive(Debug)]
pub(super) struct Fair<T> {
    lanes: HashMap<OrgId, VecDeque<T>>,
    /// The organizations with work, the next one first; each once.
    turns: VecDeque<OrgId>,
    len: usize,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> Fair<T> {
    /// Adds work behind the work that this organization has already.
    pub(super) fn push(&mut self, org: &OrgId, work: T) {
        self.len += 1;
        if let Some(lane) = self.lanes.get_mut(org) {
            lane.push_back(work);
            return;
        }
        self.lanes.insert(org.clone(), VecDeque::from([work]));
        self.turns.push_back(org.clone());
    }

    /// The next work of the organization whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.pop_first(|_| true)
    }

    /// The first piece of work that `may` be done, of the next organization that has one.
    pub(super) fn pop_first(&mut self, may: impl Fn(&T) -> bool) -> Option<T> {
        let has_any = |org: &OrgId| self.lanes.get(org).is_some_and(|lane| lane.iter().any(&may));
        let turn = self.turns.iter().position(has_any)?;
        let org = self.turns.remove(turn)?;
        let lane = self.lanes.get_mut(&org)?;
        let work = lane.iter().position(&may).and_then(|place| lane.remove(place));
        self.len -= usize::from(work.is_some());
        if lane.is_empty() {
            self.lanes.remove(&org);
        } else {
            self.turns.push_back(org);
        }
        work
    }

    /// Whether there is work that may be done.
    pub(super) fn any(&self, may: impl Fn(&T) -> bool) -> bool {
        self.lanes.values().flatten().any(may)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organization_has_its_turn_and_keeps_its_own_order() {
        let (many, few) = (OrgId::from("many"), OrgId::from("few"));
        let mut fair = Fair::default();
        for work in 1..=4 {
            fair.push(&many, work);
        }
        fair.push(&few, 10);
        let mut taken = vec![fair.pop(), fair.pop(), fair.pop()];
        fair.push(&few, 11);
        fair.push(&few, 12);
        assert_eq!(fair.len(), 4);
        taken.extend(std::iter::from_fn(|| fair.pop()).map(Some));
        let taken: Vec<i32> = taken.into_iter().flatten().collect();
        assert_eq!(taken, [1, 10, 2, 3, 11, 4, 12]);
        assert!(fair.is_empty() && fair.lanes.is_empty() && fair.turns.is_empty());
    }
}
