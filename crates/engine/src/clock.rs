//! The server's one clock (docs/decisions/0017-one-clock.md).
//!
//! Time goes on by the monotonic clock, from an anchor that is taken from the wall clock at the start. A wall clock
//! that is set while the server runs is noticed and logged, and the server's clock follows it slowly: so slowly
//! forwards that no time to live ends early, and backwards by going slower, never by going back. Where the wall clock
//! contradicts what is known by more than a drift, the clock is in doubt: it stands still, and the engine neither sends
//! nor ends anything.

use std::fmt;

use aldis_core::time::{Clock, Timestamp};
use parking_lot::Mutex;

/// More than this between the wall clock and what is known is no drift: the clock is in doubt.
pub const DRIFT_MAX_MS: i64 = 5 * 60_000;
/// A server may have been off for this long. A wall clock that is further ahead of the last commit at a start is in
/// doubt: nothing tells a long holiday from a clock that is wrong.
const OFF_MAX_MS: i64 = 31 * 24 * 3_600_000;
/// For this long a step ahead of the running server's wall clock is in doubt. What sets a clock wrongly and rights it
/// again, as two time services that quarrel do, has done so by then. Afterwards time goes on by the monotonic clock.
const DOUBT_MAX_MS: i64 = 60_000;
/// A change of the wall clock against the monotonic one that is worth a line in the log; time services slew smaller
/// ones.
const STEP_MS: i64 = 500;
/// The wall clock is looked at this often at the most.
const LOOK_EVERY_US: i64 = 100_000;
/// Of this much time, one part is gained at the most while the wall clock is ahead: twice what time services slew, and
/// a time to live of an hour ends less than four seconds early.
const GAIN_PART: i64 = 1_000;
/// Of this much time, one part is lost at the most while the wall clock is behind: what waits only waits longer by it.
const LOSS_PART: i64 = 10;

/// What the machine says about the time.
pub trait TimeSource: Send + Sync {
    /// The wall clock.
    fn wall(&self) -> Timestamp;

    /// Microseconds of a clock that cannot be set. It goes on while the machine is suspended.
    fn monotonic_us(&self) -> i64;
}

/// Why the clock is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// At a start the wall clock was before the last commit.
    BehindTheStore {
        /// The last commit's moment.
        stored: Timestamp,
        /// The wall clock.
        wall: Timestamp,
    },
    /// At a start the wall clock was further ahead of the last commit than a server is off.
    AheadOfTheStore {
        /// The last commit's moment.
        stored: Timestamp,
        /// The wall clock.
        wall: Timestamp,
    },
    /// The wall clock went ahead while the server was running, and the monotonic clock did not.
    WentAhead {
        /// By how many milliseconds.
        by_ms: i64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BehindTheStore { stored, wall } => write!(
                f,
                "the wall clock is {} behind the last commit; set it right, or accept it with `aldis serve --accept-clock`",
                Span(stored.ms_since(*wall))
            ),
            Self::AheadOfTheStore { stored, wall } => write!(
                f,
                "the wall clock is {} ahead of the last commit; set it right, or accept it with `aldis serve --accept-clock`",
                Span(wall.ms_since(*stored))
            ),
            Self::WentAhead { by_ms } => write!(
                f,
                "the wall clock went ahead by {} while the server was running",
                Span(*by_ms)
            ),
        }
    }
}

/// Milliseconds in words, to two digits of the largest unit that fits.
struct Span(i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 4] = [
            (86_400_000, "days"),
            (3_600_000, "hours"),
            (60_000, "minutes"),
            (1_000, "seconds"),
        ];
        let ms = self.0.saturating_abs();
        match UNITS.into_iter().find(|(length, _)| ms >= 2 * length) {
            Some((length, unit)) => write!(f, "{} {unit}", ms / length),
            None => write!(f, "{ms} ms"),
        }
    }
}

/// The time, as one turn of the engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The clock's moment.
    pub now: Timestamp,
    /// This moment or the wall clock's, whichever is earlier.
    pub earlier: Timestamp,
    /// Milliseconds that only go on: also while the clock stands still.
    pub ticks_ms: i64,
    /// The clock is in doubt: nothing is sent, and nothing ends.
    pub held: bool,
    /// The server did not run for a while, although it should have: what devices have said meanwhile has not been heard
    /// yet.
    pub late: bool,
}

impl Reading {
    /// A clock that is right, in a server that runs.
    #[must_use]
    pub const fn right(now: Timestamp) -> Self {
        Self {
            now,
            earlier: now,
            ticks_ms: now.0,
            held: false,
            late: false,
        }
    }
}

#[derive(Debug)]
struct State {
    /// The clock, in microseconds since 1970, at the last look.
    at_us: i64,
    /// The monotonic clock then.
    looked_us: i64,
    /// The wall clock was ahead of this clock by this then.
    ahead_ms: i64,
    /// What has been told is never taken back.
    told_us: i64,
    doubt: Option<(Doubt, i64)>,
}

/// The clock.
pub struct ServerClock<S> {
    source: S,
    state: Mutex<State>,
}

impl<S: TimeSource> ServerClock<S> {
    /// The clock before anything is known but the wall clock.
    pub fn new(source: S) -> Self {
        let state = State::start(&source, None, true);
        Self {
            source,
            state: Mutex::new(state),
        }
    }

    /// The clock of a server that starts on a store whose last commit was `stored`; `None` if it has none yet. With
    /// `accepted` the operator says that the wall clock is right. Nothing may have been stored by this clock before.
    pub fn start(&self, stored: Option<Timestamp>, accepted: bool) {
        *self.state.lock() = State::start(&self.source, stored, accepted);
    }

    /// The time for a turn of the engine.
    pub fn reading(&self) -> Reading {
        let mut state = self.state.lock();
        let ticks = self.source.monotonic_us();
        let now = self.time(&mut state, ticks);
        Reading {
            now,
            earlier: now.min(self.source.wall()),
            ticks_ms: ticks / 1_000,
            held: state.doubt.is_some(),
            late: false,
        }
    }

    /// By how many milliseconds the wall clock is ahead of this clock; negative if it is behind.
    pub fn wall_ahead_ms(&self) -> i64 {
        self.state.lock().ahead_ms
    }

    fn time(&self, state: &mut State, ticks: i64) -> Timestamp {
        if ticks - state.looked_us >= LOOK_EVERY_US {
            state.look(self.source.wall(), ticks);
        }
        let passed = if state.doubt.is_some() {
            0
        } else {
            ticks - state.looked_us
        };
        state.told_us = state.told_us.max(state.at_us.saturating_add(passed));
        Timestamp(state.told_us / 1_000)
    }
}

impl<S: TimeSource> Clock for ServerClock<S> {
    fn now(&self) -> Timestamp {
        let mut state = self.state.lock();
        let ticks = self.source.monotonic_us();
        self.time(&mut state, ticks)
    }

    fn wall(&self) -> Timestamp {
        self.source.wall()
    }

    fn doubt(&self) -> Option<String> {
        self.state.lock().doubt.map(|(doubt, _)| doubt.to_string())
    }
}

fn doubt_at_start(stored: Timestamp, wall: Timestamp) -> Option<Doubt> {
    if stored.ms_since(wall) > DRIFT_MAX_MS {
        Some(Doubt::BehindTheStore { stored, wall })
    } else if wall.ms_since(stored) > OFF_MAX_MS {
        Some(Doubt::AheadOfTheStore { stored, wall })
    } else {
        None
    }
}

impl State {
    fn start(source: &impl TimeSource, stored: Option<Timestamp>, accepted: bool) -> Self {
        let (wall, looked_us) = (source.wall(), source.monotonic_us());
        let doubt = stored
            .filter(|_| !accepted)
            .and_then(|stored| doubt_at_start(stored, wall));
        let begin = match stored {
            Some(stored) if doubt.is_some() => stored,
            Some(stored) if !accepted => wall.max(stored),
            _ => wall,
        };
        if let Some(doubt) = doubt {
            tracing::error!(%doubt, "the clock is in doubt: nothing is sent and nothing ends");
        }
        let at_us = begin.0.saturating_mul(1_000);
        Self {
            at_us,
            looked_us,
            ahead_ms: wall.ms_since(begin),
            told_us: at_us,
            doubt: doubt.map(|doubt| (doubt, looked_us)),
        }
    }

    /// Compares the clock with the wall clock, and follows it a little.
    fn look(&mut self, wall: Timestamp, ticks: i64) {
        let passed = ticks - self.looked_us;
        self.looked_us = ticks;
        if let Some((doubt, since)) = self.doubt {
            self.ahead_ms = wall.ms_since(Timestamp(self.at_us / 1_000));
            self.doubt_again(doubt, since, wall, ticks);
            return;
        }
        self.at_us = self.at_us.saturating_add(passed);
        let ahead = wall.ms_since(Timestamp(self.at_us / 1_000));
        let step = ahead.saturating_sub(self.ahead_ms);
        if step.saturating_abs() >= STEP_MS {
            self.note_step(step, ahead, ticks);
        }
        if self.doubt.is_none() {
            let correction = ahead
                .saturating_mul(1_000)
                .clamp(-passed / LOSS_PART, passed / GAIN_PART);
            self.at_us = self.at_us.saturating_add(correction);
        }
        self.ahead_ms = ahead;
    }

    fn note_step(&mut self, step: i64, ahead: i64, ticks: i64) {
        let word = if step > 0 { "ahead" } else { "back" };
        tracing::warn!(
            step_ms = step,
            wall_ahead_ms = ahead,
            "the wall clock was set {word}; time goes on by the monotonic clock, and follows slowly"
        );
        if step > DRIFT_MAX_MS && ahead > DRIFT_MAX_MS {
            let doubt = Doubt::WentAhead { by_ms: step };
            tracing::error!(%doubt, "the clock is in doubt: nothing is sent and nothing ends");
            self.doubt = Some((doubt, ticks));
        }
    }

    /// Whether what was in doubt is so still.
    fn doubt_again(&mut self, doubt: Doubt, since: i64, wall: Timestamp, ticks: i64) {
        let begin = match doubt {
            Doubt::BehindTheStore { stored, .. } | Doubt::AheadOfTheStore { stored, .. } => {
                let off = wall.ms_since(stored);
                (0..=OFF_MAX_MS).contains(&off).then_some(wall)
            }
            Doubt::WentAhead { .. } => {
                let righted = self.ahead_ms <= DRIFT_MAX_MS;
                let over = ticks - since >= DOUBT_MAX_MS * 1_000;
                (righted || over).then_some(Timestamp(self.at_us / 1_000))
            }
        };
        if let Some(begin) = begin {
            tracing::warn!(
                wall_ahead_ms = wall.ms_since(begin),
                "the clock is in doubt no more: the server goes on"
            );
            self.at_us = self.at_us.max(begin.0.saturating_mul(1_000));
            self.ahead_ms = wall.ms_since(begin);
            self.doubt = None;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A machine whose clocks stand where a test puts them.
    #[derive(Default)]
    pub(crate) struct Hands {
        pub(crate) wall_ms: AtomicI64,
        pub(crate) monotonic_us: AtomicI64,
    }

    impl TimeSource for Arc<Hands> {
        fn wall(&self) -> Timestamp {
            Timestamp(self.wall_ms.load(Ordering::SeqCst))
        }

        fn monotonic_us(&self) -> i64 {
            self.monotonic_us.load(Ordering::SeqCst)
        }
    }

    const BEGIN: i64 = 1_700_000_000_000;
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;

    struct Bench {
        hands: Arc<Hands>,
        clock: ServerClock<Arc<Hands>>,
        /// Milliseconds that have really passed.
        passed: i64,
    }

    /// A start when the wall clock is this far from the last commit.
    fn start(off_ms: i64, accepted: bool) -> Bench {
        let hands = Arc::new(Hands::default());
        hands.wall_ms.store(BEGIN + off_ms, Ordering::SeqCst);
        let clock = ServerClock::new(Arc::clone(&hands));
        clock.start(Some(Timestamp(BEGIN)), accepted);
        Bench {
            hands,
            clock,
            passed: 0,
        }
    }

    impl Bench {
        /// Time passes; the clock is asked as often as the writer asks it.
        fn pass(&mut self, ms: i64) {
            let end = self.passed + ms;
            while self.passed < end {
                let step = (end - self.passed).min(1_000);
                self.passed += step;
                self.hands.wall_ms.fetch_add(step, Ordering::SeqCst);
                self.hands.monotonic_us.fetch_add(step * 1_000, Ordering::SeqCst);
                self.now();
            }
        }

        fn set(&self, by_ms: i64) {
            self.hands.wall_ms.fetch_add(by_ms, Ordering::SeqCst);
        }

        fn now(&self) -> i64 {
            self.clock.now().0 - BEGIN
        }

        fn held(&self) -> bool {
            self.clock.reading().held
        }
    }

    #[test]
    fn time_goes_on_by_the_monotonic_clock_whatever_the_wall_clock_does() {
        for step in [-YEAR, -HOUR, -MINUTE, -1_000, 1_000, MINUTE, 5 * MINUTE] {
            let mut bench = start(0, false);
            bench.pass(10_000);
            bench.set(step);
            let before = bench.now();
            bench.pass(10_000);
            let passed = bench.now() - before;
            assert!((9_000..=10_010).contains(&passed), "{step}: {passed} ms for 10,000");
            assert!(!bench.held(), "{step}");
        }
    }

    #[test]
    fn a_small_step_is_made_good_slowly_and_never_by_going_back() {
        for (step, within) in [(-MINUTE, 11 * MINUTE), (5_000, 2 * HOUR)] {
            let mut bench = start(0, false);
            bench.set(step);
            let mut last = bench.now();
            for _ in 0..within / 1_000 {
                bench.pass(1_000);
                assert!(bench.now() >= last, "{step}");
                last = bench.now();
            }
            let off = bench.now() - (bench.passed + step);
            assert!(off.abs() <= 2, "{step}: {off} ms off after {within} ms");
        }
    }

    #[test]
    fn no_span_is_shortened_by_more_than_a_thousandth() {
        let mut bench = start(0, false);
        bench.set(4 * MINUTE);
        let before = bench.now();
        bench.pass(HOUR);
        assert!(bench.now() - before <= HOUR + HOUR / GAIN_PART);
    }

    #[test]
    fn an_hour_ahead_for_two_seconds_is_in_doubt_for_two_seconds() {
        let mut bench = start(0, false);
        bench.pass(10_000);
        bench.set(HOUR);
        bench.pass(1_000);
        assert!(bench.held());
        let stands = bench.now();
        bench.pass(1_000);
        assert_eq!(bench.now(), stands, "it stands still meanwhile");
        bench.set(-HOUR);
        bench.pass(1_000);
        assert!(!bench.held());
        bench.pass(10_000);
        assert!(bench.now() <= bench.passed, "{} after {}", bench.now(), bench.passed);
    }

    #[test]
    fn a_step_ahead_that_stays_is_in_doubt_for_a_while_and_ends_no_window() {
        let mut bench = start(0, false);
        bench.pass(10_000);
        bench.set(3 * DAY);
        bench.pass(DOUBT_MAX_MS);
        assert!(bench.held());
        bench.pass(2_000);
        assert!(!bench.held(), "no device may starve because the clock was set right");
        assert!(bench.now() <= bench.passed);
        bench.pass(10_000);
        assert!(bench.now() > 20_000 && bench.clock.wall_ahead_ms() > 2 * DAY);
    }

    #[test]
    fn a_suspended_machine_has_been_away_and_is_not_in_doubt() {
        let mut bench = start(0, false);
        bench.hands.monotonic_us.fetch_add(8 * HOUR * 1_000, Ordering::SeqCst);
        bench.set(8 * HOUR);
        assert_eq!((bench.now(), bench.held()), (8 * HOUR, false));
        bench.pass(1_000);
        assert_eq!((bench.now(), bench.held()), (8 * HOUR + 1_000, false));
    }

    #[test]
    fn a_start_is_in_doubt_beyond_a_drift_back_and_a_month_ahead() {
        let cases = [
            (-YEAR, true),
            (-5 * MINUTE - 1, true),
            (-5 * MINUTE, false),
            (0, false),
            (3 * DAY, false),
            (31 * DAY, false),
            (31 * DAY + 1, true),
            (30 * YEAR, true),
        ];
        for (off, held) in cases {
            let bench = start(off, false);
            assert_eq!(bench.held(), held, "{off}");
            assert_eq!(bench.now(), if held { 0 } else { off.max(0) }, "{off}");
            let accepted = start(off, true);
            assert_eq!((accepted.held(), accepted.now()), (false, off), "{off} accepted");
        }
        let first = ServerClock::new(Arc::new(Hands::default()));
        first.start(None, false);
        assert!(!first.reading().held, "a first start has nothing to compare with");
    }

    #[test]
    fn a_start_in_doubt_goes_on_by_itself_once_the_clock_is_set_right() {
        for off in [-YEAR, 30 * YEAR] {
            let mut bench = start(off, false);
            bench.pass(5_000);
            assert_eq!((bench.held(), bench.now()), (true, 0), "{off}");
            bench.set(-off + HOUR);
            bench.pass(1_000);
            assert!(!bench.held(), "{off}");
            assert_eq!(
                bench.now(),
                HOUR + bench.passed,
                "{off}: the server was really off for so long"
            );
        }
    }

    #[test]
    fn a_start_a_little_too_early_waits_until_the_wall_clock_has_caught_up() {
        let mut bench = start(-10 * MINUTE, false);
        bench.pass(10 * MINUTE - 1_000);
        assert!(bench.held());
        bench.pass(1_000);
        assert!(!bench.held());
    }

    #[test]
    fn words_tell_an_operator_what_to_do() {
        let doubt = start(-3 * HOUR, false).clock.doubt().unwrap();
        assert!(
            doubt.contains("3 hours behind") && doubt.contains("--accept-clock"),
            "{doubt}"
        );
        assert_eq!(start(0, false).clock.doubt(), None);
    }
}
