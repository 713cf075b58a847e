//! Whether a command fits a model. Messages name the place in the request that creates a job.

use serde_json::Value;

use super::ThingModel;
use super::features::AccessMode;
use super::value::accept_named;
use crate::command::Command;
use crate::violation::Violation;

const SERVICE: &str = "commandInfo.serviceInvokeInfo";
const POINT: &str = "commandInfo.setMeasurepointInfo";

impl ThingModel {
    /// Checks a command and gives it back as it is to be sent: with the defaults of parameters that it leaves out.
    ///
    /// # Errors
    /// The service or point is unknown or cannot be set, or a value is unknown, missing or of the wrong type; the path
    /// starts with `commandInfo`.
    pub fn validate_command(&self, command: &Command) -> Result<Command, Violation> {
        match command {
            Command::InvokeService { service_id, input } => {
                let Some(service) = self.services.get(service_id) else {
                    return Err(self
                        .unknown("service", service_id)
                        .within(&format!("{SERVICE}.serviceId")));
                };
                let slots = service.input_data.iter();
                let slots = slots.map(|point| (point.identifier.as_str(), &point.spec, point.required == Some(true)));
                let input = accept_named(slots.collect(), input, "parameter")
                    .map_err(|violation| violation.within(&format!("{SERVICE}.inputData")))?;
                Ok(Command::InvokeService {
                    service_id: service_id.clone(),
                    input,
                })
            }
            Command::SetMeasurepoint { measurepoint_id, value } => {
                let value = self
                    .accept_point(measurepoint_id, value)
                    .map_err(|violation| violation.within(POINT))?;
                Ok(Command::SetMeasurepoint {
                    measurepoint_id: measurepoint_id.clone(),
                    value,
                })
            }
        }
    }

    fn accept_point(&self, id: &str, value: &Value) -> Result<Value, Violation> {
        let Some(point) = self.measurepoints.get(id) else {
            return Err(self.unknown("measurement point", id).within("measurepointId"));
        };
        if point.access_mode == Some(AccessMode::ReadOnly) {
            return Err(Violation::of_text(id, "measurement point that can be set").within("measurepointId"));
        }
        point
            .spec
            .data_type
            .accept(value)
            .map_err(|violation| violation.within("value"))
    }

    fn unknown(&self, kind: &str, found: &str) -> Violation {
        Violation::of_text(found, format!("{kind} of the model {}", self.model_id))
    }
}
