//! Values that devices report about themselves (docs/device-protocol.md, "Reported values").

use std::collections::BTreeMap;

use aldis_core::number;
use aldis_core::reported::ReportKind;
use serde_json::{Value, json};

use crate::answers::{ANSWER_MAX_BYTES, AnswerMessage, OK, TOO_LARGE, UNAVAILABLE, encode};
use crate::envelope::Envelope;
use crate::lenient::{unquoted, value};
use crate::scan::{Elements, Members, member_or_rest};
use crate::topic::{Area, REPLY_SUFFIX, Upstream};

/// A value that is new, or gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it is of.
    pub kind: ReportKind,
    /// Its identifier.
    pub name: String,
    /// What it is now; `None`: the device has deleted it.
    pub value: Option<Value>,
    /// When the device says that it was so, Unix epoch milliseconds.
    pub at: Option<i64>,
}

/// What one message says about one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Product and device key, if it is not the device whose topic it is.
    pub of: Option<(String, String)>,
    /// The values.
    pub changes: Vec<Change>,
}

/// Reads the values in a message; none if it reports no present ones. Old data that are handed in later (`resume`) are
/// not. A value that cannot be read spoils no other.
#[must_use]
pub fn read(upstream: &Upstream<'_>, envelope: &Envelope<'_>) -> Vec<Report> {
    if upstream.area != Area::Device {
        return Vec::new();
    }
    let reading = match upstream.path {
        "thing/measurepoint/post" => points as fn(&str) -> Vec<Report>,
        "thing/measurepoint/post/batch" => batch,
        "thing/attribute/update" => attributes,
        "thing/attribute/delete" => deleted_attributes,
        "thing/tag/update" => tags,
        "thing/tag/delete" => deleted_tags,
        _ => return Vec::new(),
    };
    envelope.params_so_far().map(reading).unwrap_or_default()
}

/// A device asks for its own attributes or tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which of both.
    pub kind: ReportKind,
    names: Vec<String>,
    id: String,
    topic: String,
}

impl Query {
    /// Reads a query; `None` if it is none, or has no id to be answered by.
    #[must_use]
    pub fn read(upstream: &Upstream<'_>, envelope: &Envelope<'_>) -> Option<Self> {
        let (kind, names) = match upstream.path {
            _ if upstream.area != Area::Device => return None,
            "thing/attribute/query" => (ReportKind::Attribute, "attributes"),
            "thing/tag/query" => (ReportKind::Tag, "tags"),
            _ => return None,
        };
        let id = envelope.request_id()?;
        let names = envelope.params().and_then(|params| member_or_rest(params, names));
        Some(Self {
            kind,
            names: texts(names),
            id,
            topic: upstream.to_topic() + REPLY_SUFFIX,
        })
    }

    /// The answer, from all that the device has. Names that it has nothing of are left out; no names mean all.
    #[must_use]
    pub fn answer(&self, mut values: BTreeMap<String, Value>) -> AnswerMessage {
        if !self.names.is_empty() {
            values.retain(|name, _| self.names.contains(name));
        }
        let data = Value::Object(values.into_iter().collect());
        let answer = self.answered(OK, &data, "");
        if answer.payload.len() > ANSWER_MAX_BYTES {
            return self.answered(TOO_LARGE, &json!({}), "the answer is too large: ask for fewer");
        }
        answer
    }

    /// The answer if the server cannot read what the device has.
    #[must_use]
    pub fn unavailable(&self) -> AnswerMessage {
        self.answered(UNAVAILABLE, &json!({}), "the server cannot do this now")
    }

    fn answered(&self, code: u16, data: &Value, message: &str) -> AnswerMessage {
        AnswerMessage {
            topic: self.topic.clone(),
            payload: encode(&self.id, code, data, message),
        }
    }
}

fn own(changes: Vec<Change>) -> Vec<Report> {
    vec![Report { of: None, changes }]
}

fn points(params: &str) -> Vec<Report> {
    own(of_points(params))
}

fn of_points(params: &str) -> Vec<Change> {
    let at = member_or_rest(params, "time").and_then(|raw| number::whole_text(unquoted(raw).trim()));
    let all = member_or_rest(params, "measurepoints").and_then(Members::of);
    let changes = all.into_iter().flatten().filter_map(|point| {
        Some(Change {
            kind: ReportKind::Measurepoint,
            name: unquoted(point.key).into_owned(),
            value: Some(without_quality(value(point.value)?)),
            at,
        })
    });
    changes.collect()
}

/// Some programs say how good a value is; that is no part of it.
fn without_quality(value: Value) -> Value {
    match value {
        Value::Object(mut rated) if rated.contains_key("quality") => {
            rated.remove("value").unwrap_or(Value::Object(rated))
        }
        other => other,
    }
}

fn batch(params: &str) -> Vec<Report> {
    let reports = Elements::of(params).into_iter().flatten().map(|entry| {
        let key = |name| text(member_or_rest(entry, name)?);
        Report {
            of: key("productKey").zip(key("deviceKey")),
            changes: of_points(entry),
        }
    });
    reports.collect()
}

fn attributes(params: &str) -> Vec<Report> {
    let all = member_or_rest(params, "attributes").and_then(Members::of);
    let changes = all.into_iter().flatten().filter_map(|attribute| {
        Some(Change {
            kind: ReportKind::Attribute,
            name: unquoted(attribute.key).into_owned(),
            value: Some(value(attribute.value)?),
            at: None,
        })
    });
    own(changes.collect())
}

fn deleted_attributes(params: &str) -> Vec<Report> {
    own(gone(ReportKind::Attribute, member_or_rest(params, "attributes")))
}

fn deleted_tags(params: &str) -> Vec<Report> {
    own(gone(ReportKind::Tag, member_or_rest(params, "tags")))
}

fn gone(kind: ReportKind, names: Option<&str>) -> Vec<Change> {
    let changes = texts(names).into_iter().map(|name| Change {
        kind,
        name,
        value: None,
        at: None,
    });
    changes.collect()
}

fn tags(params: &str) -> Vec<Report> {
    let changes = Elements::of(params).into_iter().flatten().filter_map(|tag| {
        Some(Change {
            kind: ReportKind::Tag,
            name: text(member_or_rest(tag, "tagKey")?)?,
            value: Some(value(member_or_rest(tag, "tagValue")?)?),
            at: None,
        })
    });
    own(changes.collect())
}

/// The texts in a list; whatever else is in it is passed over.
fn texts(list: Option<&str>) -> Vec<String> {
    list.and_then(Elements::of)
        .into_iter()
        .flatten()
        .filter_map(text)
        .collect()
}

fn text(raw: &str) -> Option<String> {
    raw.starts_with(['"', '\'']).then(|| unquoted(raw).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_from(path: &str, params: &Value) -> Vec<Report> {
        let topic = format!("/sys/pk/dk/{path}");
        let payload = json!({"id": "1", "version": "1.0", "params": params}).to_string();
        read(&Upstream::parse(&topic).unwrap(), &Envelope::read(payload.as_bytes()))
    }

    fn shown(reports: &[Report]) -> Vec<(&str, Option<&Value>, Option<i64>)> {
        let changes = reports.iter().flat_map(|report| &report.changes);
        changes
            .map(|change| (change.name.as_str(), change.value.as_ref(), change.at))
            .collect()
    }

    #[test]
    fn points_come_alone_rated_or_in_batches() {
        let params = json!({"measurepoints": {"a": 1.5, "b": {"value": true, "quality": 9}, "c": {"x": 1}}, "time": 7});
        let found = read_from("thing/measurepoint/post", &params);
        let (half, yes, nested) = (json!(1.5), json!(true), json!({"x": 1}));
        let expected = [
            ("a", Some(&half), Some(7)),
            ("b", Some(&yes), Some(7)),
            ("c", Some(&nested), Some(7)),
        ];
        assert_eq!(shown(&found), expected);
        let params = json!([{"measurepoints": {"a": 1.5}, "time": 7},
            {"productKey": "p", "deviceKey": "d", "measurepoints": {"a": true}}]);
        let found = read_from("thing/measurepoint/post/batch", &params);
        assert_eq!(shown(&found), [("a", Some(&half), Some(7)), ("a", Some(&yes), None)]);
        assert_eq!(found[1].of, Some(("p".to_owned(), "d".to_owned())));
    }

    #[test]
    fn attributes_and_tags_are_updated_and_deleted() {
        let text = json!("x");
        let found = read_from("thing/attribute/update", &json!({"attributes": {"serial": "x"}}));
        assert_eq!(shown(&found), [("serial", Some(&text), None)]);
        let found = read_from("thing/attribute/delete", &json!({"attributes": ["serial"]}));
        assert_eq!(shown(&found), [("serial", None, None)]);
        let found = read_from(
            "thing/tag/update",
            &json!([{"tagKey": "floor", "tagValue": "x"}, {"tagKey": 1}]),
        );
        assert_eq!(shown(&found), [("floor", Some(&text), None)]);
        let found = read_from("thing/tag/delete", &json!({"tags": ["floor"]}));
        assert_eq!(shown(&found), [("floor", None, None)]);
    }

    #[test]
    fn a_query_is_answered_with_what_the_device_has_of_the_names_it_asks_for() {
        let values = |pairs: &[(&str, i64)]| -> BTreeMap<String, Value> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect()
        };
        let all = values(&[("a", 1), ("b", 2)]);
        let upstream = Upstream::parse("/sys/pk/dk/thing/attribute/query").unwrap();
        let asked = |params: &str| {
            let payload = format!(r#"{{"id":7,"params":{params}}}"#);
            let answer = Query::read(&upstream, &Envelope::read(payload.as_bytes()))
                .unwrap()
                .answer(all.clone());
            assert_eq!(answer.topic, "/sys/pk/dk/thing/attribute/query_reply");
            String::from_utf8(answer.payload).unwrap()
        };
        assert_eq!(
            asked(r#"{"attributes":["b","c"]}"#),
            r#"{"id":"7","code":200,"data":{"b":2},"message":""}"#
        );
        for everything in [r#"{"attributes":[]}"#, "{}", "null"] {
            assert!(asked(everything).contains(r#""data":{"a":1,"b":2}"#));
        }
        let tags = Upstream::parse("/sys/pk/dk/thing/tag/query").unwrap();
        let query = Query::read(&tags, &Envelope::read(br#"{"id":"1","params":{"tags":[]}}"#)).unwrap();
        assert_eq!(query.kind, ReportKind::Tag);
        let large = [("a".to_owned(), json!("x".repeat(ANSWER_MAX_BYTES)))].into();
        assert!(
            String::from_utf8(query.answer(large).payload)
                .unwrap()
                .starts_with(r#"{"id":"1","code":1008,"data":{},"#)
        );
        assert!(
            query
                .unavailable()
                .payload
                .starts_with(br#"{"id":"1","code":500,"data":{},"#)
        );
        assert_eq!(Query::read(&tags, &Envelope::read(br#"{"params":{}}"#)), None);
        let update = Upstream::parse("/sys/pk/dk/thing/tag/update").unwrap();
        assert_eq!(Query::read(&update, &Envelope::read(br#"{"id":"1"}"#)), None);
    }

    #[test]
    fn what_is_old_odd_or_something_else_reports_nothing() {
        let point = json!({"measurepoints": {"a": 1}, "time": 7});
        assert!(read_from("thing/measurepoint/resume", &point).is_empty());
        assert!(read_from("thing/event/e/post", &point).is_empty());
        for odd in [json!(null), json!([1]), json!("text"), json!({"measurepoints": 3})] {
            assert!(shown(&read_from("thing/measurepoint/post", &odd)).is_empty());
            assert!(shown(&read_from("thing/measurepoint/post/batch", &odd)).is_empty());
            assert!(shown(&read_from("thing/tag/update", &odd)).is_empty());
        }
        let upstream = Upstream::parse("/sys/pk/dk/thing/measurepoint/post").unwrap();
        assert!(read(&upstream, &Envelope::read(b"\xff not json")).is_empty());
    }

    #[test]
    fn good_values_beside_a_bad_one_are_kept() {
        let post = |payload: &str| -> Vec<(String, String, Option<i64>)> {
            let upstream = Upstream::parse("/sys/pk/dk/thing/measurepoint/post").unwrap();
            let reports = read(&upstream, &Envelope::read(payload.as_bytes()));
            let changes = reports.into_iter().flat_map(|report| report.changes);
            changes
                .map(|change| (change.name, change.value.unwrap().to_string(), change.at))
                .collect()
        };
        let kept = |pairs: &[(&str, &str)], at: Option<i64>| -> Vec<(String, String, Option<i64>)> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned(), at))
                .collect()
        };
        for bad in [
            "NaN",
            "-Infinity",
            "1e999",
            "0x1F",
            "{\"x\":NaN}",
            "[1,NaN]",
            ".5",
            "abc",
        ] {
            let payload = format!(r#"{{"id":"1","params":{{"measurepoints":{{"a":1,"b":{bad},"c":"x"}},"time":7}}}}"#);
            assert_eq!(post(&payload), kept(&[("a", "1"), ("c", "\"x\"")], Some(7)), "{bad}");
        }
        let cut = r#"{"id":"1","params":{"time":7.0,"measurepoints":{"a":1,"b":{"value":2,"quality":1},"c":3"#;
        assert_eq!(post(cut), kept(&[("a", "1"), ("b", "2")], Some(7)));
        let quoted = "{'id':'1','params':{'measurepoints':{'a':True,'b':'two\nlines'},'time':'7'}}\0";
        assert_eq!(post(quoted), kept(&[("a", "true"), ("b", "\"two\\nlines\"")], Some(7)));
        let odd = r#"{"id":"1","params":{"measurepoints":{"a":"\ud800","b":1}}}"#;
        assert_eq!(post(odd), kept(&[("a", "\"\u{fffd}\""), ("b", "1")], None));
    }
}
