//! The plain objects of a server, put together without threads and sockets. The server attaches those, a simulation
//! plays their part: both work with the same objects, put together in the same way.

use std::sync::Arc;

use aldis_app::{App, Blocking, Parts, Presence, Rng, Settings};
use aldis_engine::clock::{ServerClock, TimeSource};
use aldis_engine::link::DeviceLink;
use aldis_engine::writer::{Inbox, Writer};
use aldis_engine::{Engine, Ports, Shared};
use aldis_store::{Epoch, Error, Readers, Store};

/// What differs between a server and a simulation of one.
pub struct Assembly<S> {
    /// The engine's way to the store.
    pub store: Box<dyn Store>,
    /// What [`Store::begin_epoch`] returned to this process.
    pub epoch: Epoch,
    /// The application's ways to the store.
    pub readers: Readers,
    /// How many searches may run at a time.
    pub searches_max: usize,
    /// Where everything for the engine arrives.
    pub inbox: Arc<Inbox>,
    /// The engine's way to devices.
    pub link: Arc<dyn DeviceLink>,
    /// Knows who is online.
    pub presence: Arc<dyn Presence>,
    /// What the engine shares with the parts around it.
    pub shared: Shared,
    /// The clock, started by [`start_clock`].
    pub clock: Arc<ServerClock<S>>,
    /// Runs questions that take time.
    pub blocking: Arc<dyn Blocking>,
    /// Draws ids and secrets.
    pub rng: Arc<dyn Rng>,
    /// Seals access tokens.
    pub token_key: [u8; 32],
    /// What an operator may set.
    pub settings: Settings,
}

/// Starts the clock from the wall clock and the store's last commit. Nothing may have been stored by this clock before.
/// With `accepted` the operator says that the wall clock is right.
///
/// # Errors
/// The store cannot be read.
pub fn start_clock<S: TimeSource>(clock: &ServerClock<S>, store: &dyn Store, accepted: bool) -> Result<(), Error> {
    let (commit, stored) = store.last_commit()?;
    clock.start((commit.0 > 0).then_some(stored), accepted);
    Ok(())
}

impl<S: TimeSource + 'static> Assembly<S> {
    /// Starts the engine, which has not run a turn yet, and the application beside it.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn start(self) -> Result<(Engine, App), Error> {
        let ports = Ports {
            store: self.store,
            epoch: self.epoch,
            link: self.link,
            inbox: Arc::clone(&self.inbox),
            observers: Vec::new(),
            shared: self.shared.clone(),
        };
        let engine = Engine::start(ports, self.clock.reading())?;
        let app = App::new(Parts {
            store: self.readers.calls,
            devices: self.readers.devices,
            rows: self.readers.rows,
            search_reader: self.readers.searches,
            searches_max: self.searches_max,
            blocking: self.blocking,
            writer: Writer::new(self.inbox),
            shared: self.shared,
            clock: self.clock,
            presence: self.presence,
            rng: self.rng,
            token_key: self.token_key,
            settings: self.settings,
        });
        Ok((engine, app))
    }
}
