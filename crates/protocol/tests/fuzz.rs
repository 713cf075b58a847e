//! Topics and payloads from devices that are broken or hostile: whatever arrives is read as far as it goes. Seeds of
//! the mutations: `corpus/`; longer runs: docs/reliability.md, "Hostile input".

#[expect(unreachable_pub, reason = "the module is public where crates/tests uses it")]
#[path = "../../tests/src/mutation.rs"]
mod mutation;

use std::path::Path;

use aldis_protocol::answers::answer;
use aldis_protocol::envelope::Envelope;
use aldis_protocol::reply::decode;
use aldis_protocol::subscription::coverage;
use aldis_protocol::topic::{Area, Upstream};
use serde_json::Value;

/// Mutated samples of an ordinary run: a second or two.
const TIMES: u32 = 30_000;

fn samples(of: &str) -> Vec<Vec<u8>> {
    mutation::corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(of))
}

#[test]
fn any_topic_is_nobodys_or_written_as_it_was_read() {
    let done = mutation::run(&samples("topic"), TIMES, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _covered = coverage(&text, "pk", "dk");
        let Some(topic) = Upstream::parse(&text) else { return };
        assert_eq!(topic.to_topic(), text);
        let _meaning = topic.meaning();
        // A topic with a device's keys is of that device alone.
        if topic.area != Area::Integration {
            assert_eq!(
                topic.is_of("pk", "dk"),
                (topic.product_key, topic.device_key) == ("pk", "dk"),
                "{text:?}"
            );
        }
        drop(answer(&topic, &Envelope::read(b"{\"id\":\"1\"}"), "pk", "dk"));
    });
    println!("{done} mutated samples");
}

#[test]
fn any_reply_is_read_as_far_as_it_goes_and_its_output_is_json() {
    let topic = Upstream::parse("/sys/pk/dk/thing/measurepoint/post").unwrap();
    let done = mutation::run(&samples("reply"), TIMES, |bytes| {
        let read = decode(bytes);
        if let Some(output) = &read.reply.output {
            assert!(serde_json::from_str::<Value>(output).is_ok(), "{output:?} of {bytes:?}");
        }
        drop(answer(&topic, &Envelope::read(bytes), "pk", "dk"));
    });
    println!("{done} mutated samples");
}
