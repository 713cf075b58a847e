//! Tables for every rule of the language.

use std::collections::BTreeMap;

use super::*;
use crate::i18n::I18nText;
use crate::time::Timestamp;

mod properties;

fn printed(text: &str) -> String {
    parse(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .to_string()
}

fn refused(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

fn task(text: &str) -> Result<Filter<TaskField>, String> {
    Filter::parse(text).map_err(|error| error.to_string())
}

#[test]
fn every_spelling_is_read() {
    let cases = [
        ("jobId in ('jobId')", "jobId in ('jobId')"),
        ("jobId='x'", "jobId = 'x'"),
        ("jobId eq \"x\"", "jobId = 'x'"),
        ("jobId == 'x'", "jobId = 'x'"),
        ("a ne 1 AND b <> 2 And c != 3", "a != 1 and b != 2 and c != 3"),
        ("a lt 1 or a<1", "a < 1 or a < 1"),
        ("a lte 1 OR a<=1", "a <= 1 or a <= 1"),
        ("a gt 1 or a GT 1 or a>1", "a > 1 or a > 1 or a > 1"),
        ("a gte -1.5 or a>=-2", "a >= -1.5 or a >= -2"),
        (
            "modelId in ( \"planet\",\"noiseSensor\" )",
            "modelId in ('planet', 'noiseSensor')",
        ),
        ("a NOT IN (1, 2.5, true, null)", "a not in (1, 2.5, true, null)"),
        ("a not in('x')and b='y'", "a not in ('x') and b = 'y'"),
        ("name.zh_CN LIKE 'capacity'", "name.zh_CN like 'capacity'"),
        ("name not like 'a'", "not name like 'a'"),
        (
            "exists(tags.k1) and NOT exists ( tags.k-2/b )",
            "exists(tags.k1) and not exists(tags.k-2/b)",
        ),
        ("not not a = TRUE", "not not a = true"),
        ("a = 1 or b = 2 and c = 3", "a = 1 or (b = 2 and c = 3)"),
        ("(a = 1 or b = 2) and c = 3", "(a = 1 or b = 2) and c = 3"),
        ("((a = 1))", "a = 1"),
        (
            "tags.and = 'x' and tags.in like 'y'",
            "tags.and = 'x' and tags.in like 'y'",
        ),
        (r"a = 'it''s' or a = 'it\'s'", r"a = 'it\'s' or a = 'it\'s'"),
        (r#"a = "say ""x""" or a = "\"""#, r#"a = 'say "x"' or a = '"'"#),
        (r"a = '' or a = '\\' or a = '\d'", r"a = '' or a = '\\' or a = '\\d'"),
        ("  \n\t ", ""),
        ("a = 1e3", "a = 1000.0"),
        ("a = '风机'", "a = '风机'"),
    ];
    for (text, expected) in cases {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn an_error_says_where_what_was_found_and_what_was_expected() {
    let cases = [
        (
            "jobId = 'x' and status = and",
            "expression, character 26: expected a value, found 'and'",
        ),
        ("jobId = ", "expression, character 9: expected a value, found the end"),
        (
            "jobId = x1",
            "expression, character 9: expected a value (text in quotes), found 'x1'",
        ),
        ("jobId 'x'", "expression, character 7: expected an operator, found 'x'"),
        ("jobId", "expression, character 6: expected an operator, found the end"),
        ("= 'x'", "expression, character 1: expected a field, found '='"),
        ("in ('x')", "expression, character 1: expected a field, found 'in'"),
        ("a..b = 1", "expression, character 1: expected a field, found 'a..b'"),
        (
            "jobId = 'x' status = 'y'",
            "expression, character 13: expected 'and', 'or' or the end, found 'status'",
        ),
        (
            "(jobId = 'x'",
            "expression, character 13: expected 'and', 'or' or ')', found the end",
        ),
        ("jobId in 'x'", "expression, character 10: expected '(', found 'x'"),
        ("jobId in ()", "expression, character 11: expected a value, found ')'"),
        (
            "jobId in ('x' 'y')",
            "expression, character 15: expected ',' or ')', found 'y'",
        ),
        (
            "jobId not 'x'",
            "expression, character 11: expected 'in' or 'like', found 'x'",
        ),
        (
            "name like 3",
            "expression, character 11: expected text in quotes, found '3'",
        ),
        (
            "风 = '机",
            "expression, character 5: expected a closing quote, found '''",
        ),
        ("a = 12x", "expression, character 5: expected a number, found '12x'"),
        ("a = 1e999", "expression, character 5: expected a number, found '1e999'"),
        (
            "a = 1; b = 2",
            "expression, character 6: expected a field, an operator or a value, found ';'",
        ),
        ("a ! 1", "expression, character 3: expected an operator, found '! '"),
        ("exists tags.a", "expression, character 8: expected '(', found 'tags.a'"),
        (
            "a = 1)",
            "expression, character 6: expected 'and', 'or' or the end, found ')'",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn each_limit_holds_exactly() {
    let padded = |bytes: usize| format!("a = 1{}", " ".repeat(bytes - 5));
    assert!(parse(&padded(LENGTH_MAX)).is_ok());
    assert!(refused(&padded(LENGTH_MAX + 1)).contains("at most 8192 bytes are accepted, found 8193"));

    let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(
        refused(&nested(DEPTH_MAX + 1)),
        "expression, character 33: at most 32 nested parentheses and 'not' are accepted"
    );
    assert!(parse(&format!("{}a = 1", "not ".repeat(DEPTH_MAX))).is_ok());
    assert!(parse(&format!("{}a = 1", "not ".repeat(DEPTH_MAX + 1))).is_err());

    let list = |length: usize| format!("a in ({})", vec!["1"; length].join(","));
    assert!(parse(&list(LIST_MAX)).is_ok());
    assert!(refused(&list(LIST_MAX + 1)).contains("at most 1000 values are accepted in a list"));

    let chain = |conditions: usize| vec!["a=1"; conditions].join(" or ");
    assert!(parse(&chain(CONDITIONS_MAX)).is_ok());
    assert!(refused(&chain(CONDITIONS_MAX + 1)).contains("at most 500 conditions are accepted"));
}

#[test]
fn documented_fields_and_aliases_resolve() {
    let is = |field, value: &str| {
        Ok(Filter::Compare {
            field,
            sub: None,
            op: Comparison::Eq,
            value: Value::Text(value.to_owned()),
        })
    };
    assert_eq!(
        task("ztaskId = 1000000000000004096"),
        is(TaskField::TaskId, "1000000000000004096")
    );
    assert_eq!(task("pk eq 'p'"), is(TaskField::ProductKey, "p"));
    assert_eq!(task("deviceKey = 'd'"), is(TaskField::DeviceKey, "d"));
    assert_eq!(task("status = 'failed'"), is(TaskField::Status, "FAILED"));
    assert_eq!(task("status = 'canceled'"), is(TaskField::Status, "CANCELLED"));
    assert_eq!(task(" "), Ok(Filter::everything()));
    assert_eq!(
        Filter::<DeviceField>::parse("status = 'disable' and deviceTags.floor = 3"),
        Ok(Filter::And(vec![
            Filter::Compare {
                field: DeviceField::Status,
                sub: None,
                op: Comparison::Eq,
                value: Value::Text("disabled".to_owned())
            },
            Filter::Compare {
                field: DeviceField::Tags,
                sub: Some("floor".to_owned()),
                op: Comparison::Eq,
                value: Value::Text("3".to_owned())
            },
        ]))
    );
    assert_eq!(
        Filter::<JobField>::parse("name.defaultValue like 'PV'"),
        Ok(Filter::Like {
            field: JobField::Name,
            sub: Some("default".to_owned()),
            text: "pv".to_owned()
        })
    );
    assert_eq!(
        Filter::<DeviceField>::parse("assetId = null"),
        Ok(Filter::Not(Box::new(Filter::Exists {
            field: DeviceField::AssetId,
            sub: None
        })))
    );
    assert!(Filter::<ModelField>::parse("modelId like 'a' and name like 'b' and exists(service_tags.x)").is_ok());
    assert!(Filter::<ProductField>::parse("productTags.x = 'a' and not exists(productTags.y)").is_ok());
}

#[test]
fn moments_are_read_in_every_accepted_form() {
    let moment = 1_718_952_446_317;
    let forms = [
        ("1718952446317", moment),
        ("'1718952446317'", moment),
        ("'2024-06-21T06:47:26.317Z'", moment),
        ("'2024-06-21T08:47:26.317+02:00'", moment),
        ("'2024-06-21 06:47:26.317'", moment),
        ("\"2024-06-21 06:47:26\"", moment - 317),
        ("'2024-06-21'", 1_718_928_000_000),
    ];
    for (form, ms) in forms {
        let expected = Filter::Compare {
            field: TaskField::CreatedAt,
            sub: None,
            op: Comparison::Ge,
            value: Value::Time(Timestamp(ms)),
        };
        for name in ["createTime", "createTimestamp"] {
            assert_eq!(task(&format!("{name} >= {form}")), Ok(expected.clone()), "{form}");
        }
    }
}

#[test]
fn unknown_fields_wrong_operators_and_wrong_values_are_refused_with_the_place() {
    let cases = [
        (
            "jobId = 'x' or job = 'x'",
            "expression, character 16: unknown field 'job', expected one of jobId, taskId, assetId, productKey, deviceKey, \
             status, createTime",
        ),
        (
            "jobId like 'x'",
            "expression, character 1: field 'jobId' cannot be used with 'like', expected =, !=, in, not in",
        ),
        (
            "dk > 'x'",
            "expression, character 1: field 'dk' cannot be used with '>', expected =, !=, in, not in",
        ),
        (
            "exists(createTime)",
            "expression, character 8: field 'createTime' cannot be used with 'exists', expected =, !=, in, not in, <, <=, >, \
             >=",
        ),
        (
            "jobId.x = 'x'",
            "expression, character 1: field 'jobId.x': expected 'jobId' without a dot",
        ),
        (
            "jobId = true",
            "expression, character 9: field 'jobId': expected text in quotes, found true",
        ),
        (
            "jobId in ('x', null)",
            "expression, character 16: field 'jobId': expected text in quotes, found null",
        ),
        (
            "status in ('INIT', 'DONE')",
            "expression, character 20: field 'status': expected one of INIT, QUEUED, PUBLISHED, IN_PROGRESS, SUCCEED, FAILED, \
             CANCELLED, RSP_TIMEOUT, TTL_TIMEOUT, found 'DONE'",
        ),
        (
            "createTime < 'noon'",
            "expression, character 14: field 'createTime': expected a moment (epoch milliseconds, not seconds, \
             'YYYY-MM-DDTHH:MM:SSZ' or 'YYYY-MM-DD HH:MM:SS[.SSS]' in UTC), found 'noon'",
        ),
        (
            "createTime >= 1764547200",
            "expression, character 15: field 'createTime': expected a moment (epoch milliseconds, not seconds, \
             'YYYY-MM-DDTHH:MM:SSZ' or 'YYYY-MM-DD HH:MM:SS[.SSS]' in UTC), found 1764547200",
        ),
        (
            "createTime in ('1', 1764547200000)",
            "expression, character 16: field 'createTime': expected a moment (epoch milliseconds, not seconds, \
             'YYYY-MM-DDTHH:MM:SSZ' or 'YYYY-MM-DD HH:MM:SS[.SSS]' in UTC), found '1'",
        ),
        (
            "createTime < null",
            "expression, character 14: field 'createTime': expected a moment (epoch milliseconds, not seconds, \
             'YYYY-MM-DDTHH:MM:SSZ' or 'YYYY-MM-DD HH:MM:SS[.SSS]' in UTC), found null",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(task(text), Err(expected.to_owned()), "{text}");
    }
    let name = Filter::<JobField>::parse("name.chinese like 'x'")
        .unwrap_err()
        .to_string();
    assert_eq!(
        name,
        "expression, character 1: field 'name.chinese': expected 'name', 'name.default' or 'name' with a locale, as in \
         'name.en_US'"
    );
    assert!(Filter::<JobField>::parse("name = 'x'").is_err());
    let tags = Filter::<DeviceField>::parse("exists(deviceTags)")
        .unwrap_err()
        .to_string();
    assert_eq!(
        tags,
        "expression, character 8: field 'deviceTags': expected 'deviceTags' followed by a dot and one key"
    );
}

/// A field of every kind.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sample {
    Id,
    Name,
    Status,
    Time,
    Tags,
    Attributes,
}

impl Field for Sample {
    const TABLE: &'static [FieldEntry<Self>] = &[
        FieldEntry {
            names: &["id"],
            field: Self::Id,
            kind: FieldKind::Text,
            operators: ALL,
        },
        FieldEntry {
            names: &["name"],
            field: Self::Name,
            kind: FieldKind::Name,
            operators: ALL,
        },
        FieldEntry {
            names: &["status"],
            field: Self::Status,
            kind: FieldKind::Status(&[&["ON"], &["OFF"]]),
            operators: ALL,
        },
        FieldEntry {
            names: &["time"],
            field: Self::Time,
            kind: FieldKind::Time,
            operators: ALL,
        },
        FieldEntry {
            names: &["tags"],
            field: Self::Tags,
            kind: FieldKind::TextMap,
            operators: ALL,
        },
        FieldEntry {
            names: &["attributes"],
            field: Self::Attributes,
            kind: FieldKind::Map,
            operators: ALL,
        },
    ];
}

const ALL: &[Operator] = &[Operator::Equality, Operator::Order, Operator::Like, Operator::Exists];

#[derive(Debug, Clone)]
struct Thing {
    id: Option<String>,
    name: I18nText,
    status: &'static str,
    time: i64,
    tags: BTreeMap<String, String>,
    attributes: serde_json::Value,
}

impl Record<Sample> for Thing {
    fn values(&self, field: Sample, sub: Option<&str>) -> Values<'_> {
        match field {
            Sample::Id => self.id.iter().map(String::as_str).collect(),
            Sample::Name => Values::Name(&self.name),
            Sample::Status => Values::one(self.status),
            Sample::Time => Values::one(Timestamp(self.time)),
            Sample::Tags => sub
                .and_then(|key| self.tags.get(key))
                .map(String::as_str)
                .into_iter()
                .collect(),
            Sample::Attributes => sub
                .and_then(|key| self.attributes.get(key))
                .map_or_else(Values::absent, Values::json),
        }
    }
}

fn thing() -> Thing {
    let i18n_value =
        [("zh_CN", "光伏"), ("en_US", "PV Inverter"), ("ja_JP", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    Thing {
        id: Some("a".to_owned()),
        name: I18nText {
            default_value: "Inverter 2A".to_owned(),
            i18n_value: i18n_value.into(),
        },
        status: "ON",
        time: 1_000_000_000_000,
        tags: [("floor".to_owned(), "3".to_owned())].into(),
        attributes: serde_json::json!({"power": 1.5, "count": 2, "on": 1, "none": null, "parts": [1]}),
    }
}

#[test]
fn evaluation_has_two_values_and_absent_is_simply_different() {
    let held = [
        "id = 'a'",
        "id in ('b', 'a')",
        "id not in ('b')",
        "id != 'b'",
        "id != null",
        "not id = null",
        "status = 'on'",
        "status in ('off', 'on')",
        "time >= 1000000000000 and time <= '2001-09-09 01:46:40'",
        "time > 999999999999 and time < 1000000000001 and time != 0",
        "tags.floor = 3",
        "exists(tags.floor) and not exists(tags.room)",
        "tags.room != 'x'",
        "tags.room not in ('x')",
        "tags.room = null",
        "not tags.room = 'x'",
        "attributes.power = 1.5 and attributes.power > 1",
        "attributes.count = 2.0 and attributes.count < 2.5",
        "attributes.on = true and attributes.on = 1",
        "attributes.count != '2'",
        "attributes.none = null and not exists(attributes.none)",
        "exists(attributes.parts)",
        "name like 'INVERTER'",
        "name like '光'",
        "name.default like '2a'",
        "name.en_US like 'pv'",
        "name.ja_JP like 'inverter 2'",
        "name.es_ES like 'inverter 2'",
        "name like ''",
    ];
    let not_held = [
        "id = 'A'",
        "id < 'a'",
        "id = null",
        "status = 'off'",
        "tags.room = 'x'",
        "tags.room < 'x' or tags.room >= 'x'",
        "attributes.count > 'x' or attributes.count <= 'x'",
        "name.default like 'PV'",
        "name.zh_CN like 'inverter'",
        "name.ja_JP like 'pv'",
        "name like '%inverter%'",
        "attributes.none = 0",
    ];
    let matches = |text: &str| Filter::<Sample>::parse(text).unwrap().matches(&thing());
    for text in held {
        assert!(matches(text), "{text}");
    }
    for text in not_held {
        assert!(!matches(text), "{text}");
    }
}

#[test]
fn numbers_compare_exactly_whatever_their_form() {
    let int = Value::Int;
    let float = Value::Float;
    assert_eq!(
        int(i64::MAX).compare(&float(9_223_372_036_854_775_807.0)),
        Some(std::cmp::Ordering::Less)
    );
    assert_eq!(float(-0.5).compare(&int(0)), Some(std::cmp::Ordering::Less));
    assert_eq!(int(0).compare(&float(-0.0)), Some(std::cmp::Ordering::Equal));
    assert_eq!(
        int(9_007_199_254_740_993).compare(&float(9_007_199_254_740_992.0)),
        Some(std::cmp::Ordering::Greater)
    );
    assert_eq!(
        int(i64::MIN).compare(&float(f64::MIN)),
        Some(std::cmp::Ordering::Greater)
    );
    assert_eq!(float(f64::NAN).compare(&int(1)), None);
}
