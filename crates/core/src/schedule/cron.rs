//! Cron expressions with five fields, in a time zone.
//!
//! The crates for cron differ from the rules here where the clock changes: a local time that does not exist runs at
//! the first instant after the gap; one that exists twice runs at the first, or at both where the hour field is `*` or
//! `*/n`; equal instants run once.

use jiff::ToSpan;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::cron_field::{Field, Kind};
use super::wall_clock::{self, Moments};
use crate::time::Timestamp;
use crate::timezone;
use crate::violation::Violation;

/// Days that are searched for the next match: 29 February comes after eight years at the latest (around 2100).
const SEARCH_DAYS: i64 = 8 * 366 + 1;
const TEXT_BYTES_MAX: usize = 256;

const MINUTE: Kind = Kind {
    min: 0,
    max: 59,
    names: &[],
    first_named: 0,
};
const HOUR: Kind = Kind {
    min: 0,
    max: 23,
    names: &[],
    first_named: 0,
};
const DAY: Kind = Kind {
    min: 1,
    max: 31,
    names: &[],
    first_named: 0,
};
const MONTH: Kind = Kind {
    min: 1,
    max: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    first_named: 1,
};
const WEEKDAY: Kind = Kind {
    min: 0,
    max: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    first_named: 0,
};

/// A cron expression in its zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
    zone: TimeZone,
}

impl Cron {
    /// Reads `minute hour day-of-month month day-of-week`.
    ///
    /// # Errors
    /// A field breaks its grammar, or no day ever matches, or the zone is not known.
    pub fn read(text: &str, zone: &str) -> Result<Self, Violation> {
        timezone::validate(zone).map_err(|violation| violation.within("timezone"))?;
        let refused = |expected: &str| Violation::of_text(text, expected).within("cron");
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(refused("five fields: minute, hour, day of month, month, day of week"));
        };
        if text.len() > TEXT_BYTES_MAX {
            return Err(refused(&format!("at most {TEXT_BYTES_MAX} bytes")));
        }
        let field = |name: &str, text, kind| {
            let expected = format!("list of numbers, ranges, steps or names in the field {name}");
            Field::read(text, kind).ok_or_else(|| refused(&expected))
        };
        let cron = Self {
            minute: field("minute", minute, MINUTE)?,
            hour: field("hour", hour, HOUR)?,
            day: field("day of month", day, DAY)?,
            month: field("month", month, MONTH)?,
            weekday: field("day of week", weekday, WEEKDAY)?.renamed(7, 0),
            zone: timezone::of(zone).unwrap_or(TimeZone::UTC),
        };
        let ever = cron.after(Timestamp(0)).next();
        ever.map(|_| cron).ok_or_else(|| refused("a day that exists"))
    }

    /// The moments after `at`, in order, each once. They lie on whole minutes, so that they are at least 60 s apart.
    pub fn after(&self, at: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let today = wall_clock::local(&self.zone, at).date();
        Upcoming {
            cron: self,
            at,
            day: today.yesterday().ok(),
            searched: 0,
            found: Vec::new(),
        }
    }

    /// Both day fields restricted: either matches.
    fn has_day(&self, date: Date) -> bool {
        let number = |number: i8| u8::try_from(number).unwrap_or_default();
        let in_month = self.day.has(number(date.day()));
        let in_week = self.weekday.has(number(date.weekday().to_sunday_zero_offset()));
        let days = match (self.day.is_wildcard, self.weekday.is_wildcard) {
            (false, false) => in_month || in_week,
            _ => in_month && in_week,
        };
        days && self.month.has(number(date.month()))
    }

    /// All moments of the local times that match on a day.
    fn moments_of(&self, date: Date) -> Vec<Timestamp> {
        if !self.has_day(date) {
            return Vec::new();
        }
        let times = self
            .hour
            .numbers()
            .flat_map(|hour| self.minute.numbers().map(move |minute| (hour, minute)));
        let times = times.filter_map(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
        let moments = times.filter_map(|time| wall_clock::moments(&self.zone, date.to_datetime(time)));
        moments.flat_map(|moments| self.chosen(moments)).flatten().collect()
    }

    fn chosen(&self, moments: Moments) -> [Option<Timestamp>; 2] {
        match moments {
            Moments::One(at) | Moments::Gap(at) => [Some(at), None],
            Moments::Fold(first, second) => [Some(first), self.hour.is_wildcard.then_some(second)],
        }
    }
}

/// Walks from day to day. The moments of a day are given when those of the next are known: a gap over midnight moves
/// one day's moments into the next.
struct Upcoming<'a> {
    cron: &'a Cron,
    at: Timestamp,
    day: Option<Date>,
    searched: i64,
    /// Latest first.
    found: Vec<Timestamp>,
}

impl Iterator for Upcoming<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        while self.searched <= SEARCH_DAYS {
            if let Some(next) = self.settled() {
                self.at = next;
                self.searched = 0;
                return Some(next);
            }
            let day = self.day?;
            self.found
                .extend(self.cron.moments_of(day).into_iter().filter(|moment| *moment > self.at));
            self.found.sort_unstable_by(|left, right| right.cmp(left));
            self.found.dedup();
            self.day = day.checked_add(1.day()).ok();
            self.searched += 1;
        }
        None
    }
}

impl Upcoming<'_> {
    /// The earliest moment found, if no day still to be read can have an earlier one.
    fn settled(&mut self) -> Option<Timestamp> {
        let earliest = *self.found.last()?;
        let unread = self.day?.to_datetime(Time::midnight());
        let is_settled = wall_clock::local(&self.cron.zone, earliest) < unread;
        is_settled.then(|| self.found.pop())?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn first(cron: &str, zone: &str, after: &str, wanted: &[&str]) {
        let found: Vec<_> = Cron::read(cron, zone)
            .unwrap()
            .after(utc(after))
            .take(wanted.len())
            .collect();
        let wanted: Vec<_> = wanted.iter().map(|text| utc(text)).collect();
        assert_eq!(found, wanted, "{cron} in {zone}");
    }

    #[test]
    fn cron_local_time_in_a_gap_runs_once_after_it() {
        first(
            "0,30 2-3 * * *",
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"],
        );
    }

    #[test]
    fn cron_local_time_in_a_fold_runs_at_the_first_instant() {
        first(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
        first(
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
        );
    }

    #[test]
    fn cron_two_restricted_day_fields_match_either() {
        first(
            "0 0 13 * FRI",
            "UTC",
            "2026-01-31T00:00:00Z",
            &["2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z"],
        );
        first(
            "0 0 13 * *",
            "UTC",
            "2026-02-01T00:00:00Z",
            &["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z"],
        );
        first(
            "0 0 * * 7",
            "UTC",
            "2026-02-01T00:00:00Z",
            &["2026-02-08T00:00:00Z", "2026-02-15T00:00:00Z"],
        );
        first("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    }

    #[test]
    fn cron_that_breaks_the_grammar_is_refused() {
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
        ] {
            let error = Cron::read(bad, "UTC").unwrap_err().to_string();
            assert!(error.starts_with("cron: expected "), "{error}");
        }
        assert!(Cron::read("0 0 30 2 *", "UTC").is_err(), "30 February");
        assert!(
            Cron::read("0 0 * * *", "Mars")
                .unwrap_err()
                .to_string()
                .starts_with("timezone: ")
        );
    }

    #[test]
    fn cron_moments_around_all_changes_of_the_clock_are_those_of_another_implementation() {
        const GOLDEN: &str = include_str!("../../tests/golden/cron_moments.txt");
        const MINUTE_MS: i64 = 60_000;
        let (before, after) = (300, 360);
        let expressions: Vec<&str> = GOLDEN
            .lines()
            .filter_map(|line| line.strip_prefix("# ")?.split_once(' '))
            .filter_map(|(number, cron)| number.parse::<usize>().is_ok().then_some(cron))
            .collect();
        assert_eq!(expressions.len(), 8);
        let mut compared = 0;
        for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
            let [zone, change, number, moments] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let change = Timestamp(change.parse::<i64>().unwrap() * 1_000);
            let wanted: Vec<i64> = moments.split(',').filter_map(|minutes| minutes.parse().ok()).collect();
            let cron = Cron::read(expressions[number.parse::<usize>().unwrap()], zone).unwrap();
            let found = cron
                .after(change.plus_ms(-before * MINUTE_MS - 1))
                .map(|at| at.ms_since(change) / MINUTE_MS);
            assert_eq!(
                found.take_while(|minutes| *minutes < after).collect::<Vec<_>>(),
                wanted,
                "{line}"
            );
            compared += 1;
        }
        assert!(compared > 3_000, "{compared}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn cron_moments_grow_by_a_minute_at_least_and_do_not_depend_on_where_one_asks(
            minute in prop::sample::select(vec!["*", "*/7", "0", "15,45", "59"]),
            hour in prop::sample::select(vec!["*", "*/5", "2", "0-3", "23"]),
            days in prop::sample::select(vec!["* * *", "1-7 * SUN", "* 3,10 *", "31 * *"]),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "-03:30"]),
            at in 1_577_836_800_i64..2_145_916_800,
        ) {
            let cron = Cron::read(&format!("{minute} {hour} {days}"), zone).unwrap();
            let moments: Vec<_> = cron.after(Timestamp(at * 1_000)).take(12).collect();
            prop_assert!(moments[0] > Timestamp(at * 1_000));
            for pair in moments.windows(2) {
                prop_assert!(pair[1].ms_since(pair[0]) >= 60_000);
                prop_assert_eq!(cron.after(pair[0]).next(), Some(pair[1]));
                prop_assert_eq!(cron.after(pair[1].plus_ms(-1)).next(), Some(pair[1]));
            }
        }
    }
}
