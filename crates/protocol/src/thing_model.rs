//! A device asks for the thing model of its product (docs/device-protocol.md, "Thing model").
//!
//! The answer has the shape that the vendor's platform gives it: the four maps under names of their own, names as plain
//! text, tags one level deeper. What a definition says about its data stays as it stands in the model.

use serde_json::{Map, Value, json};

use crate::answers::{ANSWER_MAX_BYTES, AnswerMessage, OK, TOO_LARGE, UNAVAILABLE, encode};
use crate::envelope::Envelope;
use crate::topic::{Area, REPLY_SUFFIX, Upstream};

/// The maps in a model, and what they are called in the answer.
const MAPS: [(&str, &str); 4] = [
    ("attributes", "tslAttributeMap"),
    ("measurepoints", "tslMeasurepointMap"),
    ("services", "tslServiceMap"),
    ("events", "tslEventMap"),
];
/// The lists of data in a service or an event.
const LISTS: [&str; 2] = ["inputData", "outputData"];

/// A device's question for its thing model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelQuery {
    id: String,
    topic: String,
}

impl ModelQuery {
    /// Reads the question; `None` if it is none, or has no id to be answered by.
    #[must_use]
    pub fn read(upstream: &Upstream<'_>, envelope: &Envelope<'_>) -> Option<Self> {
        if upstream.area != Area::Device || upstream.path != "thing/tsltemplate/get" {
            return None;
        }
        Some(Self {
            id: envelope.request_id()?,
            topic: upstream.to_topic() + REPLY_SUFFIX,
        })
    }

    /// The answer, from the model's document.
    #[must_use]
    pub fn answer(&self, document: &Value) -> AnswerMessage {
        let answer = self.answered(OK, &template(document), "");
        if answer.payload.len() > ANSWER_MAX_BYTES {
            return self.answered(
                TOO_LARGE,
                &template(&Value::Null),
                "the thing model is too large for an answer",
            );
        }
        answer
    }

    /// The answer if the server cannot read the model.
    #[must_use]
    pub fn unavailable(&self) -> AnswerMessage {
        self.answered(UNAVAILABLE, &template(&Value::Null), "the server cannot do this now")
    }

    fn answered(&self, code: u16, data: &Value, message: &str) -> AnswerMessage {
        AnswerMessage {
            topic: self.topic.clone(),
            payload: encode(&self.id, code, data, message),
        }
    }
}

/// The maps are there whatever the model has: libraries stumble over missing keys.
fn template(document: &Value) -> Value {
    let mut data = Map::new();
    let text = |name: &str| document.get(name).filter(|value| value.is_string()).cloned();
    let known = [
        ("tslModelId", text("modelId")),
        ("tslModelName", document.get("name").map(plain_name)),
        ("tslModelDesc", text("desc")),
        ("tslModelCatagory", text("category")),
    ];
    data.extend(
        known
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?))),
    );
    for (map, name) in MAPS {
        let all = document.get(map).and_then(Value::as_object);
        let defined = all
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), definition(value)));
        data.insert(name.to_owned(), Value::Object(defined.collect()));
    }
    data.insert("tag".to_owned(), tag_map(document.get("tags")));
    Value::Object(data)
}

fn definition(value: &Value) -> Value {
    let Some(fields) = value.as_object() else {
        return value.clone();
    };
    let shaped = fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| {
        let value = match key.as_str() {
            "name" => plain_name(value),
            "tags" => tag_map(Some(value)),
            list if LISTS.contains(&list) => value.as_array().into_iter().flatten().map(definition).collect(),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::Object(shaped.collect())
}

/// A device has no language: of a name in several it gets the default.
fn plain_name(name: &Value) -> Value {
    name.get("defaultValue").unwrap_or(name).clone()
}

fn tag_map(tags: Option<&Value>) -> Value {
    json!({"tagMap": tags.cloned().unwrap_or_else(|| json!({}))})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> ModelQuery {
        let upstream = Upstream::parse("/sys/pk/dk/thing/tsltemplate/get").unwrap();
        ModelQuery::read(&upstream, &Envelope::read(br#"{"id":7,"params":{}}"#)).unwrap()
    }

    fn answered(answer: &AnswerMessage) -> Value {
        assert_eq!(answer.topic, "/sys/pk/dk/thing/tsltemplate/get_reply");
        serde_json::from_slice(&answer.payload).unwrap()
    }

    #[test]
    fn thing_model_is_told_in_the_vendors_shape() {
        let document = json!({
            "modelId": "m1", "name": {"defaultValue": "Pump", "i18nValue": {"de_DE": "Pumpe"}}, "desc": null,
            "tags": {"floor": "1"}, "attributes": {}, "events": {},
            "measurepoints": {"temp": {"identifier": "temp", "name": {"defaultValue": "T", "i18nValue": {}},
                "dataType": "FLOAT", "dataDefinition": null, "tags": {}, "hasQuality": false}},
            "services": {"spin": {"identifier": "spin", "name": {"defaultValue": "Spin", "i18nValue": {}}, "tags": {},
                "callType": "SYNC", "outputData": [],
                "inputData": [{"identifier": "n", "name": {"defaultValue": "N"}, "dataType": "INT", "tags": {"a": "b"}}]}},
        });
        let expected = json!({
            "tslModelId": "m1", "tslModelName": "Pump", "tag": {"tagMap": {"floor": "1"}},
            "tslAttributeMap": {}, "tslEventMap": {},
            "tslMeasurepointMap": {"temp": {"identifier": "temp", "name": "T", "dataType": "FLOAT",
                "tags": {"tagMap": {}}, "hasQuality": false}},
            "tslServiceMap": {"spin": {"identifier": "spin", "name": "Spin", "tags": {"tagMap": {}}, "callType": "SYNC",
                "outputData": [],
                "inputData": [{"identifier": "n", "name": "N", "dataType": "INT", "tags": {"tagMap": {"a": "b"}}}]}},
        });
        let answer = answered(&query().answer(&document));
        assert_eq!((&answer["id"], &answer["code"]), (&json!("7"), &json!(200)));
        assert_eq!(answer["data"], expected);
    }

    #[test]
    fn answer_without_a_model_has_every_map() {
        let large = json!({"attributes": {"a": {"desc": "x".repeat(ANSWER_MAX_BYTES)}}});
        for (answer, code) in [
            (query().answer(&json!({})), 200),
            (query().answer(&large), 1008),
            (query().unavailable(), 500),
        ] {
            let answer = answered(&answer);
            assert_eq!(answer["code"], code);
            for (_, map) in MAPS {
                assert_eq!(answer["data"][map], json!({}), "{map}");
            }
        }
    }

    #[test]
    fn nothing_else_asks_for_a_model() {
        for topic in [
            "/sys/pk/dk/thing/tsltemplate/set",
            "/ext/session/pk/dk/thing/tsltemplate/get",
        ] {
            let upstream = Upstream::parse(topic).unwrap();
            assert_eq!(ModelQuery::read(&upstream, &Envelope::read(br#"{"id":"7"}"#)), None);
        }
    }
}
