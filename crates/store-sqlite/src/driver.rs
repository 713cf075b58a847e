//! The embedded driver as a server opens it.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use aldis_store::{Driver, Opened, Pools, Readers};

use crate::open::{DATABASE, Options, open};
use crate::secret::KEY_LEN;

/// A data directory, and the key that seals its secrets.
pub struct SqliteDriver {
    dir: PathBuf,
    key: Option<[u8; KEY_LEN]>,
}

impl SqliteDriver {
    /// The store in `dir`; without a `key` the one in its file `secret.key` counts.
    #[must_use]
    pub fn new(dir: PathBuf, key: Option<[u8; KEY_LEN]>) -> Self {
        Self { dir, key }
    }
}

impl Driver for SqliteDriver {
    fn exists(&self) -> bool {
        self.dir.join(DATABASE).exists()
    }

    fn open(&self, pools: Pools) -> Result<Opened, Box<dyn Error + Send + Sync>> {
        let options = Options {
            key: self.key,
            readers: pools.calls + pools.devices + pools.rows + pools.searches,
        };
        let (store, reader) = open(&self.dir, &options)?;
        let (others, searches) = reader.apart(pools.searches);
        let (others, rows) = others.apart(pools.rows);
        let (calls, devices) = others.apart(pools.devices);
        Ok(Opened {
            store: Box::new(store),
            readers: Readers {
                calls: Arc::new(calls),
                devices: Arc::new(devices),
                rows: Arc::new(rows),
                searches: Arc::new(move |budget| Arc::new(searches.within(budget))),
            },
        })
    }
}
