//! Search filters as SQL.
//!
//! Whatever an index can help with becomes plain SQL over columns that are never NULL, so that SQL's third truth value
//! has nowhere to come from. Conditions over JSON (names, tags, attributes), and `like`, are asked of `aldis_core`
//! itself through functions that SQLite calls row by row: there is one meaning of the language, not two.

mod functions;
mod query;

pub(crate) use functions::{Conditions, register};
pub(crate) use query::Query;

use aldis_core::expression::{Filter, Record, Value, Values};

/// A filter's condition asked of one value.
pub(crate) fn accepts<F: Copy>(condition: &Filter<F>, value: impl Into<Value>) -> bool {
    condition.matches(&Only(value.into()))
}

/// The same filter over other fields.
pub(crate) fn map_field<F, G>(condition: &Filter<F>, to: &impl Fn(&F) -> G) -> Filter<G> {
    let all = |members: &[Filter<F>]| members.iter().map(|member| map_field(member, to)).collect();
    match condition {
        Filter::And(members) => Filter::And(all(members)),
        Filter::Or(members) => Filter::Or(all(members)),
        Filter::Not(inner) => Filter::Not(Box::new(map_field(inner, to))),
        Filter::Compare { field, sub, op, value } => Filter::Compare {
            field: to(field),
            sub: sub.clone(),
            op: *op,
            value: value.clone(),
        },
        Filter::In {
            field,
            sub,
            values,
            negated,
        } => Filter::In {
            field: to(field),
            sub: sub.clone(),
            values: values.clone(),
            negated: *negated,
        },
        Filter::Like { field, sub, text } => Filter::Like {
            field: to(field),
            sub: sub.clone(),
            text: text.clone(),
        },
        Filter::Exists { field, sub } => Filter::Exists {
            field: to(field),
            sub: sub.clone(),
        },
    }
}

/// A record that has this value for every field.
struct Only(Value);

impl<F> Record<F> for Only {
    fn values(&self, _field: F, _sub: Option<&str>) -> Values<'_> {
        Values::one(self.0.clone())
    }
}
