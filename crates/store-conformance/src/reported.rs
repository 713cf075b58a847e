//! What devices have reported about themselves.

use aldis_core::ids::DeviceNo;
use aldis_core::reported::ReportKind;
use aldis_core::time::Timestamp;
use aldis_store::Write;
use aldis_store::rows::Reported;

use super::bench::Bench;

/// More than any case needs.
const NAMES_MAX: usize = 100;

fn value(kind: ReportKind, name: &str, value: &str, at: i64) -> Reported {
    Reported {
        kind,
        name: name.to_owned(),
        value: Some(value.to_owned()),
        at: Timestamp(at),
    }
}

fn point(name: &str, text: &str, at: i64) -> Reported {
    value(ReportKind::Measurepoint, name, text, at)
}

fn gone(name: &str, at: i64) -> Reported {
    Reported {
        value: None,
        ..point(name, "", at)
    }
}

fn report(bench: &mut Bench, device: DeviceNo, values: &[Reported], names_max: usize) {
    bench.done(Write::Report {
        values: vec![(device, values.to_vec())],
        names_max,
    });
}

pub fn the_latest_value_of_each_name_is_kept(bench: &mut Bench) {
    let [first, second] = bench.with_devices(&["d1", "d2"])[..] else {
        panic!("two devices")
    };
    let reported = [
        point("b", "1", 5),
        point("a", "2", 5),
        value(ReportKind::Tag, "a", "\"x\"", 7),
    ];
    report(bench, first, &reported, NAMES_MAX);
    let later = [
        point("a", "3", 4),
        point("b", "4", 5),
        gone("b", 4),
        value(ReportKind::Attribute, "a", "{}", 6),
    ];
    report(bench, first, &later, NAMES_MAX);
    let expected = [
        point("a", "2", 5),
        point("b", "4", 5),
        value(ReportKind::Attribute, "a", "{}", 6),
        value(ReportKind::Tag, "a", "\"x\"", 7),
    ];
    assert_eq!(bench.read().reported(first).unwrap(), expected);
    assert!(bench.read().reported(second).unwrap().is_empty());
    report(bench, first, &[gone("a", 5), gone("c", 9)], NAMES_MAX);
    assert_eq!(bench.read().reported(first).unwrap(), expected[1..]);
    let last = |bench: &mut Bench, kind| bench.read().last_reported(&[second, first], kind).unwrap();
    assert_eq!(last(bench, ReportKind::Measurepoint), [None, Some(Timestamp(5))]);
    assert_eq!(last(bench, ReportKind::Tag), [None, Some(Timestamp(7))]);
}

pub fn a_device_keeps_no_more_names_of_a_kind_than_it_may(bench: &mut Bench) {
    let device = bench.with_devices(&["d1"])[0];
    report(
        bench,
        device,
        &[point("a", "1", 1), point("b", "1", 1), point("c", "1", 1)],
        2,
    );
    report(
        bench,
        device,
        &[
            value(ReportKind::Tag, "c", "1", 1),
            point("b", "2", 2),
            point("d", "1", 3),
        ],
        2,
    );
    let expected = [
        point("a", "1", 1),
        point("b", "2", 2),
        value(ReportKind::Tag, "c", "1", 1),
    ];
    assert_eq!(bench.read().reported(device).unwrap(), expected);
    report(bench, device, &[gone("a", 4), point("d", "1", 4)], 2);
    assert_eq!(bench.read().reported(device).unwrap()[1], point("d", "1", 4));
}

pub fn what_a_device_reported_goes_with_it(bench: &mut Bench) {
    let [first, second] = bench.with_devices(&["d1", "d2"])[..] else {
        panic!("two devices")
    };
    for device in [first, second, DeviceNo(99)] {
        report(bench, device, &[point("a", "1", 1)], NAMES_MAX);
    }
    bench.delete_device(first);
    report(bench, first, &[point("a", "2", 2)], NAMES_MAX);
    for (device, names) in [(first, 0), (second, 1), (DeviceNo(99), 0)] {
        assert_eq!(bench.read().reported(device).unwrap().len(), names);
    }
}
