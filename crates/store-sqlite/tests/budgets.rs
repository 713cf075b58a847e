//! A search ends when its budget is over, and the next question on the same connection has all the time it needs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aldis_core::command::Qos;
use aldis_core::expression::{DeviceField, Filter, ModelField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::OrgId;
use aldis_core::time::Timestamp;
use aldis_store::rows::{Device, FoundModel, Model, NewDevice, Organization, Product, Secret};
use aldis_store::{Budget, Epoch, Error, Found, OnlineDevices, Page, ReadDevices, ReadRegistry, Store, Write};
use aldis_store_sqlite::{Options, SqliteReader, open};
use serde_json::json;
use tempfile::TempDir;

/// Enough that every search below takes more steps than are made between two looks at the budget.
const ROWS: usize = 500;
const ALL: Page = Page { skip: 0, take: 10 };

/// A store with devices and thing models, and its only connection for reading.
fn filled() -> (TempDir, SqliteReader) {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, reader) = open(dir.path(), &Options { key: None, readers: 1 }).unwrap();
    let mut writes = vec![Write::CreateOrganization(Organization {
        id: org(),
        name: String::new(),
        disabled: false,
        created: Timestamp(1),
    })];
    writes.extend((0..ROWS).map(|n| Write::CreateModel(model(n))));
    writes.push(Write::CreateProduct(product()));
    writes.push(Write::register((0..ROWS).map(device).collect()));
    store.commit(Epoch::SOLE, Timestamp(1), &writes).unwrap();
    (dir, reader)
}

fn org() -> OrgId {
    OrgId::from("o")
}

fn model(number: usize) -> Model {
    let id = format!("m{number}");
    Model {
        org: org(),
        id: id.as_str().into(),
        document: json!({"modelId": id, "name": {"defaultValue": id}}),
        created: Timestamp(1),
        updated: Timestamp(1),
    }
}

fn product() -> Product {
    Product {
        org: org(),
        key: "p".into(),
        name: I18nText::plain("p"),
        secret: Secret("s".to_owned()),
        desc: String::new(),
        gateway: false,
        json: true,
        tags: BTreeMap::new(),
        model: "m0".into(),
        dynamic_activation: false,
        certificates: false,
        gateway_registers: false,
        former_secret: None,
        command_qos: Qos::default(),
        created: Timestamp(1),
        created_by: None,
        updated: Timestamp(1),
        updated_by: None,
    }
}

fn device(number: usize) -> NewDevice {
    NewDevice {
        org: org(),
        product: "p".into(),
        key: format!("d{number}").as_str().into(),
        asset: format!("a{number}").as_str().into(),
        secret: Secret("s".to_owned()),
        name: I18nText::plain("device"),
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: BTreeMap::new(),
        tags: BTreeMap::from([("floor".to_owned(), number.to_string())]),
    }
}

fn devices(reader: &SqliteReader) -> Result<Found<Device>, Error> {
    let filter = Filter::<DeviceField>::parse("not deviceTags.floor = 'x' and not deviceName like 'y'").unwrap();
    reader.search_devices(&org(), Some(&filter), &OnlineDevices::default(), ALL)
}

fn models(reader: &SqliteReader) -> Result<Found<FoundModel>, Error> {
    let filter = Filter::<ModelField>::parse("modelId like 'm'").unwrap();
    reader.search_models(&org(), Some(&filter), ALL)
}

#[test]
fn search_whose_budget_is_over_is_given_up_and_leaves_the_connection_as_it_was() {
    let (_dir, reader) = filled();
    let spent = reader.within(Arc::new(Budget::new(Duration::ZERO)));
    assert!(matches!(devices(&spent), Err(Error::GivenUp)));
    assert!(matches!(models(&spent), Err(Error::GivenUp)));
    let unwanted = Arc::new(Budget::new(Duration::from_secs(600)));
    unwanted.give_up();
    assert!(matches!(devices(&reader.within(unwanted)), Err(Error::GivenUp)));
    let enough = reader.within(Arc::new(Budget::new(Duration::from_secs(600))));
    assert_eq!(devices(&enough).unwrap().total, ROWS as u64);
    assert_eq!(devices(&reader).unwrap().total, ROWS as u64);
    assert_eq!(models(&reader).unwrap().total, ROWS as u64);
}
