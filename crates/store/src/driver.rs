//! How a server gets its store: the program chooses a driver, and the server knows only this trait.

use std::error::Error;
use std::sync::Arc;

use crate::{Budget, Read, Store};

/// How many questions each pool of readers answers at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pools {
    /// Questions of API calls.
    pub calls: usize,
    /// Questions of devices.
    pub devices: usize,
    /// Look-ups of a few rows by their keys.
    pub rows: usize,
    /// Searches with an expression.
    pub searches: usize,
}

impl Pools {
    /// One question of each kind at a time: for a program that has a few of them and ends.
    pub const SMALLEST: Self = Self {
        calls: 1,
        devices: 1,
        rows: 1,
        searches: 1,
    };
}

/// Makes a reader whose questions fail with [`crate::Error::GivenUp`] once a budget is over.
pub type SearchReader = Arc<dyn Fn(Arc<Budget>) -> Arc<dyn Read> + Send + Sync>;

/// A store that is open.
pub struct Opened {
    /// The writer.
    pub store: Box<dyn Store>,
    /// Answers questions.
    pub readers: Readers,
}

/// Readers of one store. The pools never wait for each other, and none of them waits for the writer.
pub struct Readers {
    /// Answers API calls.
    pub calls: Arc<dyn Read>,
    /// Answers devices.
    pub devices: Arc<dyn Read>,
    /// Looks up a few rows.
    pub rows: Arc<dyn Read>,
    /// Answers searches.
    pub searches: SearchReader,
}

/// Opens a store of one kind, at one place.
pub trait Driver {
    /// Whether there is a store already.
    fn exists(&self) -> bool;

    /// Opens the store, and makes an empty one if there is none. `presence` answers who is online in searches.
    ///
    /// # Errors
    /// Why the store cannot be opened, in words for an operator; nothing that was there is changed then.
    fn open(&self, pools: Pools) -> Result<Opened, Box<dyn Error + Send + Sync>>;
}
