//! Tables for every field of a model and every refusal of a command.

use serde_json::{Value, json};

use super::*;
use crate::command::Command;
use crate::expression::Filter;

mod values;

/// A model with every kind of definition and every data type, in the two forms that a definition may have.
fn document() -> Value {
    json!({
        "modelId": "pump",
        "modelIdPath": "/machine/pump",
        "name": {"defaultValue": "Pump", "i18nValue": {"zh_CN": "泵"}},
        "desc": "moves water",
        "category": "machines",
        "tags": {"line": "1"},
        "unknown": [1],
        "attributes": {
            "serial": {"identifier": "serial", "name": {"defaultValue": "Serial"}, "dataType": "STRING",
                "dataDefinition": "{\"maxLength\":8}", "isRequired": true, "defaultValue": "0", "tags": {"kind": "plate"}}
        },
        "measurepoints": {
            "temperature": {"dataType": "double", "hasQuality": true, "signalType": "ai",
                "unit": {"unitId": "celsius", "multiplier": "ONE"}, "tags": {"kind": "heat"}},
            "hours": {"dataType": "INT", "accessMode": "R"}
        },
        "services": {
            "speedup": {
                "callType": "ASYNC",
                "tags": {"kind": "drive"},
                "intputData": [
                    {"identifier": "delta", "dataType": "INT", "required": true},
                    {"identifier": "gear", "dataType": "ENUM", "dataDefinition":
                        "{\"enumType\":\"INT\",\"enumDesc\":{\"1\":{\"defaultValue\":\"low\"},\"2\":{\"defaultValue\":\"high\"}},\"defaultValue\":\"1\"}"},
                    {"identifier": "mode", "dataType": "STRUCT", "dataDefinition": {"items": [
                        {"identifier": "name", "dataType": "STRING", "dataDefinition": {"maxLength": 4}, "required": true},
                        {"identifier": "soft", "dataType": "BOOL", "dataDefinition": {"boolDesc": {"true": "y"}, "defaultValue": true}}
                    ]}}
                ],
                "outputData": [{"identifier": "speed", "dataType": "FLOAT"}]
            },
            "stop": {"name": {"defaultValue": "Stop"}}
        },
        "events": {"overheat": {"eventType": "warn", "outputData": [{"identifier": "at", "dataType": "TIMESTAMP"}]}}
    })
}

fn model() -> ThingModel {
    ThingModel::read(&document()).unwrap()
}

/// The document with the value at a JSON pointer replaced (or added to its parent).
fn changed(pointer: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(elements) => elements[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    document
}

#[test]
fn a_model_comes_back_in_the_documented_shape() {
    let shown = model().to_document();
    assert_eq!(shown["modelIdPath"], "/machine/pump");
    assert_eq!(shown["orgId"], Value::Null);
    assert_eq!(shown.get("unknown"), None);
    assert_eq!(
        shown["measurepoints"]["temperature"],
        json!({
            "identifier": "temperature", "name": {"defaultValue": "temperature", "i18nValue": {}}, "desc": null,
            "i18nDesc": null, "tags": {"kind": "heat"}, "isStdElement": false, "stdElementId": null, "dataType": "DOUBLE",
            "dataDefinition": null, "unit": {"unitId": "celsius", "multiplier": "ONE"}, "hasQuality": true,
            "signalType": "AI"
        })
    );
    assert_eq!(shown["measurepoints"]["hours"]["accessMode"], "R");
    let speedup = &shown["services"]["speedup"];
    assert_eq!(
        speedup["inputData"][0],
        json!({
            "identifier": "delta", "dataType": "INT", "dataDefinition": null,
            "name": {"defaultValue": "delta", "i18nValue": {}}, "desc": null, "tags": {}, "unit": null,
            "isStdElement": false, "stdElementId": null, "required": true
        })
    );
    assert_eq!(speedup["callType"], "ASYNC");
    let definition: Value = serde_json::from_str(speedup["inputData"][2]["dataDefinition"].as_str().unwrap()).unwrap();
    assert_eq!(definition["items"][0]["identifier"], "name");
    assert_eq!(shown["events"]["overheat"]["eventType"], "WARN");
    assert_eq!(shown["attributes"]["serial"]["defaultValue"], "0");
}

#[test]
fn reading_what_was_written_gives_the_same_model() {
    let mut model = model();
    model.org_id = Some("o1".to_owned());
    assert_eq!(ThingModel::read(&model.to_document()), Ok(model));
}

#[test]
fn a_model_needs_only_an_id_and_a_name() {
    let model = ThingModel::read(&json!({"modelId": "m", "name": {"defaultValue": "M"}, "services": null})).unwrap();
    assert_eq!(model.model_id_path, "/m");
    assert!(model.services.is_empty());
}

#[test]
fn every_broken_rule_is_named_with_its_path() {
    let delta = "/services/speedup/intputData/0";
    let cases = [
        ("/modelId", Value::Null, "modelId: expected identifier, found nothing"),
        (
            "/modelId",
            json!("a/b"),
            "modelId: expected identifier of 1 to 128 characters without spaces, '/', '+' and '#'",
        ),
        (
            "/modelIdPath",
            json!("/x"),
            "modelIdPath: expected path ending in /pump, found \"/x\"",
        ),
        (
            "/name",
            json!("Pump"),
            "name: expected object with defaultValue, found \"Pump\"",
        ),
        (
            "/name",
            json!({"defaultValue": ""}),
            "name.defaultValue: expected text, found nothing",
        ),
        ("/desc", json!(3), "desc: expected text, found 3"),
        ("/tags", json!({"a b": "x"}), "tags.a b: expected key of 1 to 49"),
        (
            "/services",
            json!([]),
            "services: expected object of definitions by identifier, found []",
        ),
        (
            "/services/a b",
            json!({}),
            "services.a b: expected identifier of 1 to 128",
        ),
        ("/services/stop", json!([]), "services.stop: expected object, found []"),
        (
            "/services/stop/identifier",
            json!("go"),
            "services.stop.identifier: expected \"stop\", as the key says, found \"go\"",
        ),
        (
            "/services/stop/callType",
            json!("LATER"),
            "services.stop.callType: expected one of ASYNC, SYNC, found \"LATER\"",
        ),
        (
            "/services/stop/inputData",
            json!({}),
            "services.stop.inputData: expected array, found {}",
        ),
        (
            "/services/stop/inputData",
            json!([{"identifier": "a", "dataType": "INT"}, {"identifier": "a", "dataType": "INT"}]),
            "services.stop.inputData[1].identifier: expected identifier used only once, found \"a\"",
        ),
        (
            &format!("{delta}/dataType"),
            json!("NUMBER"),
            "services.speedup.intputData[0].dataType: expected one of INT, FLOAT, DOUBLE",
        ),
        (
            &format!("{delta}/dataType"),
            Value::Null,
            "services.speedup.intputData[0].dataType: expected one of INT, FLOAT, DOUBLE",
        ),
        (
            &format!("{delta}/identifier"),
            Value::Null,
            "services.speedup.intputData[0].identifier: expected identifier",
        ),
        (
            &format!("{delta}/required"),
            json!("yes"),
            "services.speedup.intputData[0].required: expected true or false",
        ),
        (
            "/attributes/serial/dataDefinition",
            json!("{"),
            "attributes.serial.dataDefinition: expected object, or an object as text",
        ),
        (
            "/attributes/serial/dataDefinition",
            json!([]),
            "attributes.serial.dataDefinition: expected object, or an object as text",
        ),
        (
            "/attributes/serial/dataDefinition",
            json!({"maxLength": 1025}),
            "attributes.serial.dataDefinition.maxLength: expected number from 1 to 1024, found 1025",
        ),
        (
            "/attributes/serial/isRequired",
            json!(1),
            "attributes.serial.isRequired: expected true or false, found 1",
        ),
        (
            "/measurepoints/hours/accessMode",
            json!("W"),
            "measurepoints.hours.accessMode: expected one of R, RW",
        ),
        (
            "/measurepoints/hours/signalType",
            json!("X"),
            "measurepoints.hours.signalType: expected one of Generic, AI, PI, DI",
        ),
        (
            "/measurepoints/hours/unit",
            json!({}),
            "measurepoints.hours.unit.unitId: expected text, found nothing",
        ),
        (
            "/events/overheat/eventType",
            json!(""),
            "events.overheat.eventType: expected one of INFO, WARN, ERROR",
        ),
    ];
    for (pointer, value, expected) in cases {
        let refused = ThingModel::read(&changed(pointer, value))
            .expect_err(pointer)
            .to_string();
        assert!(refused.starts_with(expected), "{pointer}: {refused}");
    }
    assert_eq!(
        ThingModel::read(&json!([])).unwrap_err().to_string(),
        "expected object, found []"
    );
}

#[test]
fn every_broken_definition_is_named_with_its_path() {
    let cases = [
        (
            "ENUM",
            json!({}),
            "enumType: expected one of INT, STRING, found nothing",
        ),
        (
            "ENUM",
            json!({"enumType": "INT", "enumDesc": {}}),
            "enumDesc: expected object with at least one key",
        ),
        (
            "ENUM",
            json!({"enumType": "INT", "enumDesc": {"a": 1}}),
            "enumDesc: expected INT as key, found \"a\"",
        ),
        (
            "ENUM",
            json!({"enumType": "STRING", "enumDesc": {"a": 1}, "defaultValue": "b"}),
            "defaultValue: expected ENUM (a), found \"b\"",
        ),
        (
            "BOOL",
            json!({"defaultValue": "perhaps"}),
            "defaultValue: expected BOOL (true, false, 1 or 0)",
        ),
        (
            "ARRAY",
            json!({}),
            "itemType: expected one of INT, FLOAT, DOUBLE, STRING, found nothing",
        ),
        (
            "ARRAY",
            json!({"itemType": "STRUCT"}),
            "itemType: expected one of INT, FLOAT, DOUBLE, STRING",
        ),
        ("STRUCT", json!({}), "items: expected array, found nothing"),
        (
            "STRUCT",
            json!({"items": [{"identifier": "a", "dataType": "STRUCT"}]}),
            "items[0].dataType: expected type other than STRUCT, found \"STRUCT\"",
        ),
        (
            "STRUCT",
            json!({"items": [{"identifier": "a", "dataType": "ENUM"}]}),
            "items[0].dataDefinition.enumType: expected one of INT, STRING",
        ),
    ];
    for (data_type, definition, expected) in cases {
        for definition in [Value::String(definition.to_string()), definition] {
            let point = json!({"dataType": data_type, "dataDefinition": definition});
            let refused = ThingModel::read(&changed("/measurepoints/hours", point))
                .unwrap_err()
                .to_string();
            let expected = format!("measurepoints.hours.dataDefinition.{expected}");
            assert!(refused.starts_with(&expected), "{refused}");
        }
    }
}

fn invoke(service_id: &str, input: Value) -> Command {
    let Value::Object(input) = input else {
        panic!("input is an object")
    };
    Command::InvokeService {
        service_id: service_id.to_owned(),
        input,
    }
}

fn set(point: &str, value: Value) -> Command {
    Command::SetMeasurepoint {
        measurepoint_id: point.to_owned(),
        value,
    }
}

#[test]
fn an_accepted_command_carries_the_defaults_and_is_otherwise_unchanged() {
    let cases = [
        (
            invoke("speedup", json!({"delta": 3})),
            invoke("speedup", json!({"delta": 3, "gear": 1})),
        ),
        (
            invoke("speedup", json!({"delta": -3, "gear": 2, "mode": {"name": "eco"}})),
            invoke(
                "speedup",
                json!({"delta": -3, "gear": 2, "mode": {"name": "eco", "soft": true}}),
            ),
        ),
        (
            invoke(
                "speedup",
                json!({"delta": 3, "gear": null, "mode": {"name": "eco", "soft": 0}}),
            ),
            invoke(
                "speedup",
                json!({"delta": 3, "gear": 1, "mode": {"name": "eco", "soft": 0}}),
            ),
        ),
        (invoke("stop", json!({})), invoke("stop", json!({}))),
        (set("temperature", json!(30.5)), set("temperature", json!(30.5))),
    ];
    for (given, accepted) in cases {
        assert_eq!(model().validate_command(&given), Ok(accepted));
    }
}

#[test]
fn a_refused_command_names_the_field_of_the_request() {
    let input = "commandInfo.serviceInvokeInfo.inputData";
    let cases = [
        (invoke("fly", json!({})), "commandInfo.serviceInvokeInfo.serviceId: expected service of the model pump, found \"fly\"".to_owned()),
        (invoke("speedup", json!({"delta": "x"})), format!("{input}.delta: expected INT, found \"x\"")),
        (invoke("speedup", json!({})), format!("{input}.delta: expected INT, found nothing")),
        (
            invoke("speedup", json!({"delta": 1, "turbo": true})),
            format!("{input}.turbo: expected one of the parameters delta, gear, mode, found \"turbo\""),
        ),
        (invoke("stop", json!({"now": 1})), format!("{input}.now: expected no parameter, found \"now\"")),
        (invoke("speedup", json!({"delta": 1, "gear": 3})), format!("{input}.gear: expected ENUM (1, 2), found 3")),
        (
            invoke("speedup", json!({"delta": 1, "mode": {"name": "eagle"}})),
            format!("{input}.mode.name: expected STRING of at most 4 bytes, found \"eagle\""),
        ),
        (invoke("speedup", json!({"delta": 1, "mode": {}})), format!("{input}.mode.name: expected STRING of at most 4 bytes, found nothing")),
        (
            set("pressure", json!(1)),
            "commandInfo.setMeasurepointInfo.measurepointId: expected measurement point of the model pump, found \"pressure\"".to_owned(),
        ),
        (
            set("hours", json!(1)),
            "commandInfo.setMeasurepointInfo.measurepointId: expected measurement point that can be set, found \"hours\"".to_owned(),
        ),
        (set("temperature", json!("hot")), "commandInfo.setMeasurepointInfo.value: expected DOUBLE, found \"hot\"".to_owned()),
        (set("temperature", Value::Null), "commandInfo.setMeasurepointInfo.value: expected DOUBLE, found nothing".to_owned()),
    ];
    for (command, expected) in cases {
        assert_eq!(model().validate_command(&command).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_patch_replaces_fields_and_changes_definitions_one_by_one() {
    let patched = model()
        .patched(&json!({
            "modelId": "pump", "orgId": "other", "desc": null, "category": "pumps", "tags": {"line": "2"},
            "services": {"stop": null, "start": {"callType": "SYNC"}}
        }))
        .unwrap();
    assert_eq!(patched.services.keys().collect::<Vec<_>>(), ["speedup", "start"]);
    assert_eq!(
        (patched.org_id.as_deref(), patched.desc.as_deref()),
        (None, Some("moves water"))
    );
    assert_eq!(
        (patched.category.as_deref(), patched.tags["line"].as_str()),
        (Some("pumps"), "2")
    );
    assert_eq!(patched.measurepoints, model().measurepoints);

    let refused = |patch: Value| model().patched(&patch).unwrap_err().to_string();
    assert_eq!(
        refused(json!({"modelId": "x"})),
        "modelId: expected \"pump\", found \"x\""
    );
    assert_eq!(
        refused(json!({"services": {"stop": 1}})),
        "services.stop: expected object, found 1"
    );
    assert!(refused(json!({"events": 3})).starts_with("events: expected object of definitions"));
}

#[test]
fn a_model_is_found_by_its_id_name_and_tags() {
    let held = [
        "modelId in ('pump')",
        "modelId like 'PU'",
        "modelName like 'pump' and modelName.zh_CN like '泵'",
        "tags.line = 1",
        "attribute_tags.kind = 'plate' and measurepoint_tags.kind = 'heat' and exists(service_tags.kind)",
        "not exists(service_tags.x) and service_tags.kind != 'heat'",
        "not exists(event_tags.kind) and event_tags.kind != 'heat'",
    ];
    for expression in held {
        assert!(
            Filter::<ModelField>::parse(expression).unwrap().matches(&model()),
            "{expression}"
        );
    }
    assert!(
        !Filter::<ModelField>::parse("service_tags.kind = 'heat'")
            .unwrap()
            .matches(&model())
    );
}

#[test]
fn a_stored_name_that_shows_nothing_is_read_and_a_new_one_is_refused_by_its_path() {
    let point = |name: &str| json!([{"identifier": "i", "dataType": "INT", "name": {"defaultValue": name}}]);
    for (place, value, path) in [
        ("name", json!({"defaultValue": " "}), "name"),
        (
            "attributes",
            json!({"a": {"dataType": "INT", "name": {"defaultValue": "\u{ffa0}"}}}),
            "attributes.a.name",
        ),
        (
            "services",
            json!({"s": {"inputData": point("\u{3000}")}}),
            "services.s.inputData[0].name",
        ),
        (
            "events",
            json!({"e": {"outputData": point("\t")}}),
            "events.e.outputData[0].name",
        ),
    ] {
        let mut document = json!({"modelId": "m", "name": {"defaultValue": "n"}});
        document[place] = value;
        let stored = ThingModel::read(&document).unwrap();
        let refused = stored.check_names().unwrap_err().to_string();
        let expected = format!("{path}.defaultValue: expected text that is not blank");
        assert!(refused.starts_with(&expected), "{refused}");
    }
    model().check_names().unwrap();
}
