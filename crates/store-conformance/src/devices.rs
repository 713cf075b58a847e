//! Devices: registered, found, changed, deleted, replaced, seen.

use std::collections::BTreeMap;

use aldis_core::i18n::I18nText;
use aldis_core::ids::DeviceNo;
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Device, DeviceChange, ProductChange, Registrar, Secret};
use aldis_store::{DeviceFacts, DeviceRef, Done, Refusal, Write};
use serde_json::json;

use super::bench::{Bench, delete, disable};
use super::sample::{self, ORG, OTHER_ORG, OTHER_PRODUCT, PRODUCT, device_job, new_device, texts};

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
        former_secret: None,
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
    assert_eq!(bench.one(Write::register(batch)), Done::Devices(expected));
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
        change: DeviceChange {
            name: Some(I18nText::plain("changed")),
            desc: Some(String::new()),
            timezone: Some("+09:00".to_owned()),
            attributes: Some(BTreeMap::from([("new".to_owned(), json!(false))])),
            tags: Some(texts(&[("a", "b")])),
        },
    };
    bench.done(change(no));
    let mut expected = before;
    expected.is.name = I18nText::plain("changed");
    expected.is.desc = String::new();
    "+09:00".clone_into(&mut expected.is.timezone);
    expected.is.attributes = BTreeMap::from([("new".to_owned(), json!(false))]);
    expected.is.tags = texts(&[("a", "b")]);
    expected.updated = bench.now;
    assert_eq!(bench.device(no), expected);
    bench.refused(change(DeviceNo(99)), Refusal::Missing);
    bench.delete_device(no);
    bench.refused(change(no), Refusal::Missing);
}

pub fn device_changes_of_different_parts_both_last(bench: &mut Bench) {
    let no = bench.with_devices(&["d1"])[0];
    let mut expected = bench.device(no);
    let change = |change| Write::UpdateDevice { device: no, change };
    let name = DeviceChange {
        name: Some(I18nText::plain("changed")),
        ..DeviceChange::default()
    };
    let desc = DeviceChange {
        desc: Some("changed".to_owned()),
        ..DeviceChange::default()
    };
    let timezone = DeviceChange {
        timezone: Some("+09:00".to_owned()),
        ..DeviceChange::default()
    };
    let attributes = DeviceChange {
        attributes: Some(BTreeMap::new()),
        ..DeviceChange::default()
    };
    let tags = DeviceChange {
        tags: Some(BTreeMap::new()),
        ..DeviceChange::default()
    };
    let none = DeviceChange::default();
    let done = bench.commit(&[name, desc, timezone, attributes, tags, none].map(change));
    assert!(done.iter().all(|done| *done == Done::Yes), "{done:?}");
    expected.is.name = I18nText::plain("changed");
    "changed".clone_into(&mut expected.is.desc);
    "+09:00".clone_into(&mut expected.is.timezone);
    (expected.is.attributes, expected.is.tags) = (BTreeMap::new(), BTreeMap::new());
    expected.updated = bench.now;
    assert_eq!(bench.device(no), expected);
}

pub fn a_product_has_no_more_devices_than_it_may(bench: &mut Bench) {
    let first = bench.with_devices(&["d1", "d2"])[0];
    let register = |keys: &[&str]| Write::CreateDevices {
        devices: keys.iter().map(|key| new_device(ORG, PRODUCT, key)).collect(),
        most: Some(3),
        registrar: None,
    };
    let other = Write::CreateDevices {
        devices: vec![new_device(OTHER_ORG, OTHER_PRODUCT, "d1")],
        most: Some(1),
        registrar: None,
    };
    let done = bench.commit(&[register(&["d2", "d3", "d4"]), register(&["d5"]), other]);
    let (taken, full) = (Err(Refusal::Taken), Err(Refusal::Full));
    let expected = [vec![taken, Ok(DeviceNo(3)), full], vec![full], vec![Ok(DeviceNo(4))]];
    assert_eq!(done, expected.map(Done::Devices));
    bench.delete_device(first);
    assert_eq!(
        bench.one(register(&["d4", "d5"])),
        Done::Devices(vec![Ok(DeviceNo(5)), full])
    );
}

/// Registers devices of the usual product through a gateway that may have two.
fn through(gateway: DeviceNo, keys: &[&str]) -> Write {
    Write::CreateDevices {
        devices: keys.iter().map(|key| new_device(ORG, PRODUCT, key)).collect(),
        most: None,
        registrar: Some(Registrar { gateway, most: 2 }),
    }
}

fn let_gateways_register(bench: &mut Bench, allowed: bool) {
    bench.done(Write::UpdateProduct {
        org: ORG.into(),
        key: PRODUCT.into(),
        change: ProductChange {
            gateway_registers: Some(allowed),
            ..ProductChange::default()
        },
        by: None,
    });
}

pub fn a_gateway_registers_where_the_product_lets_it_and_has_them_under_it(bench: &mut Bench) {
    let gateway = bench.with_devices(&["gateway"])[0];
    let missing = Done::Devices(vec![Err(Refusal::Missing)]);
    assert_eq!(bench.one(through(gateway, &["d1"])), missing, "it is off at first");
    let_gateways_register(bench, true);
    assert_eq!(bench.one(through(DeviceNo(99), &["d1"])), missing);
    let foreign = bench.register(vec![new_device(OTHER_ORG, OTHER_PRODUCT, "gateway")])[0];
    assert_eq!(bench.one(through(foreign, &["d1"])), missing);
    let registered = DeviceNo(3);
    assert_eq!(
        bench.one(through(gateway, &["d1"])),
        Done::Devices(vec![Ok(registered)])
    );
    assert_eq!(bench.read().sub_devices(gateway).unwrap(), [registered]);
    let_gateways_register(bench, false);
    assert_eq!(bench.one(through(gateway, &["d2"])), missing);
    bench.delete_device(gateway);
    let_gateways_register(bench, true);
    assert_eq!(bench.one(through(gateway, &["d2"])), missing);
}

pub fn a_gateway_registers_no_gateways(bench: &mut Bench) {
    let gateway = bench.with_devices(&["gateway"])[0];
    let product = aldis_store::rows::Product {
        gateway: true,
        gateway_registers: true,
        ..sample::product(ORG, "boxes")
    };
    bench.done(Write::CreateProduct(product));
    let write = Write::CreateDevices {
        devices: vec![new_device(ORG, "boxes", "d1")],
        most: None,
        registrar: Some(Registrar { gateway, most: 9 }),
    };
    assert_eq!(bench.one(write), Done::Devices(vec![Err(Refusal::Missing)]));
}

pub fn a_gateway_registers_no_more_devices_than_it_may(bench: &mut Bench) {
    let gateway = bench.with_devices(&["gateway"])[0];
    let_gateways_register(bench, true);
    let done = bench.commit(&[through(gateway, &["d1"]), through(gateway, &["gateway", "d2", "d3"])]);
    let (first, second) = (DeviceNo(2), DeviceNo(3));
    let expected = [
        vec![Ok(first)],
        vec![Err(Refusal::Taken), Ok(second), Err(Refusal::Full)],
    ];
    assert_eq!(done, expected.map(Done::Devices));
    let full = Done::Devices(vec![Err(Refusal::Full)]);
    bench.done(Write::RemoveSubDevices {
        gateway,
        devices: vec![first, second],
    });
    assert_eq!(
        bench.one(through(gateway, &["d3"])),
        full,
        "they are its own, wherever they are"
    );
    bench.delete_device(first);
    assert_eq!(
        bench.one(through(gateway, &["d3"])),
        Done::Devices(vec![Ok(DeviceNo(4))])
    );
    bench.delete_device(second);
    let others = bench.devices(&["d4"]);
    bench.done(Write::AddSubDevices {
        gateway,
        devices: others,
        moves: false,
        most: 2,
    });
    assert_eq!(bench.one(through(gateway, &["d5"])), full, "no more can be under it");
}

pub fn a_replaced_secret_of_a_device_is_good_until_its_grace_ends(bench: &mut Bench) {
    let no = bench.with_devices(&["d1"])[0];
    let rotate = |secret: &str, former_until| Write::RotateDeviceSecret {
        device: no,
        secret: secret.into(),
        former_until,
    };
    let first = bench.device(no).is.secret;
    let until = bench.now.plus_ms(60_000);
    bench.done(rotate("second", Some(until)));
    let device = bench.device(no);
    let good = |device: &Device, now| -> Vec<Secret> { device.secrets_at(now).cloned().collect() };
    assert_eq!(good(&device, until.plus_ms(-1)), ["second".into(), first]);
    assert_eq!(good(&device, until), ["second".into()]);
    assert_eq!(device.updated, bench.now);
    bench.done(rotate("third", Some(until)));
    assert_eq!(good(&bench.device(no), bench.now), ["third".into(), "second".into()]);
    bench.done(rotate("fourth", None));
    assert_eq!(good(&bench.device(no), bench.now), ["fourth".into()]);
    bench.delete_device(no);
    bench.refused(rotate("fifth", None), Refusal::Missing);
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
    assert_eq!(bench.job(job).range.allocated, 1);
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
