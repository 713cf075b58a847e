//! Signatures that are used up: a call that changes something is carried out once, however often it is sent
//! (docs/decisions/0018-what-a-signature-proves.md).
//!
//! A signature is claimed here, in memory, before its call begins, and stored in the call's own commit, so that it is
//! still used after a crash. What a call has not stored by its end is stored then. After its time, when its timestamp
//! alone refuses it, a signature is forgotten. If more are used than fit, the oldest are forgotten early, and calls as
//! old as those are refused unseen.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use aldis_core::ids::AppKey;
use aldis_core::time::Timestamp;
use aldis_store::rows::Proof;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How far a caller's clock may be off, either way.
pub const CLOCK_SKEW_MAX_MS: i64 = 15 * 60 * 1000;
/// How long a signature counts after the moment that it names, and a minute more: the writer's clock is another one.
pub const KEPT_MS: i64 = CLOCK_SKEW_MAX_MS + 60_000;
/// Signatures in memory, over all keys: those of more than two minutes at the highest rate that was measured (15,000
/// calls a second), of 15 minutes at 2,200, in some 70 MB. Beyond, the key that has used most loses its oldest.
pub const KEPT_MAX: usize = 2_000_000;
/// Signatures are forgotten by the slot of time that their timestamps fall into.
const SLOT_MS: i64 = 10_000;
/// Signatures that wait for a commit that their calls did not wait for: as many as there are calls in a few seconds.
/// What is beyond, while the store fails, is used up in memory alone.
const LEFT_MAX: usize = 16_384;
/// How often what is over is looked for.
const SWEEP_MS: i64 = 10_000;

/// Which signatures have been used.
#[derive(Default)]
pub struct Proofs {
    used: Mutex<Used>,
    /// Something that was open is so no more.
    closed: Notify,
}

#[derive(Default)]
struct Used {
    keys: HashMap<AppKey, Window>,
    /// Those that were stored before the start, of all keys.
    earlier: Window,
    count: usize,
    swept: Option<Timestamp>,
    /// Calls under way whose signature is not stored yet: by their request ids, and those by their signatures.
    open: HashMap<String, Proof>,
    requests: HashMap<Proof, String>,
    /// Signatures of calls that ended without a commit and were not waited for.
    left: HashSet<Proof>,
}

/// The signatures of one key.
#[derive(Default)]
struct Window {
    slots: BTreeMap<i64, HashSet<[u8; 16]>>,
    count: usize,
    /// Everything before has been forgotten early.
    floor: Option<Timestamp>,
}

/// What a signature was found to be.
#[derive(Debug)]
pub enum Claimed {
    /// Not used before: it is now.
    New(Claim),
    /// Used before, or so old that this cannot be told.
    Used,
}

/// A signature that a call under way has used. Dropped before it is stored, it is left to the next commit.
#[derive(Debug)]
pub struct Claim {
    proofs: Arc<Proofs>,
    request_id: String,
    proof: Proof,
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proofs").finish_non_exhaustive()
    }
}

impl Claim {
    /// The signature, if it is not stored yet.
    #[must_use]
    pub fn unstored(&self) -> Option<Proof> {
        let used = self.proofs.used.lock();
        used.requests.contains_key(&self.proof).then_some(self.proof)
    }

    /// It has been stored, or cannot be.
    pub fn settle(self) {
        self.proofs.close(&[self.proof]);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut used = self.proofs.used.lock();
        if used.open.contains_key(&self.request_id) {
            used.close(&self.proof);
            if used.left.len() < LEFT_MAX {
                used.left.insert(self.proof);
            }
            drop(used);
            self.proofs.closed.notify_waiters();
        }
    }
}

impl Proofs {
    /// Takes in what was stored before the start, the newest first; `all` if there is no more than that.
    pub fn load(&self, stored: &[Proof], all: bool) {
        let mut used = self.used.lock();
        if let Some(oldest) = stored.last().filter(|_| !all) {
            used.earlier.floor = Some(oldest.at.plus_ms(1));
        }
        for proof in stored {
            used.count += usize::from(used.earlier.insert(*proof));
        }
    }

    /// Uses a signature of a key up, for the call with this request id.
    pub fn claim(self: &Arc<Self>, key: &AppKey, proof: Proof, request_id: &str, now: Timestamp) -> Claimed {
        let mut used = self.used.lock();
        used.sweep(now);
        if used.earlier.knows(&proof) || !used.keys.entry(key.clone()).or_default().claim(proof) {
            return Claimed::Used;
        }
        used.count += 1;
        used.narrow(KEPT_MAX);
        used.open.insert(request_id.to_owned(), proof);
        used.requests.insert(proof, request_id.to_owned());
        drop(used);
        Claimed::New(Claim {
            proofs: Arc::clone(self),
            request_id: request_id.to_owned(),
            proof,
        })
    }

    /// Waits while a call under way has used this signature and not stored it.
    pub async fn closed(&self, proof: Proof) {
        loop {
            let closed = self.closed.notified();
            let mut closed = std::pin::pin!(closed);
            closed.as_mut().enable();
            if !self.used.lock().requests.contains_key(&proof) {
                return;
            }
            closed.await;
        }
    }

    /// The signatures of these calls that are not stored yet, and those that calls have left behind.
    #[must_use]
    pub fn due<'a>(&self, requests: impl Iterator<Item = &'a str>) -> Vec<Proof> {
        let used = self.used.lock();
        let mut due: Vec<Proof> = used.left.iter().copied().collect();
        if !used.open.is_empty() {
            due.extend(requests.filter_map(|request| used.open.get(request)).copied());
        }
        due
    }

    /// These are stored.
    pub fn stored(&self, proofs: &[Proof]) {
        self.close(proofs);
        let mut used = self.used.lock();
        if !used.left.is_empty() {
            for proof in proofs {
                used.left.remove(proof);
            }
        }
    }

    fn close(&self, proofs: &[Proof]) {
        let mut used = self.used.lock();
        proofs.iter().for_each(|proof| used.close(proof));
        drop(used);
        self.closed.notify_waiters();
    }
}

impl Used {
    fn close(&mut self, proof: &Proof) {
        if let Some(request) = self.requests.remove(proof) {
            self.open.remove(&request);
        }
    }

    /// Forgets the signatures whose timestamps no call may have any more.
    fn sweep(&mut self, now: Timestamp) {
        if self
            .swept
            .is_some_and(|swept| (0..SWEEP_MS).contains(&now.ms_since(swept)))
        {
            return;
        }
        self.swept = Some(now);
        let over = now.plus_ms(-KEPT_MS);
        let forgotten: usize = self.windows().map(|window| window.forget_before(over)).sum();
        self.count -= forgotten;
        self.keys
            .retain(|_, window| window.count > 0 || window.floor.is_some_and(|floor| floor > over));
    }

    /// Has the keys that have used most forget their oldest.
    fn narrow(&mut self, most: usize) {
        while self.count > most {
            let largest = self.windows().max_by_key(|window| window.count);
            match largest.map_or(0, Window::forget_oldest) {
                0 => return,
                forgotten => self.count -= forgotten,
            }
        }
    }

    fn windows(&mut self) -> impl Iterator<Item = &mut Window> {
        self.keys.values_mut().chain([&mut self.earlier])
    }
}

impl Window {
    /// False if it has been used before, or is too old to be told.
    fn claim(&mut self, proof: Proof) -> bool {
        !self.is_too_old(&proof) && self.insert(proof)
    }

    fn insert(&mut self, proof: Proof) -> bool {
        let slot = self.slots.entry(slot(proof.at)).or_default();
        let is_new = slot.insert(proof.digest);
        self.count += usize::from(is_new);
        is_new
    }

    fn knows(&self, proof: &Proof) -> bool {
        let slot = self.slots.get(&slot(proof.at));
        self.is_too_old(proof) || slot.is_some_and(|slot| slot.contains(&proof.digest))
    }

    fn is_too_old(&self, proof: &Proof) -> bool {
        self.floor.is_some_and(|floor| proof.at < floor)
    }

    fn forget_before(&mut self, before: Timestamp) -> usize {
        let kept = self.slots.split_off(&slot(before));
        let forgotten = std::mem::replace(&mut self.slots, kept);
        let count = forgotten.values().map(HashSet::len).sum();
        self.count -= count;
        count
    }

    fn forget_oldest(&mut self) -> usize {
        let Some((start, slot)) = self.slots.pop_first() else {
            return 0;
        };
        let end = Timestamp((start + 1).saturating_mul(SLOT_MS));
        self.floor = self.floor.max(Some(end));
        self.count -= slot.len();
        slot.len()
    }
}

fn slot(at: Timestamp) -> i64 {
    at.0.div_euclid(SLOT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn proof(at: i64, digest: u8) -> Proof {
        Proof {
            at: NOW.plus_ms(at),
            digest: [digest; 16],
        }
    }

    fn claim(proofs: &Arc<Proofs>, key: &str, proof: Proof, now: i64) -> bool {
        let request = format!("{key} {proof:?}");
        matches!(
            proofs.claim(&AppKey::from(key), proof, &request, NOW.plus_ms(now)),
            Claimed::New(_)
        )
    }

    #[test]
    fn a_signature_is_used_once_until_its_timestamp_is_over() {
        let proofs = Arc::new(Proofs::default());
        for at in [-900_000, 0, 900_000] {
            assert!(claim(&proofs, "a", proof(at, 1), 0), "{at}");
            assert!(!claim(&proofs, "a", proof(at, 1), 0), "{at}");
            assert!(
                !claim(&proofs, "a", proof(at, 1), at + 900_000),
                "{at}: until its last moment"
            );
            assert!(claim(&proofs, "a", proof(at, 2), 0), "{at}: another signature");
        }
        let over = 900_000 + KEPT_MS + SLOT_MS + SWEEP_MS;
        assert!(claim(&proofs, "b", proof(over, 1), over));
        assert_eq!(proofs.used.lock().count, 1, "what is over is forgotten");
    }

    #[test]
    fn what_was_stored_before_the_start_is_used() {
        let proofs = Arc::new(Proofs::default());
        proofs.load(&[proof(5, 1), proof(3, 1)], true);
        assert!(!claim(&proofs, "a", proof(5, 1), 10));
        assert!(!claim(&proofs, "b", proof(3, 1), 10));
        assert!(claim(&proofs, "a", proof(3, 2), 10));
        assert!(claim(&proofs, "a", proof(2, 3), 10));
        let cut = Arc::new(Proofs::default());
        cut.load(&[proof(5, 1), proof(3, 1)], false);
        assert!(
            !claim(&cut, "a", proof(3, 2), 10),
            "what lies further back is not known"
        );
        assert!(claim(&cut, "a", proof(4, 2), 10));
    }

    #[test]
    fn a_key_that_uses_too_many_loses_its_own_oldest_and_no_other_keys() {
        let mut used = Used::default();
        let mut claim = |key: &str, at: i64, digest: u8| {
            let is_new = used.keys.entry(AppKey::from(key)).or_default().claim(proof(at, digest));
            used.count += usize::from(is_new);
            used.narrow(6);
            is_new
        };
        assert!(claim("quiet", -800_000, 1));
        for digest in 0..5 {
            assert!(claim("busy", i64::from(digest) * SLOT_MS, digest));
        }
        assert!(claim("busy", 5 * SLOT_MS, 5), "the first of them goes");
        assert!(!claim("busy", 0, 0), "and is refused unseen");
        assert!(!claim("busy", 1, 9), "with all that are as old");
        assert!(!claim("busy", SLOT_MS, 1));
        assert!(!claim("quiet", -800_000, 1), "used before");
        assert!(claim("quiet", -800_000, 2));
    }

    #[tokio::test]
    async fn a_call_that_ends_without_a_commit_leaves_its_signature_to_the_next() {
        let proofs = Arc::new(Proofs::default());
        let claimed = |digest: u8, request: &str| match proofs.claim(&AppKey::from("a"), proof(0, digest), request, NOW)
        {
            Claimed::New(claim) => claim,
            Claimed::Used => panic!("used"),
        };
        let (stored, settled, left) = (claimed(1, "r1"), claimed(2, "r2"), claimed(3, "r3"));
        assert_eq!(proofs.due(["r1", "r9"].into_iter()), [proof(0, 1)]);
        assert_eq!(proofs.due(["r1"].into_iter()), [proof(0, 1)], "until it is stored");
        proofs.stored(&[proof(0, 1)]);
        proofs.closed(proof(0, 1)).await;
        assert_eq!(stored.unstored(), None);
        assert_eq!(settled.unstored(), Some(proof(0, 2)));
        settled.settle();
        drop((stored, left));
        proofs.closed(proof(0, 3)).await;
        assert_eq!(proofs.due(["r1", "r2", "r3"].into_iter()), [proof(0, 3)]);
        proofs.stored(&[proof(0, 3)]);
        assert!(proofs.due(["r3"].into_iter()).is_empty());
    }

    #[tokio::test]
    async fn a_repetition_waits_for_the_call_that_is_under_way() {
        let proofs = Arc::new(Proofs::default());
        let Claimed::New(claim) = proofs.claim(&AppKey::from("a"), proof(0, 1), "r1", NOW) else {
            panic!("used")
        };
        let mut waiting = std::pin::pin!(proofs.closed(proof(0, 1)));
        tokio::select! {
            biased;
            () = waiting.as_mut() => panic!("the call is under way"),
            () = std::future::ready(()) => {}
        }
        claim.settle();
        waiting.await;
    }
}
