//! A table of every data type, and properties over arbitrary documents and values.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::*;
use super::{changed, model};

fn data_type(name: &str, definition: Value) -> DataType {
    let point = json!({"dataType": name, "dataDefinition": definition});
    let model = ThingModel::read(&changed("/measurepoints/p", point)).unwrap();
    model.measurepoints["p"].spec.data_type.clone()
}

#[test]
fn each_data_type_takes_its_values_and_no_others() {
    let null = Value::Null;
    let enum_of = |kind: &str| json!({"enumType": kind, "enumDesc": {"0": {}, "-5": {}}});
    let structure = json!({"items": [
        {"identifier": "a", "dataType": "INT", "required": true},
        {"identifier": "b", "dataType": "ARRAY", "dataDefinition": "{\"itemType\":\"INT\"}"}
    ]});
    let cases: [(&str, &Value, Vec<Value>, Vec<Value>); 14] = [
        (
            "INT",
            &null,
            vec![
                json!(0),
                json!(i32::MIN),
                json!(i32::MAX),
                json!(22.0),
                json!(1e2),
                json!(-0.0),
            ],
            vec![
                json!(2_147_483_648_i64),
                json!(2_147_483_648.0),
                json!(1.5),
                json!(1e300),
                json!("1"),
                json!(true),
                json!(null),
                json!([1]),
            ],
        ),
        (
            "FLOAT",
            &null,
            vec![json!(1), json!(-1.5e30)],
            vec![json!("1.5"), json!(false), json!({})],
        ),
        (
            "DOUBLE",
            &null,
            vec![json!(1), json!(u64::MAX), json!(1e300)],
            vec![json!("x"), null.clone()],
        ),
        (
            "BOOL",
            &null,
            vec![json!(true), json!(false), json!(0), json!(1), json!(1.0)],
            vec![json!(2), json!("true"), json!(0.5)],
        ),
        (
            "ENUM",
            &enum_of("INT"),
            vec![json!(0), json!(-5), json!(0.0), json!(-5.0)],
            vec![json!(1), json!("0"), json!(0.5)],
        ),
        (
            "ENUM",
            &enum_of("STRING"),
            vec![json!("0"), json!("-5")],
            vec![json!("1"), json!(0)],
        ),
        (
            "STRING",
            &json!({"maxLength": 4}),
            vec![json!(""), json!("abcd"), json!("éé")],
            vec![json!("ééé"), json!(3)],
        ),
        (
            "STRING",
            &null,
            vec![json!("x".repeat(1024))],
            vec![json!("x".repeat(1025))],
        ),
        (
            "TIMESTAMP",
            &null,
            vec![
                json!(1_718_952_446_317_i64),
                json!(1.718_952_446_317e12),
                json!("1718952446317"),
                json!(0),
            ],
            vec![
                json!(-1),
                json!(1e19),
                json!(1.5),
                json!(""),
                json!("now"),
                json!("99999999999999999999"),
            ],
        ),
        (
            "DATE",
            &null,
            vec![json!("2024-06-21 06:47:26"), json!("2024-02-29")],
            vec![
                json!("2024-06-31"),
                json!("2024-06-21T06:47:26"),
                json!("2024-06-21 24:00:00"),
                json!("21.6.2024"),
                json!(1),
            ],
        ),
        (
            "STRUCT",
            &structure,
            vec![json!({"a": 1}), json!({"a": 1, "b": [2]}), json!({"a": 1, "b": null})],
            vec![
                json!({}),
                json!({"a": null}),
                json!({"a": "x"}),
                json!({"a": 1, "c": 1}),
                json!({"a": 1, "b": ["x"]}),
                json!([]),
            ],
        ),
        (
            "ARRAY",
            &json!({"itemType": "INT"}),
            vec![json!([]), json!(vec![1; 128])],
            vec![json!(vec![1; 129]), json!([1.5]), json!(1)],
        ),
        (
            "ARRAY",
            &json!({"itemType": "STRING"}),
            vec![json!(["a", ""])],
            vec![json!(["a", 1]), json!([null]), json!("a")],
        ),
        ("FILE", &null, vec![json!("file:///a")], vec![json!(1), json!({})]),
    ];
    for (name, definition, good, bad) in cases {
        let data_type = data_type(name, definition.clone());
        assert_eq!(data_type.name(), name);
        for value in good {
            assert_eq!(data_type.check_value(&value), Ok(()), "{name} {value}");
        }
        for value in bad {
            assert!(data_type.check_value(&value).is_err(), "{name} {value}");
        }
    }
}

#[test]
fn whole_numbers_of_a_command_are_written_without_fraction_or_exponent() {
    let null = Value::Null;
    let int_enum = json!({"enumType": "INT", "enumDesc": {"3": {}}});
    let ints = json!({"itemType": "INT"});
    let floats = json!({"itemType": "FLOAT"});
    for (name, definition, written, accepted) in [
        ("INT", &null, json!(22.0), "22"),
        ("INT", &null, json!(1e2), "100"),
        ("BOOL", &null, json!(1.0), "1"),
        ("ENUM", &int_enum, json!(3.0), "3"),
        ("TIMESTAMP", &null, json!(1.7e12), "1700000000000"),
        ("ARRAY", &ints, json!([1.0, 2]), "[1,2]"),
        ("ARRAY", &floats, json!([1.0, 2]), "[1.0,2]"),
        ("FLOAT", &null, json!(22.0), "22.0"),
    ] {
        let data_type = data_type(name, definition.clone());
        let found = data_type.accept(&written).map(|value| value.to_string());
        assert_eq!(found, Ok(accepted.to_owned()), "{name} {written}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,10}".prop_map(Value::from),
        prop::sample::select(vec!["INT", "STRUCT", "ENUM", "{\"items\":[]}", "2024-06-21"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        let key = prop::sample::select(vec![
            "modelId",
            "name",
            "services",
            "inputData",
            "identifier",
            "dataType",
            "dataDefinition",
            "items",
            "defaultValue",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_the_reader_panic(document in any_json()) {
        if let Ok(model) = ThingModel::read(&document) {
            prop_assert_eq!(ThingModel::read(&model.to_document()), Ok(model));
        }
        drop(model().patched(&document));
    }

    #[test]
    fn an_accepted_value_is_accepted_again(value in any_json()) {
        let model = model();
        for point in &model.services["speedup"].input_data {
            if let Ok(accepted) = point.spec.data_type.accept(&value) {
                prop_assert_eq!(point.spec.data_type.accept(&accepted), Ok(accepted));
            }
        }
    }
}
