//! Whether a command suits every product that a new job names: once per thing model, at creation.
//!
//! A job has one command. Thing models fill in defaults of parameters that were left out; if two models of one job
//! would fill in different ones, the job is refused rather than one model's default sent to another's devices.

use std::collections::BTreeMap;

use aldis_core::command::Command;
use aldis_core::i18n::I18nText;
use aldis_core::ids::{ModelId, OrgId, ProductKey};
use aldis_core::model::ThingModel;
use aldis_core::violation::Violation;
use aldis_store::ReadRegistry;
use serde_json::{Map, Value};

use super::Error;
use super::job_targets::EntriesByProduct;

/// Longest payload of a command, in bytes: what the common device SDKs take in one message.
const PAYLOAD_BYTES_MAX: usize = 512 * 1024;
/// Room for what is around a command's input in its payload: id, version, method with an identifier of 128 characters.
const ENVELOPE_BYTES: usize = 1024;
/// Entries that a refusal names one by one; the rest is counted.
const NAMED_MAX: usize = 5;

const INPUT: &str = "commandInfo.serviceInvokeInfo.inputData";
const VALUE: &str = "commandInfo.setMeasurepointInfo.value";
/// What a job has around a command's input and identifier in its request, and a command of its own has not.
const DEEPER: [&str; 2] = ["commandInfo.serviceInvokeInfo.", "commandInfo.setMeasurepointInfo."];

/// The command as it is to be sent: accepted by the model of every product, defaults filled in.
///
/// # Errors
/// A product speaks a format of its own; a model refuses the command, or fills in something else than another; the
/// command is too large for devices.
pub(super) fn accept(
    store: &dyn ReadRegistry,
    org: &OrgId,
    asked: &EntriesByProduct,
    command: &Command,
) -> Result<Command, Error> {
    let models = models(store, org, asked)?;
    let mut agreed: Option<(&ModelId, Command)> = None;
    for (id, entries) in &models {
        let accepted = model(store, org, id)?
            .validate_command(command)
            .map_err(|violation| placed(violation, id, entries, models.len()))?;
        match &agreed {
            None => agreed = Some((id, accepted)),
            Some((_, first)) if *first == accepted => {}
            Some((other, first)) => return Err(disagreement(first, &accepted, [*other, id]).into()),
        }
    }
    let (_, command) = agreed.ok_or_else(|| Error::Internal("a job without any product".to_owned()))?;
    check_size(&command)?;
    Ok(command)
}

/// A command of its own, for a device of one product, as it is to be sent, with the name of its service or measurement
/// point.
///
/// # Errors
/// As [`accept`], but for what only several products can bring; places are told as in a request for one command.
pub(super) fn accept_single(
    store: &dyn ReadRegistry,
    org: &OrgId,
    product: &ProductKey,
    command: &Command,
) -> Result<(Command, I18nText), Error> {
    let model = model(store, org, &model_of(store, org, product)?)?;
    let accepted = model.validate_command(command).map_err(at_the_top)?;
    check_size(&accepted).map_err(at_the_top)?;
    let name = name_of(&model, &accepted).unwrap_or_else(|| I18nText::plain(accepted.identifier()));
    Ok((accepted, name))
}

fn at_the_top(mut violation: Violation) -> Violation {
    if let Some(path) = DEEPER.iter().find_map(|deeper| violation.path.strip_prefix(deeper)) {
        violation.path = path.to_owned();
    }
    violation
}

fn name_of(model: &ThingModel, command: &Command) -> Option<I18nText> {
    let common = match command {
        Command::InvokeService { service_id, .. } => &model.services.get(service_id)?.common,
        Command::SetMeasurepoint { measurepoint_id, .. } => &model.measurepoints.get(measurepoint_id)?.common,
    };
    Some(common.name.clone())
}

/// The distinct models of the products, each with the entries of the request that lead to it.
fn models(
    store: &dyn ReadRegistry,
    org: &OrgId,
    asked: &EntriesByProduct,
) -> Result<BTreeMap<ModelId, Vec<usize>>, Error> {
    let mut models: BTreeMap<ModelId, Vec<usize>> = BTreeMap::new();
    for (key, entries) in asked {
        models.entry(model_of(store, org, key)?).or_default().extend(entries);
    }
    for entries in models.values_mut() {
        entries.sort_unstable();
    }
    Ok(models)
}

fn model_of(store: &dyn ReadRegistry, org: &OrgId, key: &ProductKey) -> Result<ModelId, Error> {
    let product = store.product(key)?.filter(|product| product.org == *org);
    let product = product.ok_or_else(|| Error::missing("product", key.as_str()))?;
    match product.json {
        true => Ok(product.model),
        false => Err(Error::CustomFormat(key.to_string())),
    }
}

fn model(store: &dyn ReadRegistry, org: &OrgId, id: &ModelId) -> Result<ThingModel, Error> {
    let row = store
        .model(org, id)?
        .ok_or_else(|| Error::missing("thing model", id.as_str()))?;
    ThingModel::read(&row.document)
        .map_err(|violation| Error::Internal(format!("stored thing model {id}: {violation}")))
}

/// With several models, a refusal also says which one refuses and which entries of the request are concerned.
fn placed(mut violation: Violation, model: &ModelId, entries: &[usize], models: usize) -> Violation {
    if models < 2 {
        return violation;
    }
    violation.found = format!("{} (thing model {model}", violation.found);
    if !entries.is_empty() {
        let named: Vec<String> = entries
            .iter()
            .take(NAMED_MAX)
            .map(|index| format!("[{index}]"))
            .collect();
        violation.found = format!("{}, targetScope.targetDevices{}", violation.found, named.join(", "));
        if let Some(more) = entries.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            violation.found = format!("{} and {more} more", violation.found);
        }
    }
    violation.found.push(')');
    violation
}

fn disagreement(one: &Command, other: &Command, models: [&ModelId; 2]) -> Violation {
    let path = match (one, other) {
        (Command::InvokeService { input: one, .. }, Command::InvokeService { input: other, .. }) => {
            let differs = one
                .keys()
                .chain(other.keys())
                .find(|key| one.get(*key) != other.get(*key));
            differs.map_or_else(|| INPUT.to_owned(), |key| format!("{INPUT}.{key}"))
        }
        _ => VALUE.to_owned(),
    };
    let [one, other] = models;
    Violation {
        path,
        expected: "a value (the thing models of the targets have no common default)".to_owned(),
        found: format!("nothing, and different defaults in {one} and {other}"),
    }
}

fn check_size(command: &Command) -> Result<(), Violation> {
    let (path, bytes) = match command {
        Command::InvokeService { input, .. } => (INPUT, json_bytes_of(input)),
        Command::SetMeasurepoint { value, .. } => (VALUE, value.to_string().len()),
    };
    let max = PAYLOAD_BYTES_MAX - ENVELOPE_BYTES;
    if bytes <= max {
        return Ok(());
    }
    Err(Violation {
        path: path.to_owned(),
        expected: format!("at most {max} bytes of JSON"),
        found: format!("{bytes}"),
    })
}

fn json_bytes_of(input: &Map<String, Value>) -> usize {
    serde_json::to_vec(input).map_or(usize::MAX, |bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn invoke(input: Value) -> Command {
        let Value::Object(input) = input else {
            unreachable!("tests pass objects")
        };
        Command::InvokeService {
            service_id: "s".to_owned(),
            input,
        }
    }

    #[test]
    fn a_command_that_no_device_takes_is_refused() {
        let long = "x".repeat(PAYLOAD_BYTES_MAX);
        assert!(check_size(&invoke(json!({"a": &long[..PAYLOAD_BYTES_MAX - 2 * ENVELOPE_BYTES]}))).is_ok());
        let refused = check_size(&invoke(json!({"a": &long}))).unwrap_err().to_string();
        assert_eq!(
            refused,
            "commandInfo.serviceInvokeInfo.inputData: expected at most 523264 bytes of JSON, found 524296"
        );
        let point = Command::SetMeasurepoint {
            measurepoint_id: "p".to_owned(),
            value: json!(long),
        };
        assert!(check_size(&point).unwrap_err().to_string().starts_with(VALUE));
    }

    #[test]
    fn different_defaults_are_named() {
        let (a, b) = (ModelId::from("a"), ModelId::from("b"));
        let violation = disagreement(
            &invoke(json!({"x": 1, "y": 2})),
            &invoke(json!({"x": 1, "y": 3})),
            [&a, &b],
        );
        assert_eq!(
            violation.to_string(),
            "commandInfo.serviceInvokeInfo.inputData.y: expected a value (the thing models of the targets have no common \
             default), found nothing, and different defaults in a and b"
        );
    }
}
