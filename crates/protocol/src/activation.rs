//! How a device is told its secret (docs/device-protocol.md, "Activation").

use serde_json::Value;

use crate::answers::AnswerMessage;

/// What a device that knows only its product's secret is told about itself.
pub struct ActivationInfo<'a> {
    /// The platform's id for it.
    pub asset_id: &'a str,
    /// Its product's key.
    pub product_key: &'a str,
    /// Its own key.
    pub device_key: &'a str,
    /// The secret with which it logs in from now on.
    pub device_secret: &'a str,
}

impl ActivationInfo<'_> {
    /// The message that says so. The secret comes first: one library blanks what follows it in the buffer that it reads
    /// from.
    ///
    /// The small id does no harm here, unlike in commands: nothing has been sent upstream that could have the same.
    #[must_use]
    pub fn message(&self) -> AnswerMessage {
        let Self {
            asset_id,
            product_key,
            device_key,
            device_secret,
        } = *self;
        let [secret, asset, product, device] = [device_secret, asset_id, product_key, device_key].map(Value::from);
        let params = format!(
            "{{\"deviceSecret\":{secret},\"assetId\":{asset},\"productKey\":{product},\"deviceKey\":{device}}}"
        );
        AnswerMessage {
            topic: format!("/ext/session/{product_key}/{device_key}/thing/activate/info"),
            payload: format!(
                "{{\"id\":\"1\",\"version\":\"1.0\",\"method\":\"thing.activate.info\",\"params\":{params}}}"
            )
            .into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_comes_first_and_everything_is_escaped() {
        let info = ActivationInfo {
            asset_id: "a1",
            product_key: "pk",
            device_key: "d\"1",
            device_secret: "s1",
        };
        let message = info.message();
        assert_eq!(message.topic, "/ext/session/pk/d\"1/thing/activate/info");
        let expected = r#"{"id":"1","version":"1.0","method":"thing.activate.info","params":{"deviceSecret":"s1","assetId":"a1","productKey":"pk","deviceKey":"d\"1"}}"#;
        assert_eq!(String::from_utf8(message.payload).unwrap(), expected);
    }
}
