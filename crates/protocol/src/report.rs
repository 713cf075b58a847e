//! Values that devices report about themselves (docs/device-protocol.md, "Reported values").

use serde_json::{Map, Value};

use crate::topic::{Area, Upstream};

/// What a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A measurement point.
    Measurepoint,
    /// An attribute.
    Attribute,
    /// A tag.
    Tag,
}

/// A value that is new, or gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it is of.
    pub kind: Kind,
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

/// Reads the values in a message; none if it reports no present ones. Old data that are handed in later (`resume`) are not.
#[must_use]
pub fn read(upstream: &Upstream<'_>, payload: &[u8]) -> Vec<Report> {
    if upstream.area != Area::Device {
        return Vec::new();
    }
    let reading = match upstream.path {
        "thing/measurepoint/post" => points as fn(&Value) -> Vec<Report>,
        "thing/measurepoint/post/batch" => batch,
        "thing/attribute/update" => attributes,
        "thing/attribute/delete" => deleted_attributes,
        "thing/tag/update" => tags,
        "thing/tag/delete" => deleted_tags,
        _ => return Vec::new(),
    };
    let message: Option<Value> = serde_json::from_slice(payload).ok();
    message
        .and_then(|message| message.get("params").map(reading))
        .unwrap_or_default()
}

fn own(changes: Vec<Change>) -> Vec<Report> {
    vec![Report { of: None, changes }]
}

fn points(params: &Value) -> Vec<Report> {
    own(of_points(params))
}

fn of_points(params: &Value) -> Vec<Change> {
    let at = params.get("time").and_then(Value::as_i64);
    let all = params.get("measurepoints").and_then(Value::as_object);
    let changes = all.into_iter().flatten().map(|(name, value)| Change {
        kind: Kind::Measurepoint,
        name: name.clone(),
        value: Some(without_quality(value).clone()),
        at,
    });
    changes.collect()
}

/// Some programs say how good a value is; that is no part of it.
fn without_quality(value: &Value) -> &Value {
    let rated = value.as_object().filter(|fields| fields.contains_key("quality"));
    rated.and_then(|fields| fields.get("value")).unwrap_or(value)
}

fn batch(params: &Value) -> Vec<Report> {
    let entries = params.as_array().into_iter().flatten();
    let reports = entries.map(|entry| {
        let key = |name| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        Report {
            of: key("productKey").zip(key("deviceKey")),
            changes: of_points(entry),
        }
    });
    reports.collect()
}

fn attributes(params: &Value) -> Vec<Report> {
    let all = params.get("attributes").and_then(Value::as_object);
    own(updated(Kind::Attribute, all))
}

fn updated(kind: Kind, all: Option<&Map<String, Value>>) -> Vec<Change> {
    let changes = all.into_iter().flatten().map(|(name, value)| Change {
        kind,
        name: name.clone(),
        value: Some(value.clone()),
        at: None,
    });
    changes.collect()
}

fn deleted_attributes(params: &Value) -> Vec<Report> {
    own(gone(Kind::Attribute, params.get("attributes")))
}

fn deleted_tags(params: &Value) -> Vec<Report> {
    own(gone(Kind::Tag, params.get("tags")))
}

fn gone(kind: Kind, names: Option<&Value>) -> Vec<Change> {
    let names = names.and_then(Value::as_array).into_iter().flatten();
    let changes = names.filter_map(Value::as_str).map(|name| Change {
        kind,
        name: name.to_owned(),
        value: None,
        at: None,
    });
    changes.collect()
}

fn tags(params: &Value) -> Vec<Report> {
    let all = params.as_array().into_iter().flatten();
    let changes = all.filter_map(|tag| {
        Some(Change {
            kind: Kind::Tag,
            name: tag.get("tagKey")?.as_str()?.to_owned(),
            value: Some(tag.get("tagValue")?.clone()),
            at: None,
        })
    });
    own(changes.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_from(path: &str, params: &Value) -> Vec<Report> {
        let topic = format!("/sys/pk/dk/{path}");
        let payload = json!({"id": "1", "version": "1.0", "params": params}).to_string();
        read(&Upstream::parse(&topic).unwrap(), payload.as_bytes())
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
        assert!(read(&upstream, b"\xff not json").is_empty());
    }
}
