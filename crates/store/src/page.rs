//! How much the rows of a page may hold together: a thousand rows may be a hundred kilobytes or half a gigabyte.
//!
//! A page that would be larger is refused, not cut short: pages are counted from their size, so that a short one would
//! hide rows from a caller that asks for the next.

use std::io;

use aldis_core::command::Command;
use serde::Serialize;

use crate::rows::{Device, FoundModel, JobDetail, PastAction, Product};
use crate::{Error, TaskInfo};

/// Most bytes of JSON in the rows of a page. Ten of the largest commands with their outputs fit three times over, a
/// thousand rows of 16 KiB once.
pub const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A row of a search.
pub trait Weigh {
    /// About this many bytes in an answer; what is small in every row does not count.
    fn bytes(&self) -> usize;
}

/// The rows of a page as they are read.
#[derive(Debug, Default)]
pub struct PageBytes {
    taken: usize,
}

impl PageBytes {
    /// One more row. The first always fits.
    ///
    /// # Errors
    /// [`Error::PageTooLarge`].
    pub fn admit<T: Weigh>(&mut self, row: T) -> Result<T, Error> {
        let before = self.taken;
        self.taken = before.saturating_add(row.bytes().max(1));
        match before > 0 && self.taken > PAGE_BYTES_MAX {
            true => Err(Error::PageTooLarge),
            false => Ok(row),
        }
    }
}

impl Weigh for TaskInfo {
    fn bytes(&self) -> usize {
        let result = self.task.result.as_ref();
        let said = result.map_or(0, |outcome| {
            outcome.desc.len() + outcome.output.as_ref().map_or(0, String::len)
        });
        command_bytes(&self.job.command) + said
    }
}

impl Weigh for JobDetail {
    fn bytes(&self) -> usize {
        command_bytes(&self.job.command) + json_bytes(self.text.as_ref())
    }
}

impl Weigh for Device {
    fn bytes(&self) -> usize {
        json_bytes(&self.is.attributes) + json_bytes(&self.is.tags) + self.is.desc.len()
    }
}

impl Weigh for FoundModel {
    fn bytes(&self) -> usize {
        self.document.len()
    }
}

impl Weigh for PastAction {
    fn bytes(&self) -> usize {
        self.subject.len() + self.by.request_id.len()
    }
}

impl Weigh for Product {
    fn bytes(&self) -> usize {
        json_bytes(&self.tags) + self.desc.len()
    }
}

fn command_bytes(command: &Command) -> usize {
    match command {
        Command::InvokeService { input, .. } => json_bytes(input),
        Command::SetMeasurepoint { value, .. } => json_bytes(value),
    }
}

/// Counted, not written.
fn json_bytes(value: &impl Serialize) -> usize {
    struct Counted(usize);

    impl io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counted = Counted(0);
    match serde_json::to_writer(&mut counted, value) {
        Ok(()) => counted.0,
        Err(_) => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(usize);

    impl Weigh for Row {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    fn fits(rows: &[usize]) -> bool {
        let mut page = PageBytes::default();
        rows.iter().all(|bytes| page.admit(Row(*bytes)).is_ok())
    }

    #[test]
    fn a_page_has_room_for_so_much_and_always_for_one_row() {
        assert!(fits(&[]) && fits(&[PAGE_BYTES_MAX / 2; 2]) && fits(&[2 * PAGE_BYTES_MAX]));
        assert!(!fits(&[PAGE_BYTES_MAX / 2 + 1; 2]) && !fits(&[2 * PAGE_BYTES_MAX, 0]));
        assert_eq!(json_bytes(&serde_json::json!({"a": [1, 2]})), r#"{"a":[1,2]}"#.len());
    }
}
