//! The lines between those who log and stderr: bounded in bytes. What finds no room is counted, and said when there is.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait for stderr: some thousand lines, an hour of a quiet server.
const WAITING_MAX_BYTES: usize = 1 << 20;
/// A longer line is cut: a stranger's text, or a back trace.
const LINE_MAX_BYTES: usize = 16 << 10;
/// Pause after stderr has failed: a full disk and a broken pipe do not heal sooner.
const AFTER_FAILURE: Duration = Duration::from_millis(200);
/// What ends a line that was cut.
const CUT: &[u8] = b"...";

/// Takes lines from all threads.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that found no room since this was said last.
    lost: u64,
    /// Bytes are being written.
    writing: bool,
    /// The last attempt to write has failed.
    failing: bool,
}

impl Queue {
    fn put(&self, line: &[u8]) {
        let mut state = self.state.lock();
        let kept = line.len().min(LINE_MAX_BYTES);
        // The bytes of the mark and of the end of the line.
        if state.waiting.len() + kept + CUT.len() + 1 > WAITING_MAX_BYTES {
            state.lost += 1;
            return;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let whole = text.len() <= kept;
        // One event is one line, whatever a stranger has put into a name.
        let bytes = text.iter().take(kept).map(|byte| match byte {
            b'\n' | b'\r' => b' ',
            byte => *byte,
        });
        state.waiting.extend(bytes);
        if !whole {
            state.waiting.extend(CUT);
        }
        state.waiting.push(b'\n');
        drop(state);
        self.changed.notify_all();
    }

    /// Writes what waits, or waits itself, at most `longest`. How many lines were lost meanwhile, if that can be said.
    pub(super) fn write_some(&self, out: &mut impl Write, longest: Duration) -> u64 {
        let mut state = self.state.lock();
        if state.waiting.is_empty() {
            self.changed.wait_for(&mut state, longest);
        }
        let mut batch = std::mem::take(&mut state.waiting);
        state.writing = true;
        drop(state);
        let written = write_to(out, &batch);
        batch.drain(..written.min(batch.len()));
        let failed = !batch.is_empty();
        let mut state = self.state.lock();
        // What could not be written comes before what has arrived meanwhile.
        if failed {
            batch.append(&mut state.waiting);
            state.waiting = batch;
        }
        state.writing = false;
        state.failing = failed;
        let lost = if failed { 0 } else { std::mem::take(&mut state.lost) };
        drop(state);
        self.changed.notify_all();
        if failed {
            std::thread::sleep(AFTER_FAILURE);
        }
        lost
    }

    /// Returns when nothing waits, when stderr fails, or at `end`.
    pub(super) fn finish(&self, end: Instant) {
        let mut state = self.state.lock();
        while (state.writing || !state.waiting.is_empty()) && !state.failing {
            if self.changed.wait_until(&mut state, end).timed_out() {
                return;
            }
        }
    }
}

/// How many bytes were taken: all of them, unless there was an error.
fn write_to(out: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Each call is one line, as `tracing_subscriber` makes them.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Stderr without the standard library's lock: a thread that waits for that lock must not wait for a pipe.
pub(super) struct Stderr(File);

impl Stderr {
    /// `None` if there is none.
    pub(super) fn open() -> Option<Self> {
        let own = io::stderr().as_fd().try_clone_to_owned();
        own.ok().map(|own| Self(File::from(own)))
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes that many bytes, and then fails.
    struct Room(usize, Vec<u8>);

    impl Write for Room {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            self.1.extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_an_output_does_not_take_comes_first_when_it_does() {
        let queue = Queue::default();
        queue.put(b"first\n");
        let mut out = Room(3, Vec::new());
        assert_eq!(queue.write_some(&mut out, Duration::ZERO), 0);
        queue.finish(Instant::now() + Duration::from_secs(3600));
        queue.put(b"second\n");
        out.0 = 100;
        queue.write_some(&mut out, Duration::ZERO);
        assert_eq!(out.1, b"first\nsecond\n");
    }

    #[test]
    fn lines_beyond_the_bound_are_counted_and_said_once_there_is_room() {
        let queue = Queue::default();
        let line = [b'x'; 1024];
        let fit = WAITING_MAX_BYTES / (line.len() + 1 + CUT.len()) + 1;
        for _ in 0..2 * fit {
            queue.put(&line);
        }
        assert!(queue.state.lock().waiting.len() <= WAITING_MAX_BYTES);
        let mut out = Room(0, Vec::new());
        assert_eq!(queue.write_some(&mut out, Duration::ZERO), 0, "it cannot be said");
        out.0 = usize::MAX;
        let lost = queue.write_some(&mut out, Duration::ZERO);
        let lines = out.1.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines + usize::try_from(lost).unwrap(), 2 * fit);
        assert_eq!(queue.write_some(&mut out, Duration::ZERO), 0, "it has been said");
    }

    #[test]
    fn an_event_is_one_line_of_bounded_length() {
        let queue = Queue::default();
        queue.put(b"a\nforged\r line\n");
        queue.put(&[b'y'; 2 * LINE_MAX_BYTES]);
        let mut out = Room(usize::MAX, Vec::new());
        queue.write_some(&mut out, Duration::ZERO);
        let text = String::from_utf8(out.1).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "a forged  line"));
        assert_eq!(lines[1].len(), LINE_MAX_BYTES + CUT.len());
    }
}
