//! The query expression language of the search actions (docs/api.md, "Expressions"): `jobId in ('1', '2') and status =
//! 'FAILED'`.
//!
//! Text becomes an [`Expr`] ([`parse`]), an `Expr` checked against a table of fields becomes a [`Filter`]
//! ([`Filter::parse`]), and a store either compiles the filter to SQL or asks [`Filter::matches`] row by row.
//! Every error carries the character at which the text went wrong, counted from 1.
//!
//! The logic has two values: a comparison with something that is absent is simply false, `!=` and `not in` are the
//! exact opposites of `=` and `in`, and `= null` asks for absence. SQL's third value must not leak out of a store.
//!
//! Not here: which rows exist, how they are sorted and cut into pages.

mod ast;
mod eval;
mod fields;
mod filter;
mod lex;
mod moment;
mod parse;
#[cfg(test)]
mod tests;

pub use ast::{At, Comparison, Expr, Literal, Path};
pub use eval::{Record, Values, contains_folded, fold};
pub use fields::{
    COMMAND_STATES, CommandField, DeviceField, Field, FieldEntry, FieldKind, JobField, ModelField, Operator,
    ProductField, TaskField,
};
pub use filter::{Filter, Value};
pub use parse::parse;

/// Longest accepted expression in bytes: room for a list of two hundred ids, small enough to parse in microseconds.
pub const LENGTH_MAX: usize = 8 * 1024;
/// Deepest nesting of parentheses and `not`; keeps the recursion of parser, typing and evaluation shallow.
pub const DEPTH_MAX: usize = 32;
/// Most values in one `in (…)`.
pub const LIST_MAX: usize = 1000;
/// Most single conditions; an SQL driver may turn them into a chain as deep as this (SQLite stops at 1000).
pub const CONDITIONS_MAX: usize = 500;

/// Why an expression was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expression, character {position}: {problem}")]
pub struct Error {
    /// Counted in characters (not bytes) from 1; one past the last character when the text ends too early.
    pub position: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is longer than [`LENGTH_MAX`].
    #[error("at most {LENGTH_MAX} bytes are accepted, found {bytes}")]
    TooLong {
        /// Length of the text.
        bytes: usize,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("at most {DEPTH_MAX} nested parentheses and 'not' are accepted")]
    TooDeep,
    /// A list is longer than [`LIST_MAX`].
    #[error("at most {LIST_MAX} values are accepted in a list")]
    ListTooLong,
    /// More than [`CONDITIONS_MAX`] conditions.
    #[error("at most {CONDITIONS_MAX} conditions are accepted")]
    TooManyConditions,
    /// The grammar wants something else here.
    #[error("expected {expected}, found {found}")]
    Syntax {
        /// What the grammar allows at this place.
        expected: &'static str,
        /// What stands there, as written.
        found: String,
    },
    /// No such field in this search.
    #[error("unknown field '{field}', expected one of {known}")]
    UnknownField {
        /// The field as written.
        field: String,
        /// The fields of this search.
        known: String,
    },
    /// The part after the field's dot is missing, too much or malformed.
    #[error("field '{field}': expected {expected}")]
    Part {
        /// The field as written.
        field: String,
        /// The spelling that is accepted.
        expected: String,
    },
    /// The field exists but not with this operator.
    #[error("field '{field}' cannot be used with '{operator}', expected {allowed}")]
    Operator {
        /// The field as written.
        field: String,
        /// The operator in its short spelling.
        operator: &'static str,
        /// The operators that the field has.
        allowed: String,
    },
    /// The field cannot have this value.
    #[error("field '{field}': expected {expected}, found {found}")]
    Value {
        /// The field as written.
        field: String,
        /// The values that it can have.
        expected: String,
        /// The value as written.
        found: String,
    },
}

impl Problem {
    pub(crate) const fn at(self, position: usize) -> Error {
        Error {
            position,
            problem: self,
        }
    }
}
