//! Flags of list commands, put together into one expression of the API (docs/api.md, "Expressions").

use std::marker::PhantomData;

use aldis_client::quoted;
use aldis_core::expression::{Field, Filter as Checked};

use crate::exit::usage;

/// Conditions that must all hold, on the fields `F`.
#[derive(Debug)]
pub(crate) struct Filter<F> {
    own: Option<String>,
    conditions: Vec<String>,
    fields: PhantomData<F>,
}

impl<F: Field> Filter<F> {
    /// The operator's own expression first, if there is one.
    pub(crate) fn starting_with(expression: Option<&str>) -> Self {
        Self {
            own: expression.map(str::to_owned),
            conditions: Vec::new(),
            fields: PhantomData,
        }
    }

    /// The field has this value, if one is given.
    pub(crate) fn equals(mut self, field: &str, value: Option<&str>) -> Self {
        let condition = value.map(|value| format!("{field} = {}", quoted(value)));
        self.conditions.extend(condition);
        self
    }

    /// The field has one of these values, if any are given.
    pub(crate) fn one_of(mut self, field: &str, values: &[String]) -> Self {
        if !values.is_empty() {
            let list: Vec<_> = values.iter().map(|value| quoted(value)).collect();
            self.conditions.push(format!("{field} in ({})", list.join(", ")));
        }
        self
    }

    /// The name contains this text, if one is given.
    pub(crate) fn contains(mut self, field: &str, value: Option<&str>) -> Self {
        let condition = value.map(|value| format!("{field} like {}", quoted(value)));
        self.conditions.extend(condition);
        self
    }

    /// The expression; `None` without conditions.
    ///
    /// # Errors
    /// A flag has a value that its field cannot have, or the operator's own expression is wrong. Both are checked here:
    /// what the server says counts characters of the whole, and parentheses could close those that are put around the
    /// expression. An expression alone is sent as it is.
    pub(crate) fn expression(&self) -> anyhow::Result<Option<String>> {
        for condition in &self.conditions {
            Checked::<F>::parse(condition).map_err(|error| usage(format!("{}, found `{condition}`", error.problem)))?;
        }
        let Some(own) = &self.own else {
            return Ok((!self.conditions.is_empty()).then(|| self.conditions.join(" and ")));
        };
        if self.conditions.is_empty() {
            return Ok(Some(own.clone()));
        }
        Checked::<F>::parse(own).map_err(|error| usage(format!("--where: {error}")))?;
        let blank = own.trim().is_empty();
        let first = (!blank).then(|| format!("({own})"));
        let all: Vec<_> = first.iter().chain(&self.conditions).map(String::as_str).collect();
        Ok(Some(all.join(" and ")))
    }
}

#[cfg(test)]
mod tests {
    use aldis_core::expression::TaskField;

    use super::*;

    fn filter(own: Option<&str>) -> Filter<TaskField> {
        Filter::starting_with(own)
    }

    #[test]
    fn conditions_are_joined_and_values_quoted() {
        let filter = filter(Some("jobId = '1' or taskId = '2'"))
            .equals("productKey", Some("p'1"))
            .equals("status", None)
            .one_of("status", &["FAILED".to_owned(), "CANCELLED".to_owned()]);
        assert_eq!(
            filter.expression().unwrap().unwrap(),
            "(jobId = '1' or taskId = '2') and productKey = 'p''1' and status in ('FAILED', 'CANCELLED')"
        );
    }

    #[test]
    fn a_blank_expression_adds_nothing() {
        assert_eq!(filter(None).expression().unwrap(), None);
        let blank = filter(Some(" ")).equals("jobId", Some("1")).expression().unwrap();
        assert_eq!(blank.as_deref(), Some("jobId = '1'"));
    }

    #[test]
    fn a_value_that_a_field_cannot_have_is_named_by_its_field() {
        for filter in [
            filter(None).equals("status", Some("DONE")),
            filter(Some("jobId = '1'")).one_of("status", &["FAILED".to_owned(), "DONE".to_owned()]),
        ] {
            let error = filter.expression().unwrap_err().to_string();
            assert!(
                error.starts_with("field 'status': expected") && error.contains("DONE"),
                "{error}"
            );
            assert!(!error.contains("character"), "{error}");
        }
    }

    #[test]
    fn positions_in_an_expression_are_those_of_the_operators_text() {
        for (own, position) in [
            ("jobId = ", 9),
            ("colour = '1' or jobId = '2'", 1),
            ("jobId = '1') or (jobId = '2'", 12),
        ] {
            let error = filter(Some(own))
                .equals("productKey", Some("p"))
                .expression()
                .unwrap_err();
            let told = format!("--where: expression, character {position}:");
            assert!(error.to_string().starts_with(&told), "{own}: {error}");
            let alone = filter(Some(own)).expression().unwrap();
            assert_eq!(alone.as_deref(), Some(own), "the server tells");
        }
    }
}
