//! Connections that do nothing for anybody: callers' between two requests, devices' before their login. When there is room for
//! no more, the one that has been idle longest gives its place up, so that no number of silent peers keeps others out.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Those that are idle, the longest first.
#[derive(Default)]
pub(crate) struct Idle(Mutex<ByAge>);

#[derive(Default)]
struct ByAge {
    next: u64,
    idle: BTreeMap<u64, Arc<Notify>>,
}

/// A connection; idle until it says otherwise.
pub(crate) struct Member {
    all: Arc<Idle>,
    told: Arc<Notify>,
    age: Mutex<Option<u64>>,
}

/// A request of a connection is being answered for as long as this lives.
pub(crate) struct Answering(Arc<Member>);

impl Idle {
    /// A new connection.
    pub(crate) fn join(self: &Arc<Self>) -> Arc<Member> {
        let member = Member {
            all: Arc::clone(self),
            told: Arc::default(),
            age: Mutex::new(None),
        };
        member.rest();
        Arc::new(member)
    }

    /// Tells the connection that has been idle longest to end; false if none is.
    pub(crate) fn give_one_up(&self) -> bool {
        let longest = self.0.lock().idle.pop_first();
        longest.is_some_and(|(_, told)| {
            told.notify_one();
            true
        })
    }
}

impl Member {
    /// Done once the place is wanted for somebody else.
    pub(crate) async fn wanted(&self) {
        self.told.notified().await;
    }

    /// From now on, and until the value is dropped, not idle.
    pub(crate) fn answering(self: &Arc<Self>) -> Answering {
        self.busy();
        Answering(Arc::clone(self))
    }

    fn rest(&self) {
        let mut all = self.all.0.lock();
        let age = all.next;
        all.next += 1;
        all.idle.insert(age, Arc::clone(&self.told));
        *self.age.lock() = Some(age);
    }

    fn busy(&self) {
        if let Some(age) = self.age.lock().take() {
            self.all.0.lock().idle.remove(&age);
        }
    }
}

impl Drop for Member {
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

    fn is_wanted(member: &Member) -> bool {
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
    fn ended_connections_are_forgotten() {
        let all = Arc::<Idle>::default();
        drop([(); 3].map(|()| all.join()));
        drop(all.join().answering());
        assert!(all.0.lock().idle.is_empty());
    }
}
