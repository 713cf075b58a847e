//! Rows to try things with.

use std::collections::BTreeMap;

use aldis_core::command::Qos;
use aldis_core::i18n::I18nText;
use aldis_core::ids::DeviceNo;
use aldis_core::policy::{Policy, Retry};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Actor, Model, NewDevice, Organization, Product, Secret};
use aldis_store::{Done, Store, Write};
use aldis_store_memory::MemoryStore;

pub(super) const ORG: &str = "wind";
const MODEL: &str = "machine";
/// The product of all devices.
pub(super) const PRODUCT: &str = "turbine";
/// A second tenant.
pub(super) const OTHER_ORG: &str = "solar";
/// The product of its devices.
pub(super) const OTHER_PRODUCT: &str = "panel";
/// When a bench begins.
pub(super) const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
/// How long a device may take to reply, unless a test says otherwise.
pub(super) const REPLY_MS: i64 = 30_000;
/// A command waits this long for its device, where a test wants it to wait.
pub(super) const TTL_MS: i64 = 3_600_000;

/// Slots from before a start are held at least so long.
pub(super) const AFTER_START_MS: i64 = 5_000;

/// Nothing but the turn is waited for.
pub(super) const AT_ONCE: Policy = Policy {
    ttl_ms: 0,
    reply_timeout_ms: REPLY_MS,
    retry: None,
};
/// Waits for its device.
pub(super) const WAITING: Policy = Policy {
    ttl_ms: TTL_MS,
    ..AT_ONCE
};

/// Waits for its device, and is tried again `count` times, after `interval_ms` each.
pub(super) fn retrying(count: u8, interval_ms: i64) -> Policy {
    Policy {
        retry: Some(Retry { count, interval_ms }),
        ..WAITING
    }
}

/// Waits so long for its device.
pub(super) fn within(ttl_ms: i64) -> Policy {
    Policy { ttl_ms, ..AT_ONCE }
}

pub(super) fn by() -> Actor {
    Actor {
        app_key: None,
        address: None,
        request_id: "request".to_owned(),
    }
}

/// An organization, its product and `count` devices.
pub(super) fn register(store: &mut MemoryStore, devices: usize) -> Vec<DeviceNo> {
    let new = (0..devices).map(|number| new_device(&format!("d{number}"))).collect();
    let organization = Organization {
        id: ORG.into(),
        name: String::new(),
        disabled: false,
        created: BEGIN,
    };
    let model = Model {
        org: ORG.into(),
        id: MODEL.into(),
        document: serde_json::json!({}),
        created: BEGIN,
        updated: BEGIN,
    };
    let writes = [
        Write::CreateOrganization(organization),
        Write::CreateModel(model),
        Write::CreateProduct(product()),
        Write::register(new),
    ];
    let mut done = store.commit(store.epoch(), BEGIN, &writes).unwrap().done;
    match done.pop() {
        Some(Done::Devices(numbers)) => numbers.into_iter().map(Result::unwrap).collect(),
        other => panic!("no devices were registered: {other:?}"),
    }
}

/// Another organization with its own product and devices; their registration is the last write.
pub(super) fn another_organization(devices: usize) -> Vec<Write> {
    let organization = Organization {
        id: OTHER_ORG.into(),
        name: String::new(),
        disabled: false,
        created: BEGIN,
    };
    let model = Model {
        org: OTHER_ORG.into(),
        id: MODEL.into(),
        document: serde_json::json!({}),
        created: BEGIN,
        updated: BEGIN,
    };
    let product = Product {
        org: OTHER_ORG.into(),
        key: OTHER_PRODUCT.into(),
        ..product()
    };
    let device = |number| NewDevice {
        org: OTHER_ORG.into(),
        product: OTHER_PRODUCT.into(),
        ..new_device(&format!("other{number}"))
    };
    vec![
        Write::CreateOrganization(organization),
        Write::CreateModel(model),
        Write::CreateProduct(product),
        Write::register((0..devices).map(device).collect()),
    ]
}

fn product() -> Product {
    Product {
        org: ORG.into(),
        key: PRODUCT.into(),
        name: I18nText::plain("Turbine".to_owned()),
        secret: Secret(String::new()),
        desc: String::new(),
        gateway: false,
        json: true,
        tags: BTreeMap::new(),
        model: MODEL.into(),
        dynamic_activation: false,
        certificates: false,
        gateway_registers: false,
        former_secret: None,
        command_qos: Qos::default(),
        created: BEGIN,
        created_by: None,
        updated: BEGIN,
        updated_by: None,
    }
}

pub(super) fn new_device(key: &str) -> NewDevice {
    NewDevice {
        org: ORG.into(),
        product: PRODUCT.into(),
        key: key.into(),
        asset: format!("asset-{key}").as_str().into(),
        secret: Secret(String::new()),
        name: I18nText::plain(key.to_owned()),
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: BTreeMap::new(),
        tags: BTreeMap::new(),
    }
}
