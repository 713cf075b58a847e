//! Searches with an expression: they may have to look at everything that an organization has, so they have connections
//! and a budget of their own. One access key runs one of them at a time; the next ones wait for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aldis_core::ids::{AppKey, OrgId};
use aldis_store::{Budget, Error as StoreError, Found, Read, SearchReader};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{App, Caller, Error};

/// How long a search may take.
pub const SEARCH_MAX: Duration = Duration::from_secs(2);
/// How long a search may wait for its turn.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Searches of one access key that may wait at a time: each holds a connection of the API.
const WAITING_PER_KEY_MAX: usize = 16;

/// Pages of searches without an expression that are made at a time, from their first row to the text of the answer: the
/// rows of a page take several times the memory of its text.
const OTHER_PAGES_MAX: usize = 3;

/// Pages of one access key that are made at a time: however many it asks for, others are made beside them.
const PAGES_PER_KEY_MAX: usize = 2;

/// Whose searches take turns: those of a key, or the unsigned ones of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Searcher {
    Key(AppKey),
    Unsigned(OrgId),
}

impl Searcher {
    fn of(caller: &Caller) -> Self {
        match &caller.app_key {
            Some(key) => Self::Key(key.clone()),
            None => Self::Unsigned(caller.org.clone()),
        }
    }
}

/// The turns of those who search; they are forgotten when none is held or waited for.
type Turns = Mutex<HashMap<Searcher, Arc<Semaphore>>>;

/// The searches that run and wait.
pub(super) struct Searches {
    reader: SearchReader,
    places: Arc<Semaphore>,
    making: Arc<Semaphore>,
    turns: Turns,
    pages: Turns,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    stopped: bool,
    budgets: Vec<Arc<Budget>>,
}

/// A search's place; when it is dropped, the search has ended or is given up.
struct SearchPermit<'a> {
    searches: &'a Searches,
    budget: Arc<Budget>,
    _turn: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Drop for SearchPermit<'_> {
    fn drop(&mut self) {
        self.budget.give_up();
        let mut running = self.searches.running.lock();
        running.budgets.retain(|budget| !Arc::ptr_eq(budget, &self.budget));
    }
}

impl Searches {
    /// At most `places` searches run at a time: one for each connection of the reader.
    pub(super) fn new(reader: SearchReader, places: usize) -> Self {
        Self {
            reader,
            places: Arc::new(Semaphore::new(places)),
            making: Arc::new(Semaphore::new(places + OTHER_PAGES_MAX)),
            turns: Turns::default(),
            pages: Turns::default(),
            running: Mutex::default(),
        }
    }

    /// Waits for the searcher's turn, and then for a place.
    async fn place(&self, searcher: Searcher) -> Result<SearchPermit<'_>, Error> {
        let turn = self.turn(searcher)?;
        let both = async {
            let turn = turn.acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>((turn, Arc::clone(&self.places).acquire_owned().await?))
        };
        let both = tokio::time::timeout(WAIT_MAX, both).await;
        let (turn, place) = both
            .map_err(|_elapsed| Error::TooManySearches)?
            .map_err(|_closed| Error::Overloaded)?;
        let budget = Arc::new(Budget::new(SEARCH_MAX));
        let mut running = self.running.lock();
        if running.stopped {
            return Err(Error::Overloaded);
        }
        running.budgets.push(Arc::clone(&budget));
        drop(running);
        Ok(SearchPermit {
            searches: self,
            budget,
            _turn: turn,
            _place: place,
        })
    }

    /// Waits until there is room for one more page of this searcher, and then for one more page at all.
    async fn making(&self, searcher: Searcher) -> Result<Making, Error> {
        let own = turn(&self.pages, searcher, PAGES_PER_KEY_MAX);
        let both = async {
            let own = own.acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>(Making {
                _own: own,
                _any: Arc::clone(&self.making).acquire_owned().await?,
            })
        };
        let both = tokio::time::timeout(WAIT_MAX, both).await;
        both.map_err(|_elapsed| Error::Overloaded)?
            .map_err(|_closed| Error::Overloaded)
    }

    fn turn(&self, searcher: Searcher) -> Result<Arc<Semaphore>, Error> {
        let turn = turn(&self.turns, searcher, 1);
        // One reference is the table's, one this one, and one that of the search that runs.
        match Arc::strong_count(&turn) > 2 + WAITING_PER_KEY_MAX {
            true => Err(Error::TooManySearches),
            false => Ok(turn),
        }
    }

    fn stop(&self) {
        self.places.close();
        let mut running = self.running.lock();
        running.stopped = true;
        running.budgets.iter().for_each(|budget| budget.give_up());
    }
}

fn turn(turns: &Turns, searcher: Searcher, at_a_time: usize) -> Arc<Semaphore> {
    let mut turns = turns.lock();
    // One reference is the table's; a turn that is held or waited for has more.
    turns.retain(|_, turn| Arc::strong_count(turn) > 1);
    let turn = turns
        .entry(searcher)
        .or_insert_with(|| Arc::new(Semaphore::new(at_a_time)));
    Arc::clone(turn)
}

/// The room of a page that is being made.
struct Making {
    _own: OwnedSemaphorePermit,
    _any: OwnedSemaphorePermit,
}

/// The page of a search, which has a place among the pages that are being made until it is dropped.
pub struct Results<T> {
    /// The page's rows.
    pub rows: Vec<T>,
    /// All matches.
    pub total: u64,
    making: Making,
}

impl<T> Results<T> {
    /// The same page with its rows seen in another way.
    pub(super) async fn try_with_rows<U, E, F: Future<Output = Result<Vec<U>, E>>>(
        self,
        see: impl FnOnce(Vec<T>) -> F,
    ) -> Result<Results<U>, E> {
        Ok(Results {
            rows: see(self.rows).await?,
            total: self.total,
            making: self.making,
        })
    }
}

impl App {
    /// A page of a search, asked for in a caller's name. What has an expression, if `filtered`, may take long: it takes
    /// turns and has a budget, which ends early when this future is dropped or the server stops. A search without one
    /// reads its page and little more.
    ///
    /// # Errors
    /// What `question` returns; [`Error::SearchTooLong`], [`Error::TooManySearches`], [`Error::Overloaded`].
    pub(super) async fn search<T: Send + 'static>(
        &self,
        caller: &Caller,
        filtered: bool,
        question: impl FnOnce(&dyn Read) -> Result<Found<T>, StoreError> + Send + 'static,
    ) -> Result<Results<T>, Error> {
        let searches = &self.0.searches;
        if !filtered {
            let making = searches.making(Searcher::of(caller)).await?;
            let found = self.read(question).await?;
            return Ok(results(found, making));
        }
        let place = searches.place(Searcher::of(caller)).await?;
        let making = searches.making(Searcher::of(caller)).await?;
        let reader = (searches.reader)(Arc::clone(&place.budget));
        match self.ask(reader, question).await {
            Err(Error::SearchTooLong) if place.budget.was_given_up() => Err(Error::Overloaded),
            Err(error) => Err(error),
            Ok(found) => Ok(results(found, making)),
        }
    }

    /// Ends the searches that run and those that wait, for good.
    pub fn stop_searches(&self) {
        self.0.searches.stop();
    }
}

fn results<T>(found: Found<T>, making: Making) -> Results<T> {
    Results {
        rows: found.rows,
        total: found.total,
        making,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn searches(places: usize) -> Searches {
        Searches::new(Arc::new(|_budget| unreachable!("nothing is read here")), places)
    }

    fn key(key: &str) -> Searcher {
        Searcher::Key(AppKey::from(key))
    }

    #[tokio::test]
    async fn searches_of_one_key_take_turns_and_leave_places_to_other_keys() {
        let searches = searches(2);
        let first = searches.place(key("a")).await.unwrap();
        let mut second = Box::pin(searches.place(key("a")));
        assert!(second.as_mut().now_or_never().is_none());
        let other = searches.place(key("b")).await.unwrap();
        drop(first);
        let second = second.await.unwrap();
        assert!(
            searches.place(key("c")).now_or_never().is_none(),
            "all places are taken"
        );
        drop((second, other));
        searches.place(key("c")).await.unwrap();
    }

    #[tokio::test]
    async fn key_with_as_many_waiting_searches_as_may_wait_is_refused_one_more() {
        let searches = searches(2);
        let running = searches.place(key("a")).await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING_PER_KEY_MAX)
            .map(|_| Box::pin(searches.place(key("a"))))
            .collect();
        for search in &mut waiting {
            assert!(search.as_mut().now_or_never().is_none());
        }
        let refused = searches.place(key("a")).await;
        assert!(matches!(refused, Err(Error::TooManySearches)));
        searches.place(key("b")).await.unwrap();
        drop((running, waiting));
        searches.place(key("a")).await.unwrap();
        assert_eq!(searches.turns.lock().len(), 1, "keys without a search are forgotten");
    }

    #[tokio::test]
    async fn pages_of_one_key_leave_room_for_pages_of_others() {
        let searches = searches(1);
        let mut being_made = Vec::new();
        for _ in 0..PAGES_PER_KEY_MAX {
            being_made.push(searches.making(key("a")).await.unwrap());
        }
        assert!(searches.making(key("a")).now_or_never().is_none());
        let other = searches.making(key("b")).await.unwrap();
        drop(being_made.pop());
        searches.making(key("a")).await.unwrap();
        drop((being_made, other));
    }

    #[tokio::test]
    async fn search_that_is_dropped_or_stopped_is_given_up() {
        let searches = searches(2);
        let dropped = searches.place(key("a")).await.unwrap();
        let budget = Arc::clone(&dropped.budget);
        assert!(!budget.is_over());
        drop(dropped);
        assert!(budget.is_over() && searches.running.lock().budgets.is_empty());
        let running = searches.place(key("a")).await.unwrap();
        let waiting = searches.place(key("a"));
        searches.stop();
        assert!(running.budget.is_over());
        drop(running);
        assert!(matches!(waiting.await, Err(Error::Overloaded)));
    }
}
