//! What a change must not leave open (docs/api.md, "Changes").
//!
//! The vendor's signature is a digest over texts without separators, and covers neither path nor method: on the wire,
//! names, values and the body can be cut anew, and the signature still holds. A tolerant reading would make another
//! change of it: `commandId=C` cut to `commandI=dC` would name no command, and so mean all. Here the reading is strict
//! enough that what remains is another spelling of the same change (SECURITY.md, "What a signature proves").

use aldis_core::violation::Violation;
use axum::http::Method;
use serde_json::Value;

use super::action::Action;
use super::query::Query;

/// Checks a change: its query has only parameters that the action knows, each once; its body is an object; and where it
/// names nothing and so means all, nothing in it could have been a name.
///
/// # Errors
/// The first rule that is broken, with the name of the parameter or field.
pub(super) fn check(action: &Action, method: &Method, query: &Query, body: &Value) -> Result<(), Violation> {
    check_query(action, query)?;
    if !body.is_object() {
        return Err(Violation::of(body, "object").within("body"));
    }
    let Some(name) = action.all_without else {
        return Ok(());
    };
    let is_given = query.given(name).is_some() || body.get(name).is_some_and(|value| !value.is_null());
    if is_given {
        return Ok(());
    }
    check_all(action, name, method, query, body)
}

fn check_query(action: &Action, query: &Query) -> Result<(), Violation> {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (name, value) in query.pairs() {
        if !action.knows(name) {
            let known: Vec<&str> = action.known().collect();
            let expected = format!("only the parameters {}", known.join(", "));
            return Err(Violation::of_text(name, expected).within("query"));
        }
        // The action itself, said twice alike, can be cut to nothing else.
        let again = |(earlier, before): &(&str, &str)| *earlier == name && (name != "action" || *before != value);
        if seen.iter().any(again) {
            return Err(Violation {
                path: name.to_owned(),
                expected: "one such parameter in the query".to_owned(),
                found: "several".to_owned(),
            });
        }
        seen.push((name, value));
    }
    Ok(())
}

/// The request names nothing and means everything: no part of it may be unknown or empty.
fn check_all(action: &Action, name: &str, method: &Method, query: &Query, body: &Value) -> Result<(), Violation> {
    let without = format!("without {name} (which means all)");
    if *method != Method::POST {
        let expected = "a value (only a POST without it means all)";
        return Err(Violation::of(&Value::Null, expected).within(name));
    }
    if query.has_empty_part() {
        return Err(Violation::of_text("", format!("no empty parameter {without}")).within("query"));
    }
    let members = body.as_object().into_iter().flatten();
    for (member, value) in members {
        let known = member == name || action.knows(member);
        if !known || is_empty(value) {
            let what = if known {
                "value that is not empty"
            } else {
                "no other field"
            };
            return Err(Violation::of(value, format!("{what} {without}")).within(member));
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
