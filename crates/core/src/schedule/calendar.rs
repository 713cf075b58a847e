//! Windows and blackouts: when a job is open.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wall_clock::{self, Moments};
use crate::time::Timestamp;
use crate::timezone;
use crate::violation::Violation;

/// Most windows of a job.
pub const WINDOWS_MAX: usize = 20;
/// Most blackouts of a job.
pub const BLACKOUTS_MAX: usize = 100;
/// How far ahead the next change is looked for: a job ends at most 366 days after its trigger.
const LOOK_AHEAD_DAYS: i64 = 367;
const DAYS: [(&str, Weekday); 7] = [
    ("MON", Weekday::Monday),
    ("TUE", Weekday::Tuesday),
    ("WED", Weekday::Wednesday),
    ("THU", Weekday::Thursday),
    ("FRI", Weekday::Friday),
    ("SAT", Weekday::Saturday),
    ("SUN", Weekday::Sunday),
];

/// A window as it is written in a request and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSpec {
    /// The days on which it begins; all, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<String>>,
    /// Its first minute, `HH:MM`.
    pub from: String,
    /// The minute before which it ends, `HH:MM`.
    pub to: String,
}

/// A blackout as it is written in a request and stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blackout {
    /// Its first moment.
    pub from_ts: Timestamp,
    /// The moment before which it ends.
    pub to_ts: Timestamp,
}

/// A span of local time, [from, to). With to ≤ from it runs over midnight and belongs to the day on which it began;
/// with to = from it takes 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// One bit a day, Monday first.
    days: u8,
    from: Time,
    to: Time,
}

/// When a job is open. Without windows it is open but for its blackouts.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    windows: Vec<Window>,
    blackouts: Vec<Blackout>,
}

impl Calendar {
    /// Checks windows, blackouts and the zone in which the windows are meant.
    ///
    /// # Errors
    /// The first member that breaks a rule.
    pub fn check(zone: &str, windows: &[WindowSpec], blackouts: &[Blackout]) -> Result<Self, Violation> {
        timezone::validate(zone).map_err(|violation| violation.within("timezone"))?;
        at_most("windows", windows.len(), WINDOWS_MAX)?;
        at_most("blackouts", blackouts.len(), BLACKOUTS_MAX)?;
        for (index, blackout) in blackouts.iter().enumerate() {
            if blackout.from_ts >= blackout.to_ts {
                let expected = format!("moment after fromTs {}", blackout.from_ts.0);
                let path = format!("blackouts[{index}].toTs");
                return Err(Violation::of(&Value::from(blackout.to_ts.0), expected).within(&path));
            }
        }
        let read = |(index, window): (usize, &WindowSpec)| {
            window
                .read()
                .map_err(|violation| violation.within(&format!("windows[{index}]")))
        };
        Ok(Self {
            zone: timezone::of(zone).unwrap_or(TimeZone::UTC),
            windows: windows.iter().enumerate().map(read).collect::<Result<_, _>>()?,
            blackouts: blackouts.to_vec(),
        })
    }

    /// Whether the calendar is open at this moment. Time runs one way, so that changes of the clock need no rule: a
    /// window in a gap is shorter, in a fold longer.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        if self
            .blackouts
            .iter()
            .any(|blackout| (blackout.from_ts..blackout.to_ts).contains(&at))
        {
            return false;
        }
        let local = wall_clock::local(&self.zone, at);
        self.windows.is_empty() || self.windows.iter().any(|window| window.has(local))
    }

    /// The first moment after `at` at which the calendar changes; `None` if it does not within a year.
    #[must_use]
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        let is_open = self.is_open(at);
        let from = wall_clock::local(&self.zone, at);
        let mut edges: Vec<Timestamp> = self.edges_of_blackouts().collect();
        for day in 0..LOOK_AHEAD_DAYS {
            edges.extend(self.edges_of_day(from, day));
            edges.sort_unstable();
            // Edges of later days are still missing, so that only those up to here are known in full.
            let known_until = self.first_moment(from.checked_add(day.days()).ok()?)?;
            let known = edges.partition_point(|edge| *edge <= known_until);
            let change = edges
                .drain(..known)
                .find(|edge| *edge > at && self.is_open(*edge) != is_open);
            if change.is_some() {
                return change;
            }
        }
        None
    }

    /// When the present opening began; `None` if the calendar is shut, or has been open for a year.
    #[must_use]
    pub fn open_since(&self, at: Timestamp) -> Option<Timestamp> {
        if !self.is_open(at) {
            return None;
        }
        let from = wall_clock::local(&self.zone, at);
        let mut edges: Vec<Timestamp> = self.edges_of_blackouts().collect();
        for day in 0..LOOK_AHEAD_DAYS {
            edges.extend(self.edges_of_day(from, -day));
            edges.sort_unstable();
            // Edges of earlier days are still missing, so that only those from here on are known in full.
            let midnight = from.date().checked_sub(day.days()).ok()?.to_datetime(Time::midnight());
            let known_from = self.first_moment(midnight)?;
            let known = edges.partition_point(|edge| *edge < known_from);
            let opens = |edge: &Timestamp| self.is_open(*edge) && !self.is_open(edge.plus_ms(-1));
            let opening = edges.drain(known..).rev().find(|edge| *edge <= at && opens(edge));
            if opening.is_some() {
                return opening;
            }
        }
        None
    }

    /// The moments on the local day `day` days after `local` at which a window may begin or end, and the change of the
    /// zone's offset that follows.
    fn edges_of_day(&self, local: DateTime, day: i64) -> Vec<Timestamp> {
        let span: Span = day.days();
        let Ok(date) = local.date().checked_add(span) else {
            return Vec::new();
        };
        let times = self.windows.iter().flat_map(|window| [window.from, window.to]);
        let mut edges: Vec<Timestamp> = times
            .flat_map(|time| self.all_moments(date.to_datetime(time)))
            .collect();
        if let Some(midnight) = self.first_moment(date.to_datetime(Time::midnight())) {
            edges.extend(wall_clock::next_change(&self.zone, midnight.plus_ms(-1)));
        }
        edges
    }

    fn edges_of_blackouts(&self) -> impl Iterator<Item = Timestamp> {
        self.blackouts
            .iter()
            .flat_map(|blackout| [blackout.from_ts, blackout.to_ts])
    }

    fn all_moments(&self, local: DateTime) -> Vec<Timestamp> {
        match wall_clock::moments(&self.zone, local) {
            None => Vec::new(),
            Some(Moments::One(at) | Moments::Gap(at)) => vec![at],
            Some(Moments::Fold(first, second)) => vec![first, second],
        }
    }

    fn first_moment(&self, local: DateTime) -> Option<Timestamp> {
        self.all_moments(local).first().copied()
    }
}

impl Window {
    fn has(&self, local: DateTime) -> bool {
        let time = local.time();
        let begins_on = |day: Weekday| self.days & day_bit(day) != 0;
        let today = local.weekday();
        if self.from < self.to {
            return begins_on(today) && (self.from..self.to).contains(&time);
        }
        (begins_on(today) && time >= self.from) || (begins_on(today.previous()) && time < self.to)
    }
}

impl WindowSpec {
    fn read(&self) -> Result<Window, Violation> {
        let days = match &self.days {
            None => 0b111_1111,
            Some(names) => read_days(names)?,
        };
        Ok(Window {
            days,
            from: read_time("from", &self.from)?,
            to: read_time("to", &self.to)?,
        })
    }
}

fn read_days(names: &[String]) -> Result<u8, Violation> {
    let expected = "list of MON, TUE, WED, THU, FRI, SAT, SUN";
    let mut days = 0;
    for name in names {
        let found = DAYS.into_iter().find(|(known, _)| known == name);
        let (_, day) = found.ok_or_else(|| Violation::of_text(name, expected).within("days"))?;
        days |= day_bit(day);
    }
    if days == 0 {
        return Err(Violation::of_text("", expected).within("days"));
    }
    Ok(days)
}

fn day_bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

fn read_time(path: &str, text: &str) -> Result<Time, Violation> {
    let refused = || Violation::of_text(text, "time of day from 00:00 to 23:59").within(path);
    let two_digits = |digits: &str| -> Option<i8> {
        let is_plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| digits.parse().ok())?
    };
    let (hour, minute) = text.split_once(':').ok_or_else(refused)?;
    let (hour, minute) = two_digits(hour).zip(two_digits(minute)).ok_or_else(refused)?;
    Time::new(hour, minute, 0, 0).map_err(|_out_of_range| refused())
}

fn at_most(path: &str, found: usize, max: usize) -> Result<(), Violation> {
    if found <= max {
        return Ok(());
    }
    Err(Violation::of(&Value::from(found), format!("at most {max} entries")).within(path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn window(days: Option<&[&str]>, from: &str, to: &str) -> WindowSpec {
        let days = days.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        WindowSpec {
            days,
            from: from.into(),
            to: to.into(),
        }
    }

    fn calendar(zone: &str, windows: &[WindowSpec]) -> Calendar {
        Calendar::check(zone, windows, &[]).unwrap()
    }

    fn utc(text: &str) -> Timestamp {
        Timestamp(format!("{text}Z").parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn window_over_midnight_belongs_to_the_day_on_which_it_began() {
        let friday_night = calendar("UTC", &[window(Some(&["FRI"]), "22:00", "05:00")]);
        for (at, open) in [
            ("2026-01-02T21:59:59", false),
            ("2026-01-02T22:00:00", true),
            ("2026-01-03T04:59:59", true),
            ("2026-01-03T05:00:00", false),
            ("2026-01-03T22:00:00", false),
        ] {
            assert_eq!(friday_night.is_open(utc(at)), open, "{at}");
        }
        let all_monday = calendar("UTC", &[window(Some(&["MON"]), "06:00", "06:00")]);
        assert!(all_monday.is_open(utc("2026-01-06T05:59:00")) && !all_monday.is_open(utc("2026-01-06T06:00:00")));
    }

    #[test]
    fn window_is_shorter_in_a_gap_and_longer_in_a_fold() {
        let night = calendar("Europe/Berlin", &[window(None, "01:30", "03:30")]);
        for (day, hours) in [("2026-03-28", 2), ("2026-03-29", 1), ("2026-10-25", 3)] {
            let from = night
                .next_change(utc(&format!("{day}T00:00:00")).plus_ms(-HOUR_MS))
                .unwrap();
            let to = night.next_change(from).unwrap();
            assert!(night.is_open(from) && !night.is_open(to));
            assert_eq!(to.ms_since(from), hours * HOUR_MS, "{day}");
        }
    }

    #[test]
    fn window_inside_a_gap_does_not_open_on_that_day() {
        let in_gap = calendar("Europe/Berlin", &[window(None, "02:10", "02:50")]);
        assert_eq!(
            in_gap.next_change(utc("2026-03-28T12:00:00")),
            Some(utc("2026-03-30T00:10:00"))
        );
    }

    #[test]
    fn blackout_shuts_whatever_the_windows_say() {
        let blackout = Blackout {
            from_ts: utc("2026-12-20T00:00:00"),
            to_ts: utc("2027-01-05T12:00:00"),
        };
        let open = Calendar::check("UTC", &[], &[blackout]).unwrap();
        assert!(open.is_open(blackout.from_ts.plus_ms(-1)) && !open.is_open(blackout.from_ts));
        assert_eq!(open.next_change(utc("2026-12-01T00:00:00")), Some(blackout.from_ts));
        assert_eq!(open.next_change(blackout.from_ts), Some(blackout.to_ts));
        assert_eq!(open.next_change(blackout.to_ts), None);
        let nights = Calendar::check("UTC", &[window(None, "22:00", "05:00")], &[blackout]).unwrap();
        assert_eq!(nights.next_change(utc("2026-12-19T23:00:00")), Some(blackout.from_ts));
        assert_eq!(nights.next_change(blackout.from_ts), Some(utc("2027-01-05T22:00:00")));
    }

    #[test]
    fn calendar_that_breaks_a_rule_names_the_member() {
        let blackout = Blackout {
            from_ts: Timestamp(5),
            to_ts: Timestamp(5),
        };
        let good = window(None, "00:00", "01:00");
        for (zone, windows, blackouts, path) in [
            ("Mars", vec![], vec![], "timezone"),
            ("UTC", vec![good; 21], vec![], "windows"),
            ("UTC", vec![window(None, "24:00", "01:00")], vec![], "windows[0].from"),
            ("UTC", vec![window(None, "1:00", "01:00")], vec![], "windows[0].from"),
            ("UTC", vec![window(None, "01:00", "+1:00")], vec![], "windows[0].to"),
            (
                "UTC",
                vec![window(Some(&[]), "01:00", "02:00")],
                vec![],
                "windows[0].days",
            ),
            (
                "UTC",
                vec![window(Some(&["MO"]), "01:00", "02:00")],
                vec![],
                "windows[0].days",
            ),
            ("UTC", vec![], vec![blackout], "blackouts[0].toTs"),
        ] {
            let error = Calendar::check(zone, &windows, &blackouts).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{path}: expected ")), "{error}");
        }
    }

    fn any_calendar() -> impl Strategy<Value = Calendar> {
        let zone = prop::sample::select(vec![
            "UTC",
            "+05:45",
            "Europe/Berlin",
            "America/Havana",
            "America/Santiago",
            "Australia/Lord_Howe",
            "Africa/Cairo",
        ]);
        let hhmm = || (0_u8..24, 0_u8..4).prop_map(|(hour, quarter)| format!("{hour:02}:{:02}", quarter * 15));
        let day = prop::sample::select(DAYS.to_vec()).prop_map(|(name, _)| name.to_owned());
        let window = (prop::option::of(prop::collection::vec(day, 1..4)), hhmm(), hhmm())
            .prop_map(|(days, from, to)| WindowSpec { days, from, to });
        let blackout = (0_i64..14_000, 1_i64..4_000).prop_map(|(from, minutes)| {
            let from_ts = BEGIN.plus_ms(from * 60_000);
            Blackout {
                from_ts,
                to_ts: from_ts.plus_ms(minutes * 60_000),
            }
        });
        let windows = prop::collection::vec(window, 0..4);
        (zone, windows, prop::collection::vec(blackout, 0..3))
            .prop_map(|(zone, windows, blackouts)| Calendar::check(zone, &windows, &blackouts).unwrap())
    }

    /// Ten days with a change of the clock in most of the zones: 2026-10-20 on.
    const BEGIN: Timestamp = Timestamp(1_792_454_400_000);

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn next_change_is_the_first_minute_at_which_the_calendar_differs(
            calendar in any_calendar(), start in 0_i64..7 * 1_440,
        ) {
            let at = BEGIN.plus_ms(start * 60_000);
            let open = calendar.is_open(at);
            let differs = (1..=4 * 1_440).map(|minutes| at.plus_ms(minutes * 60_000)).find(|later| calendar.is_open(*later) != open);
            let next = calendar.next_change(at);
            match differs {
                Some(minute) => prop_assert_eq!(next, Some(minute)),
                None => prop_assert!(next.is_none_or(|next| next > at.plus_ms(4 * 86_400_000))),
            }
        }

        #[test]
        fn open_since_is_the_first_minute_of_the_present_opening(
            calendar in any_calendar(), start in 4 * 1_440_i64..11 * 1_440,
        ) {
            let at = BEGIN.plus_ms(start * 60_000);
            let is_shut = |minutes: &i64| !calendar.is_open(at.plus_ms(-minutes * 60_000));
            let shut = (0..=4 * 1_440).find(is_shut);
            let since = calendar.open_since(at);
            match shut {
                Some(0) => prop_assert_eq!(since, None),
                Some(minutes) => prop_assert_eq!(since, Some(at.plus_ms((1 - minutes) * 60_000))),
                None => prop_assert!(since.is_none_or(|since| since < at.plus_ms(-4 * 86_400_000))),
            }
        }
    }
}
