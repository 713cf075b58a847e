//! Devices: registered, found, changed, deleted, replaced, seen.

use std::collections::BTreeMap;

use aldis_core::i18n::I18nText;
use aldis_core::ids::DeviceNo;
use aldis_core::time::Timestamp;
use serde_json::json;

use super::bench::{Bench, delete, disable};
use super::sample::{self, ORG, OTHER_ORG, OTHER_PRODUCT, PRODUCT, device_job, new_device, texts};
use crate::rows::{Activity, Device};
use crate::{DeviceFacts, DeviceRef, Done, Refusal, Write};

fn keys(key: &str) -> DeviceRef {
    DeviceRef::Keys(PRODUCT.into(), key.into())
}

pub fn a_device_comes_back_as_registered(bench: &mut Bench) {
    bench.found();
    let mut new = new_device(ORG, PRODUCT, "d1");
    new.attributes = BTreeMap::from([
        ("text".to_owned(), json!("t")),
        ("float".to_owned(), json!(0.1)),
        ("null".to_owned(), json!(null)),
        ("object".to_owned(), json!({"a": [true]})),
    ]);
    let no = bench.register(vec![new.clone()])[0];
    let expected = Device {
        no,
        is: new,
        disabled: false,
        deleted: false,
        created: bench.now,
        updated: bench.now,
        activated: None,
        last_online: None,
        last_offline: None,
    };
    assert_eq!(no, DeviceNo(1));
    assert_eq!(bench.device(no), expected);
}

pub fn every_device_of_a_batch_has_an_answer_of_its_own(bench: &mut Bench) {
    bench.with_devices(&["d1"]);
    let mut same_asset = new_device(ORG, PRODUCT, "d3");
    same_asset.asset = new_device(ORG, PRODUCT, "d2").asset;
    let batch = vec![
        new_device(ORG, PRODUCT, "d1"),
        new_device(ORG, PRODUCT, "d2"),
        new_device(ORG, PRODUCT, "d2"),
        same_asset,
        new_device(ORG, OTHER_PRODUCT, "d4"),
        new_device(ORG, "unknown", "d4"),
        new_device(OTHER_ORG, OTHER_PRODUCT, "d1"),
    ];
    let expected = vec![
        Err(Refusal::Taken),
        Ok(DeviceNo(2)),
        Err(Refusal::Taken),
        Err(Refusal::AssetTaken),
        Err(Refusal::Missing),
        Err(Refusal::Missing),
        Ok(DeviceNo(3)),
    ];
    assert_eq!(bench.one(Write::CreateDevices(batch)), Done::Devices(expected));
}

pub fn devices_are_found_in_the_order_asked_for(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let refs = [
        DeviceRef::Asset(new_device(ORG, PRODUCT, "d2").asset),
        keys("unknown"),
        keys("d1"),
        DeviceRef::No(devices[1]),
        DeviceRef::No(DeviceNo(99)),
        DeviceRef::Asset("unknown".into()),
        keys("d1"),
    ];
    let found = bench.read().devices(&refs).unwrap();
    let numbers: Vec<Option<DeviceNo>> = found.iter().map(|found| found.as_ref().map(|it| it.no)).collect();
    let (first, second) = (Some(devices[0]), Some(devices[1]));
    assert_eq!(numbers, [second, None, first, second, None, None, first]);
}

pub fn a_change_replaces_what_an_operator_may_change(bench: &mut Bench) {
    let no = bench.with_devices(&["d1"])[0];
    let before = bench.device(no);
    let change = |device| Write::UpdateDevice {
        device,
        name: I18nText::plain("changed"),
        desc: String::new(),
        attributes: BTreeMap::from([("new".to_owned(), json!(false))]),
        tags: texts(&[("a", "b")]),
    };
    bench.done(change(no));
    let mut expected = before;
    expected.is.name = I18nText::plain("changed");
    expected.is.desc = String::new();
    expected.is.attributes = BTreeMap::from([("new".to_owned(), json!(false))]);
    expected.is.tags = texts(&[("a", "b")]);
    expected.updated = bench.now;
    assert_eq!(bench.device(no), expected);
    bench.refused(change(DeviceNo(99)), Refusal::Missing);
    bench.delete_device(no);
    bench.refused(change(no), Refusal::Missing);
}

pub fn disabling_twice_changes_nothing(bench: &mut Bench) {
    let no = bench.with_devices(&["d1"])[0];
    bench.refused(disable(no, false), Refusal::Unchanged);
    bench.disable(no, true);
    assert!(bench.device(no).disabled);
    assert_eq!(bench.device(no).updated, bench.now);
    bench.refused(disable(no, true), Refusal::Unchanged);
    bench.disable(no, false);
    assert!(!bench.device(no).disabled);
    bench.refused(disable(DeviceNo(99), true), Refusal::Missing);
    bench.delete_device(no);
    bench.refused(disable(no, true), Refusal::Missing);
}

pub fn a_deleted_device_is_found_by_number_alone(bench: &mut Bench) {
    let no = bench.with_devices(&["d1"])[0];
    let asset = bench.device(no).is.asset;
    bench.delete_device(no);
    let refs = [keys("d1"), DeviceRef::Asset(asset), DeviceRef::No(no)];
    let found = bench.read().devices(&refs).unwrap();
    assert_eq!((&found[0], &found[1]), (&None, &None));
    assert!(found[2].as_ref().unwrap().deleted);
    bench.refused(delete(no), Refusal::Missing);
    bench.refused(delete(DeviceNo(99)), Refusal::Missing);
}

pub fn keys_of_a_deleted_device_name_another_device(bench: &mut Bench) {
    let old = bench.with_devices(&["d1"])[0];
    let (job, tasks) = bench.running(device_job(&[old]));
    bench.delete_device(old);
    let new = bench.devices(&["d1"])[0];
    assert_ne!(new, old);
    let found = bench.read().devices(&[keys("d1"), DeviceRef::No(old)]).unwrap();
    assert_eq!(found[0].as_ref().unwrap().no, new);
    assert!(found[1].as_ref().unwrap().deleted);
    assert_eq!(bench.read().waiting(new).unwrap(), []);
    assert_eq!(bench.read().queued(&[new]).unwrap(), [vec![]]);
    assert_eq!(bench.task(tasks[0]).device, old);
    assert_eq!(bench.job(job).allocated, 1);
    bench.delete_device(new);
    assert_eq!(bench.devices(&["d1"]), [DeviceNo(new.0 + 1)], "a second time as well");
}

pub fn a_replaced_device_keeps_number_and_asset(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    let replace = |device, key: &str| Write::ReplaceDevice {
        device,
        key: key.into(),
        by: sample::by(),
    };
    let mut expected = bench.device(devices[0]);
    bench.refused(replace(devices[0], "d2"), Refusal::Taken);
    assert_eq!(bench.device(devices[0]), expected);
    bench.done(replace(devices[0], "d3"));
    expected.is.key = "d3".into();
    expected.updated = bench.now;
    let found = bench.read().devices(&[keys("d1"), keys("d3")]).unwrap();
    assert_eq!(found, [None, Some(expected)]);
    assert_eq!(bench.devices(&["d1x"]), [DeviceNo(3)]);
    bench.refused(replace(DeviceNo(99), "d4"), Refusal::Missing);
    bench.delete_device(devices[1]);
    bench.refused(replace(devices[1], "d4"), Refusal::Missing);
    bench.done(replace(devices[0], "d2"));
}

pub fn the_first_login_activates(bench: &mut Bench) {
    let no = bench.with_devices(&["d1"])[0];
    let updated = bench.device(no).updated;
    let seen = |device, online: Option<i64>, offline: Option<i64>| Activity {
        device,
        online: online.map(Timestamp),
        offline: offline.map(Timestamp),
    };
    let moments = |bench: &mut Bench| {
        let device = bench.device(no);
        [device.activated, device.last_online, device.last_offline].map(|moment| moment.map(|moment| moment.0))
    };
    bench.done(Write::Activity(vec![
        seen(DeviceNo(99), Some(1), None),
        seen(no, None, None),
    ]));
    assert_eq!(moments(bench), [None, None, None]);
    bench.done(Write::Activity(vec![
        seen(no, Some(1_000), None),
        seen(no, None, Some(2_000)),
        seen(no, Some(3_000), None),
    ]));
    assert_eq!(moments(bench), [Some(1_000), Some(3_000), Some(2_000)]);
    bench.done(Write::Activity(vec![seen(no, Some(5_000), Some(4_000))]));
    assert_eq!(moments(bench), [Some(1_000), Some(5_000), Some(4_000)]);
    assert_eq!(bench.device(no).updated, updated, "no operator changed it");
    bench.delete_device(no);
    bench.done(Write::Activity(vec![seen(no, Some(7_000), Some(8_000))]));
    assert_eq!(moments(bench), [Some(1_000), Some(5_000), Some(4_000)]);
}

pub fn sessions_that_were_open_end_together(bench: &mut Bench) {
    let devices = bench.with_devices(&["never", "left", "online", "back", "later", "deleted"]);
    let seen = |index: usize, online: i64, offline: Option<i64>| Activity {
        device: devices[index],
        online: Some(Timestamp(online)),
        offline: offline.map(Timestamp),
    };
    bench.done(Write::Activity(vec![
        seen(1, 1_000, Some(1_000)),
        seen(2, 1_000, None),
        seen(3, 2_000, Some(1_999)),
        seen(4, 6_000, Some(1_000)),
        seen(5, 1_000, None),
    ]));
    bench.delete_device(devices[5]);
    let updated = bench.device(devices[2]).updated;
    for _ in 0..2 {
        bench.done(Write::EndSessions { at: Timestamp(5_000) });
        let ends: Vec<Option<i64>> = devices
            .iter()
            .map(|no| bench.device(*no).last_offline.map(|moment| moment.0))
            .collect();
        assert_eq!(ends, [None, Some(1_000), Some(5_000), Some(5_000), Some(6_000), None]);
    }
    assert_eq!(bench.device(devices[2]).updated, updated, "no operator changed it");
}

pub fn facts_tell_the_engine_what_it_needs(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    bench.done(Write::Activity(vec![Activity {
        device: devices[0],
        online: Some(Timestamp(1_000)),
        offline: Some(Timestamp(2_000)),
    }]));
    bench.disable(devices[0], true);
    bench.delete_device(devices[1]);
    let asked = [devices[1], DeviceNo(99), devices[0]];
    let facts = bench.read().device_facts(&asked).unwrap();
    let first = DeviceFacts {
        device: devices[0],
        deleted: false,
        disabled: true,
        activated: true,
        last_offline: Some(Timestamp(2_000)),
    };
    let second = DeviceFacts {
        device: devices[1],
        deleted: true,
        disabled: false,
        activated: false,
        last_offline: None,
    };
    assert_eq!(facts, [Some(second), None, Some(first)]);
}
