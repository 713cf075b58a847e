//! The functions that SQLite calls back while it searches.

use std::sync::Arc;

use aldis_core::expression::{Filter, Record, Values, contains_folded};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, JobNo, TaskNo};
use aldis_store::Presence;
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use serde_json::{Map, Value};

use crate::failure::Result;

/// A condition over a JSON column.
pub(crate) enum Condition {
    /// Over a name in several languages.
    Name(Filter<()>),
    /// Over a map of tags or attributes.
    Map(Filter<()>),
}

/// The conditions of the search under way on a connection; its SQL names them by their place.
#[derive(Clone, Default)]
pub(crate) struct Conditions(Arc<Mutex<Vec<Condition>>>);

impl Conditions {
    /// Replaces those of the last search.
    pub(crate) fn set(&self, conditions: Vec<Condition>) {
        *self.0.lock() = conditions;
    }
}

/// Makes known to a connection:
/// - `online(no)`: the device has a live session
/// - `holds(json, place)`: the condition at that place holds for a JSON column
/// - `contains_folded(text, folded)`: what `like` means
/// - `job_id(no)`, `task_id(no)`: the ids as texts
pub(crate) fn register(conn: &Connection, conditions: &Conditions, presence: Arc<dyn Presence>) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    conn.create_scalar_function("online", 1, flags, move |call| {
        Ok(presence.is_online(DeviceNo(call.get::<i64>(0)?.cast_unsigned())))
    })?;
    let conditions = conditions.clone();
    conn.create_scalar_function("holds", 2, flags, move |call| holds(&conditions, call))?;
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
    let json = text(call, 0)?;
    let conditions = conditions.0.lock();
    let unfit = |error| rusqlite::Error::UserFunctionError(Box::new(error));
    let place = usize::try_from(call.get::<i64>(1)?).unwrap_or(usize::MAX);
    match conditions.get(place) {
        Some(Condition::Name(filter)) => Ok(filter.matches(&Name(serde_json::from_str(json).map_err(unfit)?))),
        Some(Condition::Map(filter)) => Ok(filter.matches(&Entries(serde_json::from_str(json).map_err(unfit)?))),
        None => Err(rusqlite::Error::InvalidParameterCount(0, 1)),
    }
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
