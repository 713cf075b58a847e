//! Connections that do nothing for anybody: callers' between two requests, devices' before their login. When there is
//! room for no more, the one that has been idle longest gives its place up, so that no number of silent peers keeps
//! others out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Those that are idle, the longest first.
#[derive(Default)]
pub struct Idle(Mutex<ByAge>);

#[derive(Default)]
struct ByAge {
    next: u64,
    idle: BTreeMap<u64, Resting>,
}

struct Resting {
    since: Instant,
    told: Arc<Notify>,
}

/// A connection; idle until it says otherwise.
pub struct TrackedConnection {
    all: Arc<Idle>,
    told: Arc<Notify>,
    age: Mutex<Option<u64>>,
}

/// A request of a connection is being answered for as long as this lives.
pub struct Answering(Arc<TrackedConnection>);

impl Idle {
    /// A new connection.
    pub fn join(self: &Arc<Self>) -> Arc<TrackedConnection> {
        let member = TrackedConnection {
            all: Arc::clone(self),
            told: Arc::default(),
            age: Mutex::new(None),
        };
        member.rest();
        Arc::new(member)
    }

    /// Tells the connection that has been idle longest to end; false if none is.
    pub fn give_one_up(&self) -> bool {
        let longest = self.0.lock().idle.pop_first();
        longest.is_some_and(|(_, resting)| {
            resting.told.notify_one();
            true
        })
    }

    /// The same, but only if it has been idle for `moment`: what its peer has just said may not have been read yet.
    /// After how long to look again.
    pub fn give_one_up_after(&self, moment: Duration) -> Duration {
        let mut all = self.0.lock();
        let Some(longest) = all.idle.first_entry() else {
            return moment;
        };
        let left = moment.saturating_sub(longest.get().since.elapsed());
        if !left.is_zero() {
            return left;
        }
        longest.remove().told.notify_one();
        moment
    }
}

impl TrackedConnection {
    /// Done once another connection needs the place. A connection that has become busy since then stays.
    pub async fn wanted(&self) {
        loop {
            self.told.notified().await;
            if self.was_given_up() {
                return;
            }
        }
    }

    fn was_given_up(&self) -> bool {
        let age = *self.age.lock();
        age.is_some_and(|age| !self.all.0.lock().idle.contains_key(&age))
    }

    /// From now on, and until the value is dropped, not idle.
    pub fn answering(self: &Arc<Self>) -> Answering {
        self.busy();
        Answering(Arc::clone(self))
    }

    /// Idle until `arrival` is done, although a request is being answered: nothing has been done for the peer yet.
    pub async fn idle_while<T>(&self, arrival: impl Future<Output = T>) -> T {
        self.rest();
        let arrived = arrival.await;
        self.busy();
        arrived
    }

    fn rest(&self) {
        let mut own = self.age.lock();
        let mut all = self.all.0.lock();
        // What was awaited may have been given up: the old entry must not outlive it.
        if let Some(before) = own.take() {
            all.idle.remove(&before);
        }
        let age = all.next;
        all.next += 1;
        let resting = Resting {
            since: Instant::now(),
            told: Arc::clone(&self.told),
        };
        all.idle.insert(age, resting);
        *own = Some(age);
    }

    fn busy(&self) {
        if let Some(age) = self.age.lock().take() {
            self.all.0.lock().idle.remove(&age);
        }
    }
}

impl Drop for TrackedConnection {
    fn drop(&mut self) {
        self.busy();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.rest();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn is_wanted(member: &TrackedConnection) -> bool {
        member.wanted().now_or_never().is_some()
    }

    #[test]
    fn the_longest_idle_goes_first_and_none_that_is_being_answered() {
        let all = Arc::<Idle>::default();
        let [first, second, third, fourth] = [(); 4].map(|()| all.join());
        let answering = first.answering();
        drop(third);
        drop(second.answering());
        assert!(all.give_one_up() && all.give_one_up() && !all.give_one_up());
        assert!(!is_wanted(&first) && is_wanted(&second) && is_wanted(&fourth));
        drop(answering);
        all.give_one_up();
        all.give_one_up();
        assert!(is_wanted(&first));
    }

    #[test]
    fn who_has_just_come_or_has_something_to_say_after_all_stays() {
        let all = Arc::<Idle>::default();
        let [first, second] = [(); 2].map(|()| all.join());
        assert!(all.give_one_up_after(Duration::MAX) > Duration::ZERO);
        assert!(!is_wanted(&first) && !is_wanted(&second));
        all.give_one_up_after(Duration::ZERO);
        let answering = first.answering();
        assert!(!is_wanted(&first), "its question came just in time");
        drop(answering);
        all.give_one_up_after(Duration::ZERO);
        assert!(!is_wanted(&first) && is_wanted(&second), "it is the newest now");
    }

    #[test]
    fn connection_that_waits_for_a_body_is_idle_until_the_body_is_there() {
        let all = Arc::<Idle>::default();
        let member = all.join();
        let answering = member.answering();
        assert!(member.idle_while(std::future::pending::<()>()).now_or_never().is_none());
        assert!(all.give_one_up() && is_wanted(&member));
        member.idle_while(std::future::ready(())).now_or_never().unwrap();
        assert!(!all.give_one_up(), "it is being answered");
        assert!(member.idle_while(std::future::pending::<()>()).now_or_never().is_none());
        drop(answering);
        assert_eq!(all.0.lock().idle.len(), 1, "no entry is left behind");
    }

    #[test]
    fn ended_connections_are_forgotten() {
        let all = Arc::<Idle>::default();
        drop([(); 3].map(|()| all.join()));
        drop(all.join().answering());
        assert!(all.0.lock().idle.is_empty());
    }
}
