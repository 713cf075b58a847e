//! What the wall clock of a zone shows at a moment, and at which moments it shows a given time.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::time::Timestamp;

/// The moments at which the wall clock shows a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moments {
    /// It shows the time once.
    One(Timestamp),
    /// It jumps over the time; this is the first instant after the gap.
    Gap(Timestamp),
    /// It shows the time twice.
    Fold(Timestamp, Timestamp),
}

/// What the wall clock shows. Moments beyond the calendar's range count as 1970.
pub(super) fn local(zone: &TimeZone, at: Timestamp) -> DateTime {
    zone.to_datetime(instant(at))
}

/// The first change of the zone's offset after this moment.
pub(super) fn next_change(zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let change = zone.following(instant(after)).next()?;
    Some(Timestamp(change.timestamp().as_millisecond()))
}

/// When the wall clock shows this time; `None` beyond the calendar's range.
pub(super) fn moments(zone: &TimeZone, local: DateTime) -> Option<Moments> {
    Some(match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => Moments::One(at(offset, local)?),
        AmbiguousOffset::Fold { before, after } => Moments::Fold(at(before, local)?, at(after, local)?),
        // With the later offset the time lies before the change, and the change is the first one after it.
        AmbiguousOffset::Gap { after, .. } => Moments::Gap(next_change(zone, at(after, local)?)?),
    })
}

fn at(offset: Offset, local: DateTime) -> Option<Timestamp> {
    Some(Timestamp(offset.to_timestamp(local).ok()?.as_millisecond()))
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::timezone;

    #[test]
    fn wall_clock_gap_and_fold_of_berlin() {
        let zone = timezone::of("Europe/Berlin").unwrap();
        let spring = Timestamp(1_774_746_000_000);
        assert_eq!(
            moments(&zone, date(2026, 3, 29).at(2, 30, 0, 0)),
            Some(Moments::Gap(spring))
        );
        let (first, second) = (Timestamp(1_792_888_200_000), Timestamp(1_792_891_800_000));
        assert_eq!(
            moments(&zone, date(2026, 10, 25).at(2, 30, 0, 0)),
            Some(Moments::Fold(first, second))
        );
        assert_eq!(local(&zone, first), local(&zone, second));
        assert_eq!(next_change(&zone, spring.plus_ms(-1)), Some(spring));
    }
}
