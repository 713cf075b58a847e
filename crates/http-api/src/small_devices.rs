//! A word of warning about commands that small devices cannot take (docs/device-protocol.md, "Limits").

use aldis_core::command::Command;
use aldis_protocol::keys::{DEVICE_KEY_MAX_BYTES, PRODUCT_KEY_MAX_BYTES};
use aldis_protocol::payload::CommandBody;
use aldis_protocol::topic::command_path;

/// The largest packet that the vendor's C library takes as it is built by default.
const SMALL_PACKET_BYTES: usize = 2048;
/// Of a packet with more than 127 bytes and fewer than 16,384: type, length, length of the topic, identifier.
const HEAD_BYTES: usize = 7;

/// What there is to say about a command that was accepted; the keys are counted as long as they may be.
pub(super) fn warning(command: &Command) -> Option<String> {
    let keys = "/sys///".len() + PRODUCT_KEY_MAX_BYTES + DEVICE_KEY_MAX_BYTES;
    let topic = keys + command_path(command).len();
    let bytes = HEAD_BYTES + topic + CommandBody::prepare(command).encoded_len();
    (bytes > SMALL_PACKET_BYTES).then(|| {
        format!("the command takes up to {bytes} bytes; devices with the C library as it is built by default take {SMALL_PACKET_BYTES}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(characters: usize) -> Command {
        Command::SetMeasurepoint {
            measurepoint_id: "p".to_owned(),
            value: json!("x".repeat(characters)),
        }
    }

    #[test]
    fn only_what_is_too_large_for_small_devices_is_worth_a_word() {
        assert_eq!(warning(&set(100)), None);
        let largest = (0..3000)
            .rev()
            .find(|characters| warning(&set(*characters)).is_none())
            .unwrap();
        let one_more = warning(&set(largest + 1)).unwrap();
        assert!(one_more.contains("up to 2049 bytes"), "{one_more}");
    }
}
