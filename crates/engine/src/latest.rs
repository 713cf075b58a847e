//! The latest values that devices have reported, on their way to the store (docs/api.md, "Latest values").
//!
//! A device may say the same again every second. What it has said waits here for a while, newer values taking the place
//! of older ones, and is stored with the next commit afterwards: one row a value and a while, however often it is
//! reported. A caller gets what is stored and what waits.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

use aldis_core::ids::DeviceNo;
use aldis_core::reported::ReportKind;
use aldis_core::time::Timestamp;
use aldis_protocol::report::Change;
use aldis_store::Write;
use aldis_store::rows::Reported;
use parking_lot::Mutex;

/// Names of a kind that a device may have: twice what most large thing models have.
pub const NAMES_MAX: usize = 512;
/// Longest name, in bytes: identifiers have at most 128 characters.
pub const NAME_MAX_BYTES: usize = 256;
/// Longest value that is kept, as JSON in bytes: a text of 1024 characters, an array of 128 numbers.
pub const VALUE_MAX_BYTES: usize = 2048;
/// How long what a device has reported waits to be stored: what a power cut may take with it.
const STORED_AFTER_MS: i64 = 10_000;
/// Moments of storing are so far apart, for all devices together: an idle server makes no more commits for it than
/// this.
const STORED_EVERY_MS: i64 = 5_000;
/// Values of one commit: a few milliseconds for the writer.
const VALUES_PER_COMMIT: usize = 500;
/// What may wait in all. From half of it on nothing waits any longer; beyond it values are left out.
const WAITING_MAX_BYTES: usize = 64 << 20;
/// What a value costs beside its text.
const VALUE_BYTES: usize = 96;

/// Values by what they are of and by name.
type DeviceValues = BTreeMap<(ReportKind, String), (Option<String>, Timestamp)>;

/// The latest values that are not stored yet.
#[derive(Default)]
pub struct LatestValues(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    by_device: HashMap<DeviceNo, DeviceValues>,
    /// Since when something of these devices waits, the longest first.
    order: VecDeque<(Timestamp, DeviceNo)>,
    bytes: usize,
    /// What is in a commit whose end is not known.
    leaving: Vec<(DeviceNo, Vec<Reported>)>,
    left_out: u64,
}

impl LatestValues {
    /// Takes in what a device has reported. What is too long, or one too many, is left out. A moment that has not come
    /// yet counts as now: a clock that was wrong once must not hide everything that follows.
    pub fn take(&self, device: DeviceNo, changes: Vec<Change>, now: Timestamp) {
        let mut waiting = self.0.lock();
        // Once a kind has no room for another name, none of the message's names has to be counted again.
        let mut full = None;
        for Change { kind, name, value, at } in changes {
            let value = value.map(|value| value.to_string());
            let at = at.map_or(now, Timestamp).min(now);
            let fits = name.len() <= NAME_MAX_BYTES && value.as_ref().is_none_or(|it| it.len() <= VALUE_MAX_BYTES);
            if fits {
                waiting.take(device, Reported { kind, name, value, at }, now, &mut full);
            }
        }
    }

    /// What is to be stored now, at the most a commit's worth: everything that waits if the server stops.
    pub(crate) fn due(&self, now: Timestamp, stopping: bool) -> Option<Write> {
        let mut waiting = self.0.lock();
        waiting.take_due(now, stopping);
        (!waiting.leaving.is_empty()).then(|| Write::Report {
            values: waiting.leaving.clone(),
            names_max: NAMES_MAX,
        })
    }

    /// What was due is stored.
    pub(crate) fn stored(&self) {
        self.0.lock().leaving.clear();
    }

    /// What was due may not be stored: it waits again, behind whatever has come since.
    pub(crate) fn not_stored(&self, now: Timestamp) {
        let mut waiting = self.0.lock();
        for (device, values) in std::mem::take(&mut waiting.leaving) {
            for value in values {
                waiting.take_back(device, value, now);
            }
        }
    }

    /// When something is to be stored next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.0.lock().next_due()
    }

    /// Whether anything waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().order.is_empty()
    }

    /// What is known of a device, from what is stored: `stored` is asked after what waits was looked at, so that
    /// nothing that is being stored meanwhile is missed.
    pub fn with<E>(
        &self,
        device: DeviceNo,
        stored: impl FnOnce() -> Result<Vec<Reported>, E>,
    ) -> Result<Vec<Reported>, E> {
        let unstored = self.0.lock().of(device);
        if unstored.is_empty() {
            return stored();
        }
        let mut values = DeviceValues::new();
        for value in stored()?.into_iter().chain(unstored) {
            put(&mut values, value);
        }
        let known = values.into_iter().filter(|(_, (value, _))| value.is_some());
        Ok(known
            .map(|((kind, name), (value, at))| Reported { kind, name, value, at })
            .collect())
    }

    /// The latest moment of what a device has reported of a kind, if what is stored says `stored`.
    pub fn last(&self, device: DeviceNo, kind: ReportKind, stored: Option<Timestamp>) -> Option<Timestamp> {
        let unstored = self.0.lock().of(device);
        let moments = unstored
            .into_iter()
            .filter(|value| value.kind == kind && value.value.is_some());
        moments.map(|value| value.at).chain(stored).max()
    }
}

impl Waiting {
    fn take(&mut self, device: DeviceNo, value: Reported, now: Timestamp, full: &mut Option<ReportKind>) {
        let values = self.by_device.get(&device);
        let known = values.and_then(|values| values.get(&(value.kind, value.name.clone())));
        let before = known.map_or(0, |(known, _)| bytes(&value.name, known.as_ref()));
        let grown = cost(&value).saturating_sub(before);
        let of_kind = || {
            values.map_or(0, |values| {
                values.keys().filter(|(kind, _)| *kind == value.kind).count()
            })
        };
        // A name that is known may have a longer value now: what counts is what would wait with it.
        let too_large = grown > 0 && self.bytes + grown > WAITING_MAX_BYTES;
        let one_too_many = known.is_none() && (*full == Some(value.kind) || !too_large && of_kind() >= NAMES_MAX);
        if one_too_many {
            *full = Some(value.kind);
        }
        if too_large || one_too_many {
            self.leave_out();
            return;
        }
        self.put(device, value, now);
    }

    /// Has what came since stay.
    fn take_back(&mut self, device: DeviceNo, value: Reported, now: Timestamp) {
        let values = self.by_device.get(&device);
        if values.is_none_or(|values| !values.contains_key(&(value.kind, value.name.clone()))) {
            self.put(device, value, now);
        }
    }

    fn put(&mut self, device: DeviceNo, value: Reported, now: Timestamp) {
        let order = &mut self.order;
        let values = self.by_device.entry(device).or_insert_with(|| {
            order.push_back((now, device));
            DeviceValues::new()
        });
        let (before, after) = put(values, value);
        self.bytes = (self.bytes + after).saturating_sub(before);
    }

    fn leave_out(&mut self) {
        self.left_out += 1;
        if self.left_out.is_power_of_two() {
            tracing::warn!(
                left_out = self.left_out,
                "reported values are left out: there are too many"
            );
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let (since, _) = self.order.front()?;
        if self.bytes >= WAITING_MAX_BYTES / 2 {
            return Some(*since);
        }
        let moment = since.plus_ms(STORED_AFTER_MS);
        Some(Timestamp(next_multiple(moment.0, STORED_EVERY_MS)))
    }

    /// What is due leaves.
    fn take_due(&mut self, now: Timestamp, stopping: bool) {
        self.leaving.clear();
        let mut count = 0;
        while count < VALUES_PER_COMMIT && self.next_due().is_some_and(|due| stopping || due <= now) {
            let Some((_, device)) = self.order.pop_front() else {
                break;
            };
            let values = self.by_device.remove(&device).unwrap_or_default();
            count += values.len();
            let values = values
                .into_iter()
                .map(|((kind, name), (value, at))| Reported { kind, name, value, at });
            let values: Vec<Reported> = values.collect();
            self.bytes = self.bytes.saturating_sub(values.iter().map(cost).sum());
            self.leaving.push((device, values));
        }
    }

    /// What is not known to be stored of a device, the oldest first.
    fn of(&self, device: DeviceNo) -> Vec<Reported> {
        let leaving = self.leaving.iter().filter(|(of, _)| *of == device);
        let leaving = leaving.flat_map(|(_, values)| values.iter().cloned());
        let waiting = self.by_device.get(&device).into_iter().flatten();
        let waiting = waiting.map(|((kind, name), (value, at))| Reported {
            kind: *kind,
            name: name.clone(),
            value: value.clone(),
            at: *at,
        });
        leaving.chain(waiting).collect()
    }
}

/// Puts a value in, unless a later one is there; what the place cost before and costs now.
fn put(values: &mut DeviceValues, value: Reported) -> (usize, usize) {
    let after = cost(&value);
    let Reported { kind, name, value, at } = value;
    match values.entry((kind, name)) {
        Entry::Vacant(place) => {
            place.insert((value, at));
            (0, after)
        }
        Entry::Occupied(mut place) => {
            let (known, known_at) = place.get();
            if *known_at > at {
                return (0, 0);
            }
            let before = bytes(&place.key().1, known.as_ref());
            place.insert((value, at));
            (before, after)
        }
    }
}

fn cost(value: &Reported) -> usize {
    bytes(&value.name, value.value.as_ref())
}

fn bytes(name: &str, value: Option<&String>) -> usize {
    name.len() + value.map_or(0, String::len) + VALUE_BYTES
}

/// The least multiple that is not less.
fn next_multiple(number: i64, of: i64) -> i64 {
    number + (-number).rem_euclid(of)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DEVICE: DeviceNo = DeviceNo(1);
    const NOW: Timestamp = Timestamp(1_000_000);

    fn point(name: &str, value: Value, at: Option<i64>) -> Change {
        Change {
            kind: ReportKind::Measurepoint,
            name: name.to_owned(),
            value: Some(value),
            at,
        }
    }

    fn gone(name: &str) -> Change {
        Change {
            value: None,
            ..point(name, json!(0), None)
        }
    }

    fn stored(name: &str, value: &str, at: i64) -> Reported {
        Reported {
            kind: ReportKind::Measurepoint,
            name: name.to_owned(),
            value: Some(value.to_owned()),
            at: Timestamp(at),
        }
    }

    fn known(all: &LatestValues, rows: &[Reported]) -> Vec<(String, String, i64)> {
        let values = all.with(DEVICE, || Ok::<_, ()>(rows.to_vec())).unwrap();
        let shown = values.into_iter().map(|it| (it.name, it.value.unwrap(), it.at.0));
        shown.collect()
    }

    fn shown(name: &str, value: &str, at: i64) -> (String, String, i64) {
        (name.to_owned(), value.to_owned(), at)
    }

    fn values(write: Option<Write>) -> usize {
        match write {
            Some(Write::Report { values, .. }) => values.iter().map(|(_, values)| values.len()).sum(),
            Some(other) => panic!("{other:?}"),
            None => 0,
        }
    }

    #[test]
    fn the_newest_counts_whether_it_is_stored_or_waits() {
        let all = LatestValues::default();
        let reported = vec![point("a", json!(2), Some(50)), point("b", json!(2), None), gone("c")];
        all.take(DEVICE, reported, NOW);
        let rows = [
            stored("a", "1", 51),
            stored("b", "1", 40),
            stored("c", "1", 40),
            stored("d", "1", 40),
        ];
        let expected = [shown("a", "1", 51), shown("b", "2", NOW.0), shown("d", "1", 40)];
        assert_eq!(known(&all, &rows), expected);
        all.take(
            DEVICE,
            vec![point("a", json!(3), Some(52)), point("b", json!(3), Some(50))],
            NOW,
        );
        assert_eq!(known(&all, &rows)[..2], [shown("a", "3", 52), shown("b", "2", NOW.0)]);
        let last = |stored| all.last(DEVICE, ReportKind::Measurepoint, stored).map(|at| at.0);
        assert_eq!(
            (last(None), last(Some(Timestamp(NOW.0 + 1)))),
            (Some(NOW.0), Some(NOW.0 + 1))
        );
    }

    #[test]
    fn a_clock_that_was_wrong_once_hides_nothing_that_follows() {
        let all = LatestValues::default();
        all.take(DEVICE, vec![point("a", json!(1), Some(i64::MAX))], NOW);
        all.take(DEVICE, vec![point("a", json!(2), Some(NOW.0 + 5))], NOW.plus_ms(5));
        assert_eq!(known(&all, &[]), [shown("a", "2", NOW.0 + 5)]);
    }

    #[test]
    fn a_value_is_stored_once_however_often_it_is_said() {
        let all = LatestValues::default();
        for said in 0..100 {
            all.take(DEVICE, vec![point("a", json!(said), None)], NOW.plus_ms(said));
        }
        assert_eq!(values(all.due(NOW.plus_ms(STORED_AFTER_MS - 1), false)), 0);
        let due = all.next_due().unwrap();
        assert!(due.ms_since(NOW) <= STORED_AFTER_MS + STORED_EVERY_MS);
        assert_eq!(values(all.due(due, false)), 1);
        assert_eq!(
            known(&all, &[]),
            [shown("a", "99", NOW.0 + 99)],
            "it is not known to be stored yet"
        );
        all.stored();
        assert!(all.is_empty() && known(&all, &[]).is_empty() && all.next_due().is_none());
    }

    #[test]
    fn what_could_not_be_stored_waits_behind_what_has_come_since() {
        let all = LatestValues::default();
        all.take(
            DEVICE,
            vec![point("a", json!(1), None), point("b", json!(1), None)],
            NOW,
        );
        assert_eq!(values(all.due(NOW, true)), 2);
        all.take(DEVICE, vec![point("a", json!(2), None)], NOW);
        all.not_stored(NOW);
        assert_eq!(known(&all, &[]), [shown("a", "2", NOW.0), shown("b", "1", NOW.0)]);
        assert_eq!(values(all.due(NOW, true)), 2);
        all.stored();
        assert_eq!(all.0.lock().bytes, 0);
    }

    #[test]
    fn a_commit_carries_no_more_than_it_may() {
        let all = LatestValues::default();
        let devices = 3 * VALUES_PER_COMMIT as u64;
        for device in 0..devices {
            all.take(DeviceNo(device), vec![point("a", json!(1), None)], NOW);
        }
        for _ in 0..3 {
            assert_eq!(values(all.due(NOW, true)), VALUES_PER_COMMIT);
            all.stored();
        }
        assert!(all.is_empty());
    }

    #[test]
    fn what_one_device_may_have_waiting_has_an_end() {
        let all = LatestValues::default();
        for number in 0..2 * NAMES_MAX {
            all.take(DEVICE, vec![point(&number.to_string(), json!(1), None)], NOW);
        }
        assert_eq!(known(&all, &[]).len(), NAMES_MAX);
        let too_long = "x".repeat(VALUE_MAX_BYTES);
        all.take(DEVICE, vec![point("0", json!(too_long), None)], NOW);
        assert_eq!(known(&all, &[])[0], shown("0", "1", NOW.0));
        all.take(DEVICE, vec![point("0", json!(2), None)], NOW);
        assert_eq!(known(&all, &[])[0], shown("0", "2", NOW.0));
        all.take(
            DeviceNo(2),
            vec![point(&"n".repeat(NAME_MAX_BYTES + 1), json!(1), None)],
            NOW,
        );
        assert!(all.0.lock().of(DeviceNo(2)).is_empty());
    }

    #[test]
    fn what_all_devices_have_waiting_has_an_end_and_waits_no_longer_then() {
        let all = LatestValues::default();
        let long = "x".repeat(VALUE_MAX_BYTES - 2);
        let fit = WAITING_MAX_BYTES / VALUE_MAX_BYTES;
        for device in 0..2 * fit as u64 {
            all.take(DeviceNo(device), vec![point("a", json!(long), None)], NOW);
        }
        let kept = all.0.lock().by_device.len();
        assert!(kept < fit && all.0.lock().left_out > 0, "{kept}");
        assert_eq!(all.next_due(), Some(NOW), "nothing waits any longer");
    }

    #[test]
    fn known_names_whose_values_grow_do_not_exceed_what_may_wait() {
        let all = LatestValues::default();
        let report = |value: &str| {
            for device in 0..(WAITING_MAX_BYTES / (VALUE_BYTES + 3)) as u64 {
                all.take(DeviceNo(device), vec![point("a", json!(value), None)], NOW);
            }
        };
        report("");
        assert_eq!(all.0.lock().left_out, 0);
        report(&"x".repeat(VALUE_MAX_BYTES - 2));
        let waiting = all.0.lock();
        assert!(
            waiting.bytes <= WAITING_MAX_BYTES && waiting.left_out > 0,
            "{}",
            waiting.bytes
        );
    }
}
