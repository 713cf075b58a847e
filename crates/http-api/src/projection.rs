//! Cutting the answers of a search down to the wanted fields: `name.defaultValue`, `inputs[*].identifier`, `tags.*`.

use std::collections::BTreeMap;

use aldis_core::violation::Violation;
use serde_json::Value;

/// Most paths of a projection; no answer has nearly as many fields.
const PATHS_MAX: usize = 100;
/// Longest path.
const PATH_BYTES_MAX: usize = 512;

/// The wanted fields as a tree; a node without branches wants everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Projection(BTreeMap<String, Projection>);

impl Projection {
    /// Reads paths; without any, everything is wanted.
    pub(super) fn read(paths: &[String]) -> Result<Self, Violation> {
        if paths.len() > PATHS_MAX {
            let found = format!("{} paths", paths.len());
            return Err(Violation {
                path: "projection".to_owned(),
                expected: format!("at most {PATHS_MAX} paths"),
                found,
            });
        }
        let mut root = Self::default();
        let mut whole = Vec::new();
        for path in paths {
            let segments = segments(path).map_err(|violation| violation.within("projection"))?;
            let mut node = &mut root;
            for segment in &segments {
                node = node.0.entry((*segment).to_owned()).or_default();
            }
            whole.push(segments);
        }
        // `name` together with `name.defaultValue` wants all of `name`.
        for segments in whole {
            root.cut_below(&segments);
        }
        Ok(root)
    }

    fn cut_below(&mut self, segments: &[&str]) {
        match segments {
            [] => self.0.clear(),
            [first, rest @ ..] => {
                if let Some(node) = self.0.get_mut(*first) {
                    node.cut_below(rest);
                }
            }
        }
    }

    /// Whether nothing is cut.
    pub(super) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// The wanted part of a value. A list is looked through, with or without `[*]`.
    pub(super) fn crop(&self, value: Value) -> Value {
        if self.is_everything() {
            return value;
        }
        match value {
            Value::Array(elements) => Value::Array(elements.into_iter().map(|element| self.crop(element)).collect()),
            Value::Object(fields) => {
                let wanted = |(key, value)| {
                    let node = self.0.get(&key).or_else(|| self.0.get("*"))?;
                    Some((key, node.crop(value)))
                };
                Value::Object(fields.into_iter().filter_map(wanted).collect())
            }
            plain => plain,
        }
    }
}

fn segments(path: &str) -> Result<Vec<&str>, Violation> {
    let wrong = || Violation::of_text(path, "path such as name.defaultValue or list[*].field");
    if path.len() > PATH_BYTES_MAX {
        return Err(wrong());
    }
    let segments: Vec<&str> = path
        .split('.')
        .map(|segment| segment.strip_suffix("[*]").unwrap_or(segment))
        .collect();
    let bad = |segment: &&str| segment.is_empty() || segment.contains(['[', ']', ' ']);
    if segments.iter().any(bad) {
        Err(wrong())
    } else {
        Ok(segments)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn crop(paths: &[&str], value: Value) -> Value {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        Projection::read(&paths).unwrap().crop(value)
    }

    #[test]
    fn only_the_wanted_fields_are_left() {
        let row = json!({"modelId": "m", "name": {"defaultValue": "n", "i18nValue": {"en_US": "x"}},
            "attributes": {"distances": [{"towards": 1, "far": 2}, {"towards": 3}], "other": {"towards": 5}}, "none": null});
        let cases = [
            (vec![], row.clone()),
            (vec!["modelId"], json!({"modelId": "m"})),
            (
                vec!["name.defaultValue", "none"],
                json!({"name": {"defaultValue": "n"}, "none": null}),
            ),
            (vec!["name", "name.defaultValue"], json!({"name": row["name"]})),
            (vec!["name.defaultValue", "name"], json!({"name": row["name"]})),
            (
                vec!["attributes.distances[*].towards"],
                json!({"attributes": {"distances": [{"towards": 1}, {"towards": 3}]}}),
            ),
            (
                vec!["attributes.*.towards"],
                json!({"attributes": {"distances": [{"towards": 1}, {"towards": 3}], "other": {"towards": 5}}}),
            ),
            (vec!["unknown.deeper", "modelId.deeper"], json!({"modelId": "m"})),
        ];
        for (paths, expected) in cases {
            assert_eq!(crop(&paths, row.clone()), expected, "{paths:?}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for bad in ["", "a..b", ".a", "a[0]", "a b", &"a".repeat(600)] {
            assert!(Projection::read(&[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(Projection::read(&vec!["a".to_owned(); 101]).is_err());
    }
}
