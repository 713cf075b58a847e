//! Flags of list commands, put together into one expression of the API (docs/api.md, "Expressions").

use aldis_client::quoted;

/// Conditions that must all hold.
#[derive(Debug, Default)]
pub(crate) struct Filter(Vec<String>);

impl Filter {
    /// The operator's own expression first, if there is one.
    pub(crate) fn starting_with(expression: Option<&str>) -> Self {
        Self(expression.map(|text| format!("({text})")).into_iter().collect())
    }

    /// The field has this value, if one is given.
    pub(crate) fn equals(mut self, field: &str, value: Option<&str>) -> Self {
        self.0.extend(value.map(|value| format!("{field} = {}", quoted(value))));
        self
    }

    /// The field has one of these values, if any are given.
    pub(crate) fn one_of(mut self, field: &str, values: &[String]) -> Self {
        if !values.is_empty() {
            let list: Vec<_> = values.iter().map(|value| quoted(value)).collect();
            self.0.push(format!("{field} in ({})", list.join(", ")));
        }
        self
    }

    /// The name contains this text, if one is given.
    pub(crate) fn contains(mut self, field: &str, value: Option<&str>) -> Self {
        self.0
            .extend(value.map(|value| format!("{field} like {}", quoted(value))));
        self
    }

    /// The expression; `None` without conditions.
    pub(crate) fn expression(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_joined_and_values_quoted() {
        let filter = Filter::starting_with(Some("a = 1 or b = 2"))
            .equals("productKey", Some("p'1"))
            .equals("status", None)
            .one_of("status", &["FAILED".to_owned(), "CANCELLED".to_owned()])
            .contains("name", Some("reboot"));
        assert_eq!(
            filter.expression().unwrap(),
            "(a = 1 or b = 2) and productKey = 'p''1' and status in ('FAILED', 'CANCELLED') and name like 'reboot'"
        );
        assert_eq!(Filter::default().expression(), None);
    }
}
