//! Devices under gateways: added, moved, removed, found.

use aldis_core::expression::Filter;
use aldis_core::ids::DeviceNo;
use aldis_store::{Done, Page, Refusal, Write};

use super::bench::{ALL, Bench};
use super::sample::{OTHER_ORG, OTHER_PRODUCT, new_device};

/// More than any case needs.
const MOST: usize = 100;

fn add(gateway: DeviceNo, devices: &[DeviceNo]) -> Write {
    Write::AddSubDevices {
        gateway,
        devices: devices.to_vec(),
        moves: false,
        most: MOST,
    }
}

fn take_over(gateway: DeviceNo, devices: &[DeviceNo]) -> Write {
    Write::AddSubDevices {
        gateway,
        devices: devices.to_vec(),
        moves: true,
        most: MOST,
    }
}

fn remove(gateway: DeviceNo, devices: &[DeviceNo]) -> Write {
    Write::RemoveSubDevices {
        gateway,
        devices: devices.to_vec(),
    }
}

fn under(bench: &mut Bench, gateway: DeviceNo) -> Vec<DeviceNo> {
    bench.read().sub_devices(gateway).unwrap()
}

pub fn a_device_is_under_one_gateway_at_most(bench: &mut Bench) {
    let [first, second, a, b] = bench.with_devices(&["g1", "g2", "a", "b"])[..] else {
        panic!("four devices")
    };
    bench.done(add(first, &[b, a, b]));
    bench.done(add(first, &[a]));
    assert_eq!(under(bench, first), [a, b]);
    bench.refused(add(second, &[a]), Refusal::InUse);
    assert_eq!(
        bench.read().gateways_of(&[b, second, a, DeviceNo(99)]).unwrap(),
        [Some(first), None, Some(first), None]
    );
    bench.done(take_over(second, &[a]));
    assert_eq!((under(bench, first), under(bench, second)), (vec![b], vec![a]));
}

pub fn sub_devices_are_removed_from_their_own_gateway(bench: &mut Bench) {
    let [first, second, a, b] = bench.with_devices(&["g1", "g2", "a", "b"])[..] else {
        panic!("four devices")
    };
    bench.done(add(first, &[a, b]));
    bench.refused(remove(second, &[a]), Refusal::Missing);
    bench.refused(remove(first, &[a, second]), Refusal::Missing);
    assert_eq!(under(bench, first), [a, b], "a refused removal removes nothing");
    bench.done(remove(first, &[a, a]));
    bench.refused(remove(first, &[a]), Refusal::Missing);
    bench.done(remove(first, &[]));
    assert_eq!(under(bench, first), [b]);
}

pub fn a_gateway_has_no_more_sub_devices_than_it_may(bench: &mut Bench) {
    let [gateway, a, b, c] = bench.with_devices(&["g", "a", "b", "c"])[..] else {
        panic!("four devices")
    };
    let at_most_two = |devices: &[DeviceNo]| Write::AddSubDevices {
        gateway,
        devices: devices.to_vec(),
        moves: false,
        most: 2,
    };
    bench.done(at_most_two(&[a, b]));
    bench.done(at_most_two(&[b, a]));
    bench.refused(at_most_two(&[c]), Refusal::Full);
    assert_eq!(under(bench, gateway), [a, b]);
    // Within a commit every write counts what those before it have done.
    let one_by_one = [
        remove(gateway, &[a, b]),
        at_most_two(&[c]),
        at_most_two(&[c]),
        at_most_two(&[a]),
        at_most_two(&[b]),
        remove(gateway, &[c]),
        at_most_two(&[b]),
    ];
    let done = bench.commit(&one_by_one);
    let full = Done::Refused(Refusal::Full);
    let expected = [Done::Yes, Done::Yes, Done::Yes, Done::Yes, full, Done::Yes, Done::Yes];
    assert_eq!(done, expected);
    assert_eq!(under(bench, gateway), [a, b]);
}

pub fn topology_needs_devices_of_one_organization(bench: &mut Bench) {
    let [gateway, device, gone] = bench.with_devices(&["g", "d", "x"])[..] else {
        panic!("three devices")
    };
    let foreign = bench.register(vec![new_device(OTHER_ORG, OTHER_PRODUCT, "d")])[0];
    bench.delete_device(gone);
    for wrong in [foreign, gone, DeviceNo(99)] {
        bench.refused(add(gateway, &[device, wrong]), Refusal::Missing);
        bench.refused(add(wrong, &[device]), Refusal::Missing);
    }
    assert_eq!(under(bench, gateway), []);
}

pub fn topology_ends_with_either_device_and_survives_the_rest(bench: &mut Bench) {
    let [gateway, other, a, b, c] = bench.with_devices(&["g1", "g2", "a", "b", "c"])[..] else {
        panic!("five devices")
    };
    bench.done(add(gateway, &[a, b]));
    bench.done(add(other, &[c]));
    bench.disable(a, true);
    bench.disable(gateway, true);
    bench.reopen();
    assert_eq!(under(bench, gateway), [a, b]);
    bench.delete_device(a);
    assert_eq!(under(bench, gateway), [b]);
    bench.delete_device(gateway);
    assert_eq!(bench.read().gateways_of(&[a, b, c]).unwrap(), [None, None, Some(other)]);
    bench.done(add(other, &[b]));
}

pub fn sub_devices_are_searched_like_devices(bench: &mut Bench) {
    let [gateway, a, b, c] = bench.with_devices(&["g", "a", "b", "c"])[..] else {
        panic!("four devices")
    };
    bench.done(add(gateway, &[a, b, c]));
    bench.sessions.come(b);
    let numbers = |bench: &mut Bench, expression: Option<&str>, page| {
        let filter = expression.map(|text| Filter::parse(text).unwrap());
        let online = bench.online();
        let found = bench
            .read()
            .search_sub_devices(gateway, filter.as_ref(), &online, page)
            .unwrap();
        let rows: Vec<DeviceNo> = found.rows.iter().map(|device| device.no).collect();
        (rows, found.total)
    };
    assert_eq!(numbers(bench, None, ALL), (vec![c, b, a], 3));
    assert_eq!(numbers(bench, None, Page { skip: 1, take: 1 }), (vec![b], 3));
    assert_eq!(numbers(bench, None, Page { skip: 0, take: 0 }), (vec![], 3));
    assert_eq!(numbers(bench, Some("status = 'online'"), ALL), (vec![b], 1));
    assert_eq!(
        numbers(bench, Some("deviceKey in ('a', 'c', 'g')"), ALL),
        (vec![c, a], 2)
    );
}
