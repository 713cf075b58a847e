//! Rows to try things with.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aldis_core::command::{Command, Qos};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, OrgId, ProductKey};
use aldis_core::policy::{Policy, Retry};
use aldis_core::task::{Condition, Presence, Reply, Visits};
use aldis_core::time::Timestamp;
use aldis_store::rows::{
    AccessKey, Actor, Idempotency, JobText, Model, NewDevice, NewJob, Organization, Product, Role, Secret, TargetEntry,
    TargetScope,
};
use serde_json::json;

/// The organization that most cases live in.
pub(super) const ORG: &str = "wind";
/// Its product.
pub(super) const PRODUCT: &str = "wind-turbine";
/// Another organization.
pub(super) const OTHER_ORG: &str = "solar";
/// The other organization's product.
pub(super) const OTHER_PRODUCT: &str = "solar-panel";
/// The thing model of both, each with its own.
pub(super) const MODEL: &str = "machine";

pub(super) fn org() -> OrgId {
    OrgId::from(ORG)
}

pub(super) fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn by() -> Actor {
    Actor {
        app_key: Some("console".into()),
        address: Some(IpAddr::from([192, 0, 2, 7])),
        request_id: "request-1".to_owned(),
    }
}

pub(super) fn organization(id: &str) -> Organization {
    Organization {
        id: id.into(),
        name: format!("The {id} company"),
        disabled: false,
        created: Timestamp(1_700_000_000_000),
    }
}

pub(super) fn access_key(org: &str, key: &str) -> AccessKey {
    AccessKey {
        app_key: key.into(),
        secret: Secret(format!("secret of {key}")),
        org: org.into(),
        role: Role::Operator,
        name: format!("key {key}"),
        disabled: false,
        created: Timestamp(1_700_000_000_001),
    }
}

pub(super) fn model(org: &str, id: &str) -> Model {
    Model {
        org: org.into(),
        id: id.into(),
        document: json!({"modelId": id, "name": {"defaultValue": format!("Model {id}")}, "tags": {"kind": id}}),
        created: Timestamp(1_700_000_000_002),
        updated: Timestamp(1_700_000_000_002),
    }
}

pub(super) fn product(org: &str, key: &str) -> Product {
    Product {
        org: org.into(),
        key: key.into(),
        name: I18nText::plain(format!("Product {key}")),
        secret: Secret(format!("secret of {key}")),
        former_secret: None,
        desc: "stands in the wind".to_owned(),
        gateway: false,
        json: true,
        tags: texts(&[("site", "north")]),
        model: MODEL.into(),
        dynamic_activation: true,
        certificates: false,
        gateway_registers: false,
        command_qos: Qos::default(),
        created: Timestamp(1_700_000_000_003),
        created_by: Some("console".into()),
        updated: Timestamp(1_700_000_000_004),
        updated_by: None,
    }
}

pub(super) fn new_device(org: &str, product: &str, key: &str) -> NewDevice {
    NewDevice {
        org: org.into(),
        product: product.into(),
        key: key.into(),
        asset: format!("asset-{product}-{key}").as_str().into(),
        secret: Secret(format!("secret of {product} {key}")),
        name: I18nText {
            default_value: format!("Device {key}"),
            i18n_value: texts(&[("zh_CN", "设备")]),
        },
        desc: "näher am Meer".to_owned(),
        timezone: "+08:00".to_owned(),
        attributes: BTreeMap::from([
            ("power".to_owned(), json!(1500)),
            ("path".to_owned(), json!(["a", 1.5])),
        ]),
        tags: texts(&[("floor", "3")]),
    }
}

pub(super) fn policy() -> Policy {
    Policy {
        ttl_ms: 3_600_000,
        reply_timeout_ms: 30_000,
        retry: None,
    }
}

pub(super) fn retrying() -> Policy {
    let retry = Retry {
        count: 3,
        interval_ms: 60_000,
    };
    Policy {
        retry: Some(retry),
        ..policy()
    }
}

/// A job for these devices, due at once.
pub(super) fn device_job(devices: &[DeviceNo]) -> NewJob {
    let entry = TargetEntry {
        asset: None,
        product: Some(PRODUCT.to_owned()),
        device: Some("as named".to_owned()),
    };
    NewJob {
        devices: Some(devices.to_vec()),
        ..job(ORG, TargetScope::Devices(vec![entry; devices.len()]))
    }
}

/// A single command for this device, due at once.
pub(super) fn single_command(device: DeviceNo) -> NewJob {
    let entry = TargetEntry {
        asset: None,
        product: Some(PRODUCT.to_owned()),
        device: Some("as named".to_owned()),
    };
    NewJob {
        devices: Some(vec![device]),
        ..job(ORG, TargetScope::Single(entry))
    }
}

/// A job for all devices of these products, due at once.
pub(super) fn product_job(products: &[&str]) -> NewJob {
    let entry = |key: &&str| TargetEntry {
        asset: None,
        product: Some((*key).to_owned()),
        device: None,
    };
    let scope = TargetScope::Products {
        products: products.iter().map(|key| ProductKey::from(*key)).collect(),
        entries: products.iter().map(entry).collect(),
    };
    job(ORG, scope)
}

fn job(org: &str, targets: TargetScope) -> NewJob {
    let input = json!({"speed": 12.5, "mode": "eco"});
    NewJob {
        org: org.into(),
        text: JobText {
            name: I18nText::plain("Speed up"),
            desc: "for the storm".to_owned(),
            targets,
            trigger: None,
            retry_enabled: true,
            retry_count: 3,
            retry_interval_s: 60,
        },
        command: Command::InvokeService {
            service_id: "speedup".to_owned(),
            input: input.as_object().cloned().unwrap_or_default(),
        },
        policy: policy(),
        release: Timestamp(1_700_000_000_000),
        devices: None,
        idempotency: None,
        by: by(),
    }
}

pub(super) fn idempotency(key: &str, digest: u8) -> Idempotency {
    Idempotency {
        scope: "wind/console".to_owned(),
        key: key.to_owned(),
        digest: [digest; 32],
    }
}

/// A device that is there and idle.
pub(super) const PRESENT: Condition = Condition {
    deleted: false,
    disabled: false,
    activated: true,
    presence: Presence::Present,
    queued: 0,
    busy_with: None,
    hold: None,
    visits: Visits::NONE,
};

/// A reply with a code.
pub(super) fn reply(code: i64) -> Reply {
    Reply {
        code: Some(code),
        message: Some("as the device says".to_owned()),
        output: Some(r#"{"speed":12.5}"#.to_owned()),
    }
}
