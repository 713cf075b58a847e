//! What a SUBSCRIBE says about the devices of a connection: which commands each can take from now on.
//!
//! A filter names its device, or with wildcards whole groups. One packet may hold thousands of filters, and a connection
//! hundreds of sub-devices: a filter that names its device is looked up, and only a few others are compared with everybody.

use std::time::Instant;

use aldis_core::ids::DeviceNo;
use aldis_protocol::subscription::{Coverage, coverage};

use super::keys::Keys;
use super::line::Outward;
use super::members::{Member, Members};
use crate::link::{Kinds, SessionNo};

/// Filters for groups of devices that are compared with every sub-device: more of them in one packet than any program needs.
const WIDE_FILTERS_MAX: usize = 16;
/// Levels in front of what belongs to a device: `/sys/{product key}/{device key}/`.
const ROOT_LEVELS: usize = 4;

/// A sub-device that can take these kinds of command from now on.
pub(super) type Ready = (SessionNo, DeviceNo, Kinds);

/// What the filters cover of the device that holds the connection, and what they say about its sub-devices.
pub(super) fn subscribed<'f>(
    filters: impl Iterator<Item = &'f str> + Clone,
    keys: &Keys,
    outward: &mut Outward,
    now: Instant,
) -> (Coverage, Vec<Ready>) {
    let named = filters.clone().filter(|filter| root(filter) == Some(keys.root()));
    // Whoever asks for everybody's commands at once has no more to say when a sub-device logs in.
    let mut one_by_one = covered(named, keys).any;
    let mut ready = Vec::new();
    if let Some(members) = outward.members_mut() {
        one_by_one |= by_name(filters.clone(), members, &mut ready);
        by_group(filters.clone(), members, &mut ready);
    }
    outward.note_subscription(one_by_one, now);
    (covered(filters, keys), ready)
}

/// Whether one of the filters is for commands of a single sub-device.
fn by_name<'f>(filters: impl Iterator<Item = &'f str>, members: &mut Members, ready: &mut Vec<Ready>) -> bool {
    let mut any = false;
    for filter in filters {
        let member = root(filter).and_then(|root| members.of_root_mut(root));
        let Some(member) = member else { continue };
        let covers = coverage(filter, member.keys.product(), member.keys.device());
        any |= covers.any;
        ready.extend(widened(member, covers));
    }
    any
}

fn by_group<'f>(filters: impl Iterator<Item = &'f str>, members: &mut Members, ready: &mut Vec<Ready>) {
    let wide: Vec<&str> = filters
        .filter(|filter| root(filter).is_none())
        .take(WIDE_FILTERS_MAX)
        .collect();
    if wide.is_empty() {
        return;
    }
    for member in members.unsettled_mut() {
        let covers = covered(wide.iter().copied(), &member.keys);
        ready.extend(widened(member, covers));
    }
}

fn widened(member: &mut Member, coverage: Coverage) -> Option<Ready> {
    let kinds = member.settling.subscribed(coverage)?;
    Some((member.session, member.device, kinds))
}

/// What all topics of the one device begin with that a filter is for; `None` if it is for several.
fn root(filter: &str) -> Option<&str> {
    let (last, _) = filter.match_indices('/').nth(ROOT_LEVELS - 1)?;
    Some(&filter[..=last]).filter(|root| !root.contains(['+', '#']))
}

/// What filters cover of the device with these keys.
fn covered<'f>(filters: impl Iterator<Item = &'f str>, keys: &Keys) -> Coverage {
    filters
        .map(|filter| coverage(filter, keys.product(), keys.device()))
        .fold(Coverage::default(), |all, one| Coverage {
            services: all.services || one.services,
            points: all.points || one.points,
            any: all.any || one.any,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_for_one_device_or_for_several() {
        for filter in [
            "/sys/pk/dk/thing/service/+",
            "/sys/pk/dk/#",
            "/sys/pk/dk/",
            "/sys/pk/dk/+/set",
        ] {
            assert_eq!(root(filter), Some("/sys/pk/dk/"), "{filter}");
        }
        for filter in [
            "",
            "#",
            "/sys/#",
            "/sys/pk/+/thing/service/+",
            "/sys/+/dk/#",
            "/+/pk/dk/x",
            "/sys/pk/dk",
        ] {
            assert_eq!(root(filter), None, "{filter}");
        }
    }
}
