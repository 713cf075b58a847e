//! Expressions and thing models from strangers: whatever arrives is read or refused, and what was read is printed and
//! read again as the same. Seeds of the mutations: `corpus/`; longer runs: docs/reliability.md, "Hostile input".

#[expect(unreachable_pub, reason = "the module is public where crates/tests uses it")]
#[path = "../../tests/src/mutation.rs"]
mod mutation;

use std::path::Path;

use aldis_core::expression::{self, DeviceField, Expr, Filter, JobField, ModelField, ProductField, TaskField};
use aldis_core::model::ThingModel;
use serde_json::Value;

/// Mutated samples of an ordinary run: a second or two.
const TIMES: u32 = 10_000;

fn samples(of: &str) -> Vec<Vec<u8>> {
    mutation::corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(of))
}

fn parsed_again(expression: &Expr) -> Expr {
    let printed = expression.to_string();
    expression::parse(&printed).unwrap_or_else(|error| panic!("{error} in {printed:?}"))
}

#[test]
fn any_expression_is_refused_with_its_place_or_printed_as_it_was_read() {
    let done = mutation::run(&samples("expression"), TIMES, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match expression::parse(&text) {
            Ok(read) => {
                let printed = read.to_string();
                if printed.len() <= expression::LENGTH_MAX {
                    assert_eq!(parsed_again(&read).to_string(), printed, "{text:?}");
                }
            }
            Err(error) => {
                let end = text.chars().count() + 1;
                assert!((1..=end).contains(&error.position), "{error} in {text:?}");
                assert!(!error.to_string().is_empty());
            }
        }
        drop(Filter::<JobField>::parse(&text));
        drop(Filter::<TaskField>::parse(&text));
        drop(Filter::<DeviceField>::parse(&text));
        drop(Filter::<ProductField>::parse(&text));
        drop(Filter::<ModelField>::parse(&text));
    });
    println!("{done} mutated samples");
}

#[test]
fn any_thing_model_is_refused_or_written_as_it_was_read() {
    let done = mutation::run(&samples("thing_model"), TIMES, |bytes| {
        let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
            return;
        };
        match ThingModel::read(&document) {
            Ok(model) => {
                let written = model.to_document();
                let again = ThingModel::read(&written).unwrap_or_else(|error| panic!("{error} in {written}"));
                assert_eq!(again.to_document(), written, "{document}");
                drop(model.patched(&document));
            }
            Err(violation) => assert!(!violation.to_string().is_empty()),
        }
    });
    println!("{done} mutated samples");
}
