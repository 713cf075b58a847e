//! Asks a filter of one record in memory. This is the meaning of the language; an SQL driver must agree with it.

use std::cmp::Ordering;

use super::ast::Comparison;
use super::filter::{Filter, Value};
use crate::i18n::I18nText;
use crate::time::Timestamp;

/// Something that a filter can be asked of.
pub trait Record<F> {
    /// What the record has for the field; `sub` is the key for maps and of no interest for other fields.
    fn values(&self, field: F, sub: Option<&str>) -> Values<'_>;
}

/// What a record has for a field.
#[derive(Debug)]
pub enum Values<'a> {
    /// Any number of values: none if absent, several where a field gathers them (tags of all services).
    List(Vec<Value>),
    /// A name in several languages.
    Name(&'a I18nText),
}

impl Values<'_> {
    /// The field is absent.
    #[must_use]
    pub const fn absent() -> Self {
        Self::List(Vec::new())
    }

    /// The field has this value.
    pub fn one(value: impl Into<Value>) -> Self {
        Self::List(vec![value.into()])
    }

    /// The field has this JSON value, as attributes do; null counts as absent.
    #[must_use]
    pub fn json(value: &serde_json::Value) -> Self {
        Self::List(Value::from_json(value).into_iter().collect())
    }
}

impl<V: Into<Value>> FromIterator<V> for Values<'_> {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl Value {
    /// A JSON value; arrays and objects become their text, null nothing.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        match json {
            Json::Null => None,
            Json::Bool(truth) => Some(Self::Bool(*truth)),
            Json::Number(number) => number
                .as_i64()
                .map(Self::Int)
                .or_else(|| number.as_f64().map(Self::Float)),
            Json::String(text) => Some(Self::Text(text.clone())),
            Json::Array(_) | Json::Object(_) => Some(Self::Text(json.to_string())),
        }
    }

    /// How two values compare: numbers, truth values and moments by number, texts by character; `None` between texts
    /// and the others.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Text(_), _) | (_, Self::Text(_)) => None,
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Float(a), b) => compare_mixed(b.whole(), *a).map(Ordering::reverse),
            (a, Self::Float(b)) => compare_mixed(a.whole(), *b),
            (a, b) => Some(a.whole().cmp(&b.whole())),
        }
    }

    /// The whole number behind anything but texts and fractions, which never ask.
    fn whole(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            Self::Bool(truth) => i64::from(*truth),
            Self::Time(moment) => moment.0,
            Self::Text(_) | Self::Float(_) => 0,
        }
    }
}

/// Whole number against fraction without losing digits of either: through `f64`, then by the exact whole numbers when
/// that cannot tell them apart.
fn compare_mixed(whole: i64, fraction: f64) -> Option<Ordering> {
    /// 2^63, the first `f64` above every `i64`.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if fraction.is_nan() {
        return None;
    }
    if fraction >= BEYOND {
        return Some(Ordering::Less);
    }
    if fraction < -BEYOND {
        return Some(Ordering::Greater);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the floor is inside the range of i64, checked above"
    )]
    let floor = fraction.floor() as i64;
    let above_floor = if fraction.fract() == 0.0 {
        Ordering::Equal
    } else {
        Ordering::Less
    };
    Some(whole.cmp(&floor).then(above_floor))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        Self::Time(moment)
    }
}

impl<F: Copy> Filter<F> {
    /// Whether the record passes.
    pub fn matches<R: Record<F>>(&self, record: &R) -> bool {
        match self {
            Self::And(members) => members.iter().all(|member| member.matches(record)),
            Self::Or(members) => members.iter().any(|member| member.matches(record)),
            Self::Not(inner) => !inner.matches(record),
            Self::Compare { field, sub, op, value } => {
                let found = record.values(*field, sub.as_deref()).flatten(sub.as_deref());
                match op {
                    Comparison::Ne => !found.iter().any(|held| holds(held, Comparison::Eq, value)),
                    Comparison::Eq | Comparison::Lt | Comparison::Le | Comparison::Gt | Comparison::Ge => {
                        found.iter().any(|held| holds(held, *op, value))
                    }
                }
            }
            Self::In {
                field,
                sub,
                values,
                negated,
            } => {
                let found = record.values(*field, sub.as_deref()).flatten(sub.as_deref());
                let is_in = |held: &Value| values.iter().any(|value| holds(held, Comparison::Eq, value));
                found.iter().any(is_in) != *negated
            }
            Self::Like { field, sub, text } => {
                let found = record.values(*field, sub.as_deref()).flatten(sub.as_deref());
                found
                    .iter()
                    .any(|held| matches!(held, Value::Text(held) if contains_folded(held, text)))
            }
            Self::Exists { field, sub } => !record.values(*field, sub.as_deref()).flatten(sub.as_deref()).is_empty(),
        }
    }
}

impl Values<'_> {
    /// The values themselves; of a name those that `sub` asks for.
    fn flatten(self, sub: Option<&str>) -> Vec<Value> {
        match (self, sub) {
            (Self::List(values), _) => values,
            (Self::Name(name), None) => name.all().map(Value::from).collect(),
            (Self::Name(name), Some(Filter::<()>::DEFAULT)) => vec![Value::from(name.default_value.as_str())],
            (Self::Name(name), Some(locale)) => vec![Value::from(name.in_locale(locale))],
        }
    }
}

fn holds(held: &Value, op: Comparison, wanted: &Value) -> bool {
    let Some(order) = held.compare(wanted) else {
        return op == Comparison::Ne;
    };
    match op {
        Comparison::Eq => order.is_eq(),
        Comparison::Ne => order.is_ne(),
        Comparison::Lt => order.is_lt(),
        Comparison::Le => order.is_le(),
        Comparison::Gt => order.is_gt(),
        Comparison::Ge => order.is_ge(),
    }
}

/// Text with its case folded away, as `like` compares it.
#[must_use]
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Whether `text` contains `folded` (which went through [`fold`]), whatever its case. What `like` means.
#[must_use]
pub fn contains_folded(text: &str, folded: &str) -> bool {
    fold(text).contains(folded)
}
