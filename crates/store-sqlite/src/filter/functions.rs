//! The functions that SQLite calls back while it searches.

use std::sync::Arc;

use aldis_core::expression::{Filter, Record, Values, contains_folded};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{JobNo, TaskNo};
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use serde_json::{Map, Value};

use crate::driver_error::Result;

/// A condition over a JSON column.
pub(crate) enum Condition {
    /// Over a name in several languages.
    Name(Filter<()>),
    /// Over a map of tags or attributes.
    Map(Filter<()>),
}

/// The conditions of the search under way on a connection; its SQL names them by their place.
#[derive(Clone, Default)]
pub(crate) struct Conditions(Arc<Mutex<Search>>);

#[derive(Default)]
struct Search {
    conditions: Vec<Condition>,
    /// What was read last, one for each JSON column of the search: a row is read once, however many conditions it has
    /// to meet.
    documents: Vec<Document>,
}

#[derive(Default)]
struct Document {
    text: String,
    read: Option<Reading>,
}

/// What a column's text says.
enum Reading {
    Name(Name),
    Map(Entries),
}

impl Conditions {
    /// Replaces those of the last search, which are about this many columns.
    pub(crate) fn set(&self, conditions: Vec<Condition>, columns: usize) {
        let documents = std::iter::repeat_with(Document::default).take(columns).collect();
        *self.0.lock() = Search { conditions, documents };
    }
}

impl Search {
    fn holds(&mut self, json: &str, place: usize, column: usize) -> rusqlite::Result<bool> {
        let unknown = || rusqlite::Error::InvalidParameterCount(0, 1);
        let condition = self.conditions.get(place).ok_or_else(unknown)?;
        let document = self.documents.get_mut(column).ok_or_else(unknown)?;
        match (condition, document.reading(json, condition)?) {
            (Condition::Name(filter), Reading::Name(name)) => Ok(filter.matches(name)),
            (Condition::Map(filter), Reading::Map(entries)) => Ok(filter.matches(entries)),
            (Condition::Name(_), Reading::Map(_)) | (Condition::Map(_), Reading::Name(_)) => Err(unknown()),
        }
    }
}

impl Document {
    fn reading(&mut self, json: &str, condition: &Condition) -> rusqlite::Result<&Reading> {
        let unfit = |error| rusqlite::Error::UserFunctionError(Box::new(error));
        if self.text != json {
            self.read = None;
        }
        if self.read.is_none() {
            self.read = Some(match condition {
                Condition::Name(_) => Reading::Name(Name(serde_json::from_str(json).map_err(unfit)?)),
                Condition::Map(_) => Reading::Map(Entries(serde_json::from_str(json).map_err(unfit)?)),
            });
            json.clone_into(&mut self.text);
        }
        self.read.as_ref().ok_or(rusqlite::Error::InvalidQuery)
    }
}

/// Makes known to a connection:
/// - `holds(json, place, column)`: the condition at that place holds for a JSON column, the one with that number
/// - `contains_folded(text, folded)`: what `like` means
/// - `job_id(no)`, `task_id(no)`: the ids as texts
pub(crate) fn register(conn: &Connection, conditions: &Conditions) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let conditions = conditions.clone();
    conn.create_scalar_function("holds", 3, flags, move |call| holds(&conditions, call))?;
    conn.create_scalar_function("contains_folded", 2, flags, |call| {
        Ok(contains_folded(text(call, 0)?, text(call, 1)?))
    })?;
    conn.create_scalar_function("job_id", 1, flags, |call| {
        Ok(JobNo(call.get::<i64>(0)?.cast_unsigned()).to_job_id())
    })?;
    conn.create_scalar_function("task_id", 1, flags, |call| {
        Ok(TaskNo(call.get::<i64>(0)?.cast_unsigned()).to_task_id())
    })?;
    Ok(())
}

fn holds(conditions: &Conditions, call: &Context<'_>) -> rusqlite::Result<bool> {
    let number = |index| Ok::<_, rusqlite::Error>(usize::try_from(call.get::<i64>(index)?).unwrap_or(usize::MAX));
    let (place, column) = (number(1)?, number(2)?);
    conditions.0.lock().holds(text(call, 0)?, place, column)
}

fn text<'c>(call: &'c Context<'_>, index: usize) -> rusqlite::Result<&'c str> {
    Ok(call.get_raw(index).as_str()?)
}

struct Name(I18nText);

impl Record<()> for Name {
    fn values(&self, (): (), _sub: Option<&str>) -> Values<'_> {
        Values::Name(&self.0)
    }
}

struct Entries(Map<String, Value>);

impl Record<()> for Entries {
    fn values(&self, (): (), sub: Option<&str>) -> Values<'_> {
        sub.and_then(|key| self.0.get(key))
            .map_or_else(Values::absent, Values::json)
    }
}

#[cfg(test)]
mod tests {
    use aldis_core::expression::Comparison;

    use super::*;

    fn tag(key: &str, value: &str) -> Condition {
        Condition::Map(Filter::Compare {
            field: (),
            sub: Some(key.to_owned()),
            op: Comparison::Eq,
            value: aldis_core::expression::Value::Text(value.to_owned()),
        })
    }

    #[test]
    fn text_of_a_row_is_read_once_however_many_conditions_ask_for_it() {
        let conditions = Conditions::default();
        conditions.set(vec![tag("a", "1"), tag("b", "2"), tag("a", "3")], 1);
        let mut search = conditions.0.lock();
        assert!(search.holds(r#"{"a": "1", "b": "2"}"#, 0, 0).unwrap());
        // What was read stands for this text from now on: if it were read again, it could not be.
        search.documents[0].text = "no JSON".to_owned();
        assert!(search.holds("no JSON", 1, 0).unwrap());
        assert!(!search.holds("no JSON", 2, 0).unwrap());
        assert!(search.holds(r#"{"a": "3"}"#, 2, 0).unwrap(), "another row is read");
        assert!(search.holds("no JSON", 2, 0).is_err());
        assert!(search.holds("{}", 3, 0).is_err() && search.holds("{}", 0, 1).is_err());
    }
}
