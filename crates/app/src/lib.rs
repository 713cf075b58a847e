//! What callers intend, decided here: one file per kind of thing, plain types in and out.
//!
//! Nothing here knows HTTP, JSON bodies or wire spellings (that is `api`), and nothing here changes stored state by
//! itself: changes go to the [`Writer`], reads run beside the network threads ([`App::read`]).

pub mod access;
pub mod admit_device;
pub mod admit_guest;
pub mod audit;
mod blocking;
mod cancel_tasks;
pub mod create_job;
mod delete_job;
pub mod devices;
mod error;
pub mod gateway_requests;
pub mod idempotency;
mod job_command;
mod job_targets;
pub mod keys;
pub mod latest_values;
pub mod organizations;
mod presence;
pub mod products;
mod query_jobs;
pub mod query_tasks;
pub mod register_devices;
mod retry_tasks;
mod rng;
pub mod rotate_secrets;
mod searches;
pub mod single_commands;
pub mod sub_devices;
mod text;
pub mod thing_models;
pub mod tokens;
pub mod traces;

use std::num::NonZeroU32;
use std::sync::Arc;

use aldis_core::time::{Clock, Timestamp};
use aldis_store::{Done, Read, Refusal, SearchReader, Write};
use tokio::sync::oneshot;

pub use self::access::Caller;
pub use self::blocking::{Blocking, BlockingPool, Work};
pub use self::error::Error;
pub use self::rng::{Rng, SystemRng};
use self::searches::Searches;
pub use self::searches::{Results, SEARCH_MAX};
use self::tokens::Tokens;
use aldis_engine::Shared;
use aldis_engine::clock::DRIFT_MAX_MS;
use aldis_engine::writer::Writer;
pub use presence::Presence;

/// What an operator may set about the answers of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Unsigned calls are accepted, and organizations come into being when they are named.
    pub no_auth: bool,
    /// Most tasks of one job; `None`: as many as there are.
    pub tasks_per_job_max: Option<u64>,
    /// Most devices of one product; `None`: as many as there are.
    pub devices_per_product_max: Option<u64>,
    /// Most calls per second of one access key; `None`: as many as come.
    pub rate_limit_per_second: Option<NonZeroU32>,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// Answers the questions of callers.
    pub store: Arc<dyn Read>,
    /// Answers those of devices, and never waits for the others.
    pub devices: Arc<dyn Read>,
    /// Answers those about a few rows, and never waits for the others.
    pub rows: Arc<dyn Read>,
    /// Makes readers for searches with an expression, which the others never wait for.
    pub search_reader: SearchReader,
    /// How many such searches may run at a time.
    pub searches_max: usize,
    /// Runs the questions that take time: all but those to `rows`.
    pub blocking: Arc<dyn Blocking>,
    /// Makes changes.
    pub writer: Writer,
    /// What the engine knows beside what is stored.
    pub shared: Shared,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Knows who is online.
    pub presence: Arc<dyn Presence>,
    /// Draws ids and secrets.
    pub rng: Arc<dyn Rng>,
    /// Seals access tokens; the same after a restart, so that tokens survive it.
    pub token_key: [u8; 32],
    /// What an operator may set.
    pub settings: Settings,
}

struct Inner {
    parts: Parts,
    searches: Searches,
    tokens: Tokens,
}

/// The application; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let tokens = Tokens::new(parts.token_key);
        let searches = Searches::new(Arc::clone(&parts.search_reader), parts.searches_max);
        Self(Arc::new(Inner {
            parts,
            searches,
            tokens,
        }))
    }

    /// Asks the store for a few rows by their keys. The embedded store answers on this very thread, so that the future is
    /// ready at its first poll: a change of threads costs more than such an answer. A store on the network waits here.
    ///
    /// # Errors
    /// What `question` returns.
    pub async fn look_up<T, E: Into<Error>>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, E> + Send,
    ) -> Result<T, Error> {
        question(self.0.parts.rows.as_ref()).map_err(Into::into)
    }

    /// Asks the store, off the network threads.
    ///
    /// # Errors
    /// What `question` returns; [`Error::Internal`] if it panics.
    pub async fn read<T, E>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        E: Into<Error> + Send + 'static,
    {
        self.ask(Arc::clone(&self.0.parts.store), question).await
    }

    /// Asks the store in the name of a device: however much callers ask, logins do not wait for them.
    ///
    /// # Errors
    /// As [`App::read`].
    pub(crate) async fn read_for_devices<T, E>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        E: Into<Error> + Send + 'static,
    {
        self.ask(Arc::clone(&self.0.parts.devices), question).await
    }

    async fn ask<T, E>(
        &self,
        store: Arc<dyn Read>,
        question: impl FnOnce(&dyn Read) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        E: Into<Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.0.parts.blocking.run(Box::new(move || {
            // A caller that has hung up takes no answer.
            drop(answer.send(question(store.as_ref())));
        }));
        answered
            .await
            .map_err(|_panicked| Error::Internal("a question to the store panicked".to_owned()))?
            .map_err(Into::into)
    }

    /// The handle of the writer.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.0.parts.writer
    }

    /// What the engine knows beside what is stored.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.0.parts.shared
    }

    /// The current moment, by the server's one clock: for every moment that is stored or compared with a stored one.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    /// Whether a moment that another machine's wall clock shows is close enough to this server's time: to its clock, or
    /// to its wall clock, which is the better judge after one of them was set right.
    pub(crate) fn is_near(&self, theirs: Timestamp) -> bool {
        let clock = &self.0.parts.clock;
        access::is_near(theirs, clock.now()) || access::is_near(theirs, clock.wall())
    }

    /// The earlier of the two clocks by which a caller's timestamp may be near: what it signs is over when it is by
    /// both.
    pub(crate) fn earlier_now(&self) -> Timestamp {
        let clock = &self.0.parts.clock;
        clock.now().min(clock.wall())
    }

    /// A moment of another machine's wall clock, by the server's clock. They differ by no more than a drift, which the
    /// server's clock makes good by itself, unless the wall clock was set while the server was running.
    pub(crate) fn by_our_clock(&self, theirs: Timestamp) -> Timestamp {
        let clock = &self.0.parts.clock;
        let ahead = clock.wall().ms_since(clock.now());
        if ahead.saturating_abs() > DRIFT_MAX_MS {
            theirs.plus_ms(-ahead)
        } else {
            theirs
        }
    }

    /// Why nothing is sent and nothing ends at the moment, in words for an operator; `None` if that is not so.
    #[must_use]
    pub fn clock_doubt(&self) -> Option<String> {
        let doubt = self.0.parts.clock.doubt()?;
        Some(format!(
            "nothing is sent and nothing ends while the server's clock is in doubt: {doubt}"
        ))
    }

    /// Who is online.
    #[must_use]
    pub fn presence(&self) -> &dyn Presence {
        self.0.parts.presence.as_ref()
    }

    /// What an operator has set.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.parts.settings
    }

    /// Draws ids and secrets.
    #[must_use]
    pub fn rng(&self) -> &dyn Rng {
        self.0.parts.rng.as_ref()
    }

    /// Seals and opens access tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// One write in a commit of its own (or with others that arrive together); the refusal as a value.
    ///
    /// # Errors
    /// The store failed or the server takes no more work.
    pub async fn write_one(&self, write: Write) -> Result<Result<Done, Refusal>, Error> {
        let mut done = self.writer().write(vec![write]).await?;
        match done.pop() {
            Some(Done::Refused(refusal)) => Ok(Err(refusal)),
            Some(done) => Ok(Ok(done)),
            None => Err(Error::Internal("the writer answered a write with nothing".to_owned())),
        }
    }
}
