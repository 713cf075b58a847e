//! What is wrong with a disk, and what of its writes is not durable yet.

use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A write finds no room.
    Full,
    /// A write fails.
    Write,
    /// Half of a write is made, then it fails.
    Short,
    /// What was written cannot be made durable.
    Sync,
}

/// A call that changes files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Write,
    Sync,
    /// A file is cut off or deleted.
    Shorten,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Half,
    Failed,
    NoRoom,
}

/// A write that is not durable yet, by what was there before.
struct Change {
    file: PathBuf,
    offset: u64,
    before: Vec<u8>,
    /// The file's length before.
    length: u64,
}

#[derive(Default)]
pub(crate) struct State {
    /// What fails, after how many calls, and how often.
    pub(crate) trouble: Option<(Trouble, u32, u32)>,
    /// After how many calls everything stops.
    pub(crate) stops: Option<u32>,
    pub(crate) stopped: bool,
    pub(crate) failures: u64,
    pending: Vec<Change>,
}

impl State {
    pub(crate) fn verdict(&mut self, call: Call) -> Verdict {
        let verdict = self.decide(call);
        self.failures += u64::from(verdict != Verdict::Done);
        verdict
    }

    fn decide(&mut self, call: Call) -> Verdict {
        if self.stopped {
            return Verdict::Failed;
        }
        if let Some(left) = &mut self.stops {
            if *left == 0 {
                (self.stops, self.stopped) = (None, true);
                return if call == Call::Write {
                    Verdict::Half
                } else {
                    Verdict::Failed
                };
            }
            *left -= 1;
        }
        let Some((trouble, after, times)) = &mut self.trouble else {
            return Verdict::Done;
        };
        let verdict = match (*trouble, call) {
            (Trouble::Full, Call::Write) => Verdict::NoRoom,
            (Trouble::Write, Call::Write) | (Trouble::Sync, Call::Sync) => Verdict::Failed,
            (Trouble::Short, Call::Write) => Verdict::Half,
            _ => return Verdict::Done,
        };
        if *after > 0 {
            *after -= 1;
            return Verdict::Done;
        }
        *times = times.saturating_sub(1);
        if *times == 0 {
            self.trouble = None;
        }
        verdict
    }

    /// A write was made over this.
    pub(crate) fn written(&mut self, file: &Path, offset: u64, before: Vec<u8>, length: u64) {
        self.pending.push(Change {
            file: file.to_owned(),
            offset,
            before,
            length,
        });
    }

    /// What was written to this file is durable, or there is no such file any more.
    pub(crate) fn durable(&mut self, file: &Path) {
        self.pending.retain(|change| change.file != file);
    }

    /// Of what is not durable, each write is there, or not, or half.
    pub(crate) fn lose_power(&mut self, draw: &mut dyn FnMut() -> u64) -> std::io::Result<()> {
        for change in std::mem::take(&mut self.pending).into_iter().rev() {
            let lost = match draw() % 3 {
                0 => continue,
                1 => change.before.len(),
                _ => change.before.len() / 2,
            };
            change.take_back(lost)?;
        }
        Ok(())
    }
}

impl Change {
    /// Puts back what the last bytes of the write replaced.
    fn take_back(&self, bytes: usize) -> std::io::Result<()> {
        let mut file = match OpenOptions::new().write(true).open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let kept = self.before.len() - bytes;
        let (start, end) = (self.offset + kept as u64, self.offset + self.before.len() as u64);
        file.seek(SeekFrom::Start(start))?;
        file.write_all(&self.before[kept..])?;
        // The end of the file is where the last write that was kept has put it.
        if file.metadata()?.len() == end && end > self.length {
            file.set_len(start.max(self.length))?;
        }
        Ok(())
    }
}
