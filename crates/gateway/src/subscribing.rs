//! What a SUBSCRIBE says about the devices of a connection: which commands each can take from now on.
//!
//! A filter names its device, or with wildcards whole groups. One packet may hold thousands of filters, and a
//! connection hundreds of sub-devices: a filter that names its device is looked up, and only a few others are compared
//! with everybody.

use std::sync::Arc;
use std::time::Instant;

use aldis_core::ids::DeviceNo;
use aldis_protocol::subscription::{Coverage, coverage, named_service};

use super::connection_handle::Outbox;
use super::keys::Keys;
use super::members::{Members, SubDevice};
use super::warm_up::WarmUp;
use aldis_engine::link::{Kinds, SessionNo};

/// Filters for groups of devices that are compared with every sub-device: more of them in one packet than any program
/// needs.
const WIDE_FILTERS_MAX: usize = 16;
/// Filters of one packet that are looked at: several for each of the most sub-devices that are online. All are granted.
const FILTERS_MAX: usize = 4096;
/// Services named by one packet for one device that are looked at: more than any program has handlers for.
const SERVICES_MAX: usize = 64;
/// Levels in front of what belongs to a device: `/sys/{product key}/{device key}/`.
const ROOT_LEVELS: usize = 4;

/// What a device can take from now on: these kinds of command, if that is new, and those of these services.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) kinds: Option<Kinds>,
    pub(super) services: Vec<String>,
}

/// A sub-device that can take something from now on.
pub(super) type MemberReady = (SessionNo, DeviceNo, Ready);

/// What the filters say about the device that holds the connection, and about its sub-devices.
pub(super) fn subscribed<'f>(
    filters: impl Iterator<Item = &'f str> + Clone,
    (keys, warm_up): (&Keys, &mut WarmUp),
    outbox: &mut Outbox,
    now: Instant,
) -> (Ready, Vec<MemberReady>) {
    let filters = filters.take(FILTERS_MAX);
    let named = filters.clone().filter(|filter| root(filter) == Some(keys.root()));
    // A gateway that subscribes to all commands at once subscribes no more when a sub-device logs in.
    let mut one_by_one = covered(named, keys).any;
    let mut ready = Vec::new();
    if let Some(members) = outbox.members_mut() {
        one_by_one |= by_name(filters.clone(), members, &mut ready);
        by_group(filters.clone(), members, &mut ready);
    }
    outbox.note_subscription(one_by_one, now);
    (widened(warm_up, filters, keys), ready)
}

/// Whether one of the filters is for commands of a single sub-device.
fn by_name<'f>(filters: impl Iterator<Item = &'f str>, members: &mut Members, ready: &mut Vec<MemberReady>) -> bool {
    let mut any = false;
    for filter in filters {
        let member = root(filter).and_then(|root| members.of_root_mut(root));
        let Some(member) = member else { continue };
        any |= coverage(filter, member.keys.product(), member.keys.device()).any;
        note(member, std::iter::once(filter), ready);
    }
    any
}

fn by_group<'f>(filters: impl Iterator<Item = &'f str>, members: &mut Members, ready: &mut Vec<MemberReady>) {
    let wide: Vec<&str> = filters
        .filter(|filter| root(filter).is_none())
        .take(WIDE_FILTERS_MAX)
        .collect();
    if wide.is_empty() {
        return;
    }
    for member in members.unsettled_mut() {
        note(member, wide.iter().copied(), ready);
    }
}

fn note<'f>(member: &mut SubDevice, filters: impl Iterator<Item = &'f str> + Clone, ready: &mut Vec<MemberReady>) {
    let keys = Arc::clone(&member.keys);
    let widened = widened(&mut member.warm_up, filters, &keys);
    if widened != Ready::default() {
        ready.push((member.session, member.device, widened));
    }
}

/// What is new by these filters. Once a device has settled nothing is.
fn widened<'f>(warm_up: &mut WarmUp, filters: impl Iterator<Item = &'f str> + Clone, keys: &Keys) -> Ready {
    if warm_up.is_over() {
        return Ready::default();
    }
    let kinds = warm_up.subscribed(covered(filters.clone(), keys));
    let named = filters.filter_map(|filter| named_service(filter, keys.product(), keys.device()));
    Ready {
        kinds,
        services: named.take(SERVICES_MAX).map(str::to_owned).collect(),
    }
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
