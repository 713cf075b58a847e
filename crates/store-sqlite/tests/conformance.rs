//! The suite that every store passes.
#![expect(clippy::unwrap_used, reason = "tests")]

use aldis_store::Store;
use aldis_store_conformance::Fixture;
use aldis_store_sqlite::{Options, SqliteReader, SqliteStore, open};
use tempfile::TempDir;

struct Embedded {
    dir: TempDir,
    /// `None` only while it is opened again: the directory is locked until the last is dropped.
    open: Option<(SqliteStore, SqliteReader)>,
}

impl Embedded {
    fn open(&mut self) {
        let options = Options { key: None, readers: 1 };
        self.open = Some(open(self.dir.path(), &options).unwrap());
    }
}

impl Fixture for Embedded {
    fn store(&mut self) -> &mut dyn Store {
        &mut self.open.as_mut().unwrap().0
    }

    fn reopen(&mut self) {
        self.open = None;
        self.open();
    }
}

fn embedded() -> Box<dyn Fixture> {
    let mut embedded = Embedded {
        dir: tempfile::tempdir().unwrap(),
        open: None,
    };
    embedded.open();
    Box::new(embedded)
}

aldis_store_conformance::conformance_tests!(embedded);
