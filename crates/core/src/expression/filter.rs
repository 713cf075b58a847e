//! An expression whose fields are known and whose values have the fields' types: what a store is given.

use super::ast::{At, Comparison, Expr, Literal, Path};
use super::eval::fold;
use super::fields::{Field, FieldEntry, FieldKind, Operator};
use super::{Error, Problem, moment, parse};
use crate::i18n;
use crate::time::Timestamp;

/// A typed condition over the fields `F`.
///
/// `sub` is the part after the field's dot: the key of a map (always present there), and of a name [`Filter::DEFAULT`]
/// or a locale such as `zh_CN` (absent: the default and every locale are searched). It is `None` for all other fields.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter<F> {
    /// All of them hold; with no member, everything.
    And(Vec<Self>),
    /// At least one holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// Holds if the field is there and compares so. `Ne` is the opposite of `Eq`, hence holds for an absent field.
    Compare {
        /// The field.
        field: F,
        /// The part after its dot.
        sub: Option<String>,
        /// The comparison.
        op: Comparison,
        /// Of the field's type.
        value: Value,
    },
    /// Holds if the field is there and is one of the values, or with `negated` exactly if not.
    In {
        /// The field.
        field: F,
        /// The part after its dot.
        sub: Option<String>,
        /// At least one, each of the field's type.
        values: Vec<Value>,
        /// The opposite.
        negated: bool,
    },
    /// Holds if the field's text, folded, contains `text`.
    Like {
        /// The field.
        field: F,
        /// The part after its dot.
        sub: Option<String>,
        /// Already folded, see [`fold`].
        text: String,
    },
    /// Holds if the field is there.
    Exists {
        /// The field.
        field: F,
        /// The part after its dot.
        sub: Option<String>,
    },
}

/// A value of a field's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, a status word, an id.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Another number, finite.
    Float(f64),
    /// A truth value; equals the numbers 1 and 0, because devices write it so.
    Bool(bool),
    /// A moment.
    Time(Timestamp),
}

impl<F> Filter<F> {
    /// The `sub` that asks for a name's default value alone.
    pub const DEFAULT: &'static str = "default";

    /// The filter that everything passes.
    #[must_use]
    pub const fn everything() -> Self {
        Self::And(Vec::new())
    }
}

impl<F: PartialEq> Filter<F> {
    /// Whether a condition on this field is anywhere in it.
    #[must_use]
    pub fn asks_for(&self, wanted: &F) -> bool {
        match self {
            Self::And(members) | Self::Or(members) => members.iter().any(|member| member.asks_for(wanted)),
            Self::Not(inner) => inner.asks_for(wanted),
            Self::Compare { field, .. }
            | Self::In { field, .. }
            | Self::Like { field, .. }
            | Self::Exists { field, .. } => field == wanted,
        }
    }
}

impl<F: Field> Filter<F> {
    /// Reads an expression against the fields `F`; a blank one is [`Filter::everything`].
    ///
    /// # Errors
    /// The text does not parse, names an unknown field, uses an operator that the field lacks or a value that it cannot
    /// have.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::resolve(parse::parse(text)?)
    }

    /// Gives an expression's fields and values their types.
    ///
    /// # Errors
    /// As [`Filter::parse`], without the syntax.
    pub fn resolve(expr: Expr) -> Result<Self, Error> {
        let all = |members: Vec<Expr>| members.into_iter().map(Self::resolve).collect::<Result<Vec<_>, _>>();
        Ok(match expr {
            Expr::And(members) => Self::And(all(members)?),
            Expr::Or(members) => Self::Or(all(members)?),
            Expr::Not(inner) => Self::Not(Box::new(Self::resolve(*inner)?)),
            Expr::Compare { path, op, value } => Self::compare(&path, op, &value)?,
            Expr::In { path, values, negated } => {
                let target = Target::find(&path)?;
                target.allow(Operator::Equality, if negated { "not in" } else { "in" })?;
                let values = values
                    .iter()
                    .map(|value| target.value(value))
                    .collect::<Result<_, _>>()?;
                Self::In {
                    field: target.entry.field,
                    sub: target.sub,
                    values,
                    negated,
                }
            }
            Expr::Like { path, text } => {
                let target = Target::find(&path)?;
                target.allow(Operator::Like, "like")?;
                Self::Like {
                    field: target.entry.field,
                    sub: target.sub,
                    text: fold(&text),
                }
            }
            Expr::Exists { path } => {
                let target = Target::find(&path)?;
                target.allow(Operator::Exists, "exists")?;
                Self::Exists {
                    field: target.entry.field,
                    sub: target.sub,
                }
            }
        })
    }

    fn compare(path: &At<Path>, op: Comparison, value: &At<Literal>) -> Result<Self, Error> {
        let target = Target::find(path)?;
        let family = match op {
            Comparison::Eq | Comparison::Ne => Operator::Equality,
            Comparison::Lt | Comparison::Le | Comparison::Gt | Comparison::Ge => Operator::Order,
        };
        target.allow(family, op.sign())?;
        if value.it == Literal::Null && family == Operator::Equality {
            let exists = Self::Exists {
                field: target.entry.field,
                sub: target.sub,
            };
            return Ok(if op == Comparison::Eq {
                Self::Not(Box::new(exists))
            } else {
                exists
            });
        }
        let value = target.value(value)?;
        Ok(Self::Compare {
            field: target.entry.field,
            sub: target.sub,
            op,
            value,
        })
    }
}

/// A path that was found in the table of fields.
struct Target<'a, F: 'static> {
    path: &'a At<Path>,
    entry: &'static FieldEntry<F>,
    sub: Option<String>,
}

impl<'a, F: Field> Target<'a, F> {
    fn find(path: &'a At<Path>) -> Result<Self, Error> {
        let (head, rest) = path
            .it
            .0
            .split_first()
            .map_or(("", &[] as &[String]), |(head, rest)| (head.as_str(), rest));
        let Some(entry) = F::TABLE.iter().find(|entry| entry.names.contains(&head)) else {
            let known = F::TABLE
                .iter()
                .filter_map(|entry| entry.names.first().copied())
                .collect::<Vec<_>>()
                .join(", ");
            return Err(Problem::UnknownField {
                field: path.it.to_string(),
                known,
            }
            .at(path.position));
        };
        let sub = read_sub(entry.kind, rest).map_err(|form| {
            let field = path.it.to_string();
            Problem::Part {
                field,
                expected: form.replace('*', head),
            }
            .at(path.position)
        })?;
        Ok(Self { path, entry, sub })
    }

    fn allow(&self, family: Operator, operator: &'static str) -> Result<(), Error> {
        if self.entry.operators.contains(&family) {
            return Ok(());
        }
        let allowed = self
            .entry
            .operators
            .iter()
            .map(|family| spell(*family))
            .collect::<Vec<_>>()
            .join(", ");
        Err(Problem::Operator {
            field: self.path.it.to_string(),
            operator,
            allowed,
        }
        .at(self.path.position))
    }

    fn value(&self, value: &At<Literal>) -> Result<Value, Error> {
        read_value(self.entry.kind, &value.it).map_err(|expected| {
            let field = self.path.it.to_string();
            Problem::Value {
                field,
                expected,
                found: value.it.to_string(),
            }
            .at(value.position)
        })
    }
}

const fn spell(family: Operator) -> &'static str {
    match family {
        Operator::Equality => "=, !=, in, not in",
        Operator::Order => "<, <=, >, >=",
        Operator::Like => "like",
        Operator::Exists => "exists",
    }
}

/// The part after the dot, or the accepted forms with `*` for the field.
fn read_sub(kind: FieldKind, rest: &[String]) -> Result<Option<String>, &'static str> {
    match (kind, rest) {
        (FieldKind::TextMap | FieldKind::Map, [key]) => Ok(Some(key.clone())),
        (FieldKind::TextMap | FieldKind::Map, _) => Err("'*' followed by a dot and one key"),
        (FieldKind::Name, []) => Ok(None),
        (FieldKind::Name, [part]) if part == "default" || part == "defaultValue" => Ok(Some("default".to_owned())),
        (FieldKind::Name, [part]) if i18n::is_locale(part) => Ok(Some(part.clone())),
        (FieldKind::Name, _) => Err("'*', '*.default' or '*' with a locale, as in '*.en_US'"),
        (FieldKind::Text | FieldKind::Status(_) | FieldKind::Time, []) => Ok(None),
        (FieldKind::Text | FieldKind::Status(_) | FieldKind::Time, _) => Err("'*' without a dot"),
    }
}

/// The value in the field's type, or what was expected instead.
fn read_value(kind: FieldKind, literal: &Literal) -> Result<Value, String> {
    match kind {
        FieldKind::Text | FieldKind::Name => match literal {
            Literal::Text(text) => Ok(Value::Text(text.clone())),
            Literal::Int(number) => Ok(Value::Text(number.to_string())),
            Literal::Float(_) | Literal::Bool(_) | Literal::Null => Err("text in quotes".to_owned()),
        },
        FieldKind::Status(words) => read_status(words, literal),
        FieldKind::Time => moment::read(literal)
            .map(Value::Time)
            .ok_or_else(|| moment::EXPECTED.to_owned()),
        FieldKind::TextMap => match literal {
            Literal::Text(text) => Ok(Value::Text(text.clone())),
            Literal::Int(_) | Literal::Float(_) | Literal::Bool(_) => Ok(Value::Text(literal.to_string())),
            Literal::Null => Err("a value".to_owned()),
        },
        FieldKind::Map => match literal {
            Literal::Text(text) => Ok(Value::Text(text.clone())),
            Literal::Int(number) => Ok(Value::Int(*number)),
            Literal::Float(number) => Ok(Value::Float(*number)),
            Literal::Bool(truth) => Ok(Value::Bool(*truth)),
            Literal::Null => Err("a value".to_owned()),
        },
    }
}

fn read_status(words: &[&[&str]], literal: &Literal) -> Result<Value, String> {
    let wanted = |text: &str| {
        words
            .iter()
            .find(|spellings| spellings.iter().any(|s| s.eq_ignore_ascii_case(text)))
    };
    let text = match literal {
        Literal::Text(text) => text.trim().to_owned(),
        Literal::Int(number) => number.to_string(),
        Literal::Float(_) | Literal::Bool(_) | Literal::Null => String::new(),
    };
    if let Some([word, ..]) = wanted(&text) {
        return Ok(Value::Text((*word).to_owned()));
    }
    let known: Vec<&str> = words
        .iter()
        .filter_map(|spellings| spellings.first().copied())
        .collect();
    Err(format!("one of {}", known.join(", ")))
}
