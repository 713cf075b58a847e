//! What a dry run finds wrong with a device before the server is asked to register it: the server's own rules for keys,
//! secrets, names, time zones and tags, from where the server has them.

use aldis_client::NewDevice;
use aldis_core::i18n::I18nText;
use aldis_core::violation::Violation;
use aldis_core::{tags, timezone};
use aldis_protocol::keys;
use serde_json::json;

/// The first rule that the device breaks, named by its field.
pub(super) fn wrong(device: &NewDevice) -> Option<String> {
    let key = device.device_key.as_deref().map(keys::check_device_key);
    if let Some(Err(bad)) = key {
        return Some(format!("deviceKey: {bad}"));
    }
    let secret = device.device_secret.as_deref().map(|secret| keys::check_secret(secret));
    if let Some(Err(bad)) = secret {
        return Some(format!("deviceSecret: {bad}"));
    }
    let name = I18nText {
        default_value: device.device_name.default_value.clone(),
        i18n_value: device.device_name.i18n_value.clone(),
    };
    let within = |field: &'static str| move |violation: Violation| violation.within(field);
    let checked = name
        .validate()
        .map_err(within("deviceName"))
        .and_then(|()| timezone::validate(&device.timezone).map_err(within("timezone")))
        .and_then(|()| {
            tags::read(&json!(device.device_tags.clone().unwrap_or_default())).map_err(within("deviceTags"))
        });
    checked.err().map(|violation| violation.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_would_refuse_is_told_by_its_field() {
        let device = || NewDevice {
            device_key: Some("d".to_owned()),
            ..NewDevice::new("p", "name")
        };
        assert_eq!(wrong(&device()), None);
        let wrongs = [
            NewDevice {
                device_key: Some("#1".to_owned()),
                ..device()
            },
            NewDevice {
                device_secret: Some("a\nb".into()),
                ..device()
            },
            NewDevice {
                device_name: "\u{200b}".into(),
                ..device()
            },
            NewDevice {
                timezone: "Berlin".to_owned(),
                ..device()
            },
            NewDevice {
                device_tags: Some([("a b".to_owned(), "1".to_owned())].into()),
                ..device()
            },
        ];
        let fields = ["deviceKey", "deviceSecret", "deviceName", "timezone", "deviceTags"];
        for (device, field) in wrongs.iter().zip(fields) {
            let told = wrong(device).unwrap_or_default();
            assert!(told.starts_with(field), "{field}: {told}");
        }
    }
}
