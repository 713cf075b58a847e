//! A query under construction: its text, and what is bound to its question marks, in one order.

use aldis_core::expression::{Comparison, Filter, Value};
use rusqlite::types::Value as Bound;

use super::functions::{Condition, Conditions};
use super::map_field;
use crate::cells::int;

/// SQL's way to say "everything".
const TRUE: &str = "1";

#[derive(Default)]
pub(crate) struct Query {
    sql: String,
    bound: Vec<Bound>,
    conditions: Vec<Condition>,
    /// The JSON columns that the conditions are about.
    columns: Vec<String>,
}

impl Query {
    pub(crate) fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    pub(crate) fn bind(&mut self, value: impl Into<Bound>) -> &mut Self {
        self.sql.push('?');
        self.bound.push(value.into());
        self
    }

    /// Nothing matches. Bound and not written: SQLite refuses a query that it sees to find nothing if that leaves it no
    /// use for the index that it is told to take.
    fn never(&mut self) -> &mut Self {
        self.bind(0)
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.bind(int(number))
    }

    /// `(a, b, c)`.
    pub(crate) fn list<V: Into<Bound>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        self.push("(");
        for (index, value) in values.into_iter().enumerate() {
            self.push(if index == 0 { "" } else { ", " }).bind(value);
        }
        self.push(")")
    }

    /// The statement, what is to be bound to it, and the conditions, made known to the connection.
    pub(crate) fn finish(self, conditions: &Conditions) -> (String, Vec<Bound>) {
        conditions.set(self.conditions, self.columns.len());
        (self.sql, self.bound)
    }

    /// Adds a filter; `leaf` adds a single condition on a field.
    pub(crate) fn filter<F: Copy>(&mut self, filter: &Filter<F>, leaf: &impl Fn(&mut Self, F, &Filter<F>)) {
        match filter {
            Filter::And(members) if members.is_empty() => drop(self.push(TRUE)),
            Filter::Or(members) if members.is_empty() => drop(self.never()),
            Filter::And(members) => self.join(members, " AND ", leaf),
            Filter::Or(members) => self.join(members, " OR ", leaf),
            Filter::Not(inner) => {
                self.push("NOT (").filter(inner, leaf);
                self.push(")");
            }
            Filter::Compare { field, .. }
            | Filter::In { field, .. }
            | Filter::Like { field, .. }
            | Filter::Exists { field, .. } => leaf(self, *field, filter),
        }
    }

    fn join<F: Copy>(&mut self, members: &[Filter<F>], word: &str, leaf: &impl Fn(&mut Self, F, &Filter<F>)) {
        for (index, member) in members.iter().enumerate() {
            self.push(if index == 0 { "(" } else { word });
            self.filter(member, leaf);
        }
        self.push(")");
    }

    /// A condition on a column of texts.
    pub(crate) fn on_text<F>(&mut self, column: &str, condition: &Filter<F>) {
        let text = |value: &Value| match value {
            Value::Text(text) => Some(Bound::from(text.clone())),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) => None,
        };
        match condition {
            Filter::Like { text, .. } => {
                self.push(&format!("contains_folded({column}, "))
                    .bind(text.clone())
                    .push(")");
            }
            other => self.on_column(column, other, text),
        }
    }

    /// A condition on a column of moments.
    pub(crate) fn on_moment<F>(&mut self, column: &str, condition: &Filter<F>) {
        self.on_column(column, condition, |value| match value {
            Value::Time(moment) => Some(Bound::from(moment.0)),
            Value::Int(number) => Some(Bound::from(*number)),
            Value::Float(number) => Some(Bound::from(*number)),
            Value::Bool(truth) => Some(Bound::from(i64::from(*truth))),
            Value::Text(_) => None,
        });
    }

    /// A condition on an id that is a number in its column: by number, so that an index helps, where it asks for
    /// equality; `as_text` says the id otherwise.
    pub(crate) fn on_id<F>(
        &mut self,
        column: &str,
        as_text: &str,
        condition: &Filter<F>,
        read: impl Fn(&str) -> Option<u64>,
    ) {
        let number = |value: &Value| match value {
            Value::Text(text) => read(text).map(|number| Bound::from(int(number))),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) => None,
        };
        match condition {
            Filter::Compare {
                op: Comparison::Eq | Comparison::Ne,
                ..
            }
            | Filter::In { .. }
            | Filter::Exists { .. } => {
                self.on_column(column, condition, number);
            }
            other => self.on_text(as_text, other),
        }
    }

    /// A condition on a column with a few numbers: those that meet it.
    pub(crate) fn on_choice(&mut self, column: &str, numbers: impl IntoIterator<Item = i64>) {
        let numbers: Vec<i64> = numbers.into_iter().collect();
        if numbers.is_empty() {
            self.never();
        } else {
            self.push(column).push(" IN ").list(numbers);
        }
    }

    /// A condition on a JSON column with a name in several languages.
    pub(crate) fn on_name<F>(&mut self, column: &str, condition: &Filter<F>) {
        self.on_json(column, Condition::Name(map_field(condition, &|_| ())));
    }

    /// A condition on a JSON column with a map.
    pub(crate) fn on_map<F>(&mut self, column: &str, condition: &Filter<F>) {
        self.on_json(column, Condition::Map(map_field(condition, &|_| ())));
    }

    fn on_json(&mut self, column: &str, condition: Condition) {
        let place = self.conditions.len() as u64;
        self.conditions.push(condition);
        let known = self.columns.iter().position(|known| known == column);
        let number = known.unwrap_or_else(|| {
            self.columns.push(column.to_owned());
            self.columns.len() - 1
        }) as u64;
        self.push(&format!("holds({column}, "))
            .number(place)
            .push(", ")
            .number(number)
            .push(")");
    }

    /// Equality and order on a column that is never NULL. A value that it cannot have equals none of its values.
    fn on_column<F>(&mut self, column: &str, condition: &Filter<F>, read: impl Fn(&Value) -> Option<Bound>) {
        match condition {
            Filter::Compare { op, value, .. } => match read(value) {
                Some(value) => {
                    self.push(column).push(" ").push(op.sign()).push(" ").bind(value);
                }
                None if *op == Comparison::Ne => drop(self.push(TRUE)),
                None => drop(self.never()),
            },
            Filter::In { values, negated, .. } => {
                let values: Vec<Bound> = values.iter().filter_map(read).collect();
                if values.is_empty() {
                    if *negated {
                        self.push(TRUE);
                    } else {
                        self.never();
                    }
                    return;
                }
                self.push(column)
                    .push(if *negated { " NOT IN " } else { " IN " })
                    .list(values);
            }
            Filter::Exists { .. } => {
                self.push(TRUE);
            }
            // A number contains no text; groups are no conditions on a column.
            Filter::Like { .. } | Filter::And(_) | Filter::Or(_) | Filter::Not(_) => {
                self.never();
            }
        }
    }
}
