//! What a search's filter is asked of, and how a page is cut from what passes.

use aldis_core::expression::{CommandField, DeviceField, Filter, JobField, ModelField, Record, TaskField, Values};
use aldis_core::model::ThingModel;
use aldis_core::task::Task;
use aldis_store::rows::{Device, Job, JobText, Model, Product};
use aldis_store::{DeviceStatus, Error, Found, Page, PageBytes, Weigh, status_names};

use super::jobs::JobRow;

/// The page of what passes; `rows` come newest first.
pub(super) fn cut<T: Weigh>(rows: impl Iterator<Item = T>, page: Page) -> Result<Found<T>, Error> {
    let mut total = 0;
    let mut found = Vec::new();
    let mut bytes = PageBytes::default();
    for (index, row) in (0_u64..).zip(rows) {
        total = index + 1;
        if index >= page.skip && index - page.skip < page.take {
            found.push(bytes.admit(row)?);
        }
    }
    Ok(Found { rows: found, total })
}

/// Whether a record passes; without a filter all do.
pub(super) fn passes<F: Copy, R: Record<F>>(filter: Option<&Filter<F>>, record: &R) -> bool {
    filter.is_none_or(|filter| filter.matches(record))
}

/// Whether a thing model passes: its document is what the filter is asked of.
pub(super) fn model_passes(filter: Option<&Filter<ModelField>>, model: &Model) -> Result<bool, Error> {
    let Some(filter) = filter else { return Ok(true) };
    let document = ThingModel::read(&model.document).map_err(|violation| Error::Corrupt {
        table: "model",
        column: "document",
        what: violation.to_string(),
    })?;
    Ok(filter.matches(&document))
}

pub(super) struct DeviceRecord<'a> {
    pub(super) device: &'a Device,
    pub(super) product: Option<&'a Product>,
    pub(super) status: DeviceStatus,
}

impl Record<DeviceField> for DeviceRecord<'_> {
    fn values(&self, field: DeviceField, sub: Option<&str>) -> Values<'_> {
        let is = &self.device.is;
        match field {
            DeviceField::AssetId => Values::one(is.asset.as_str()),
            DeviceField::ProductKey => Values::one(is.product.as_str()),
            DeviceField::DeviceKey => Values::one(is.key.as_str()),
            DeviceField::ModelId => self.product.map(|product| product.model.as_str()).into_iter().collect(),
            DeviceField::ProductType => self
                .product
                .map(|product| status_names::product_type(product.gateway))
                .into_iter()
                .collect(),
            DeviceField::Name => Values::Name(&is.name),
            DeviceField::Status => Values::one(status_names::device_status(self.status)),
            DeviceField::Attributes => {
                let value = sub.and_then(|key| is.attributes.get(key));
                value.map_or_else(Values::absent, Values::json)
            }
            DeviceField::Tags => sub.and_then(|key| is.tags.get(key)).cloned().into_iter().collect(),
        }
    }
}

pub(super) struct JobRecord<'a> {
    pub(super) job: &'a Job,
    pub(super) text: &'a JobText,
}

impl Record<JobField> for JobRecord<'_> {
    fn values(&self, field: JobField, _sub: Option<&str>) -> Values<'_> {
        match field {
            JobField::JobId => Values::one(self.job.no.to_job_id()),
            JobField::Name => Values::Name(&self.text.name),
            JobField::Status => Values::one(status_names::job_state(self.job.state)),
            JobField::CreatedAt => Values::one(self.job.created),
        }
    }
}

pub(super) struct TaskRecord<'a> {
    pub(super) task: &'a Task,
    pub(super) job: &'a Job,
    pub(super) device: &'a Device,
}

impl Record<TaskField> for TaskRecord<'_> {
    fn values(&self, field: TaskField, _sub: Option<&str>) -> Values<'_> {
        let is = &self.device.is;
        match field {
            TaskField::JobId => Values::one(self.job.no.to_job_id()),
            TaskField::TaskId => Values::one(self.task.no.to_task_id()),
            TaskField::AssetId => Values::one(is.asset.as_str()),
            TaskField::ProductKey => Values::one(is.product.as_str()),
            TaskField::DeviceKey => Values::one(is.key.as_str()),
            TaskField::Status => Values::one(status_names::task_state(self.task.state)),
            TaskField::CreatedAt => Values::one(self.job.tasks_created),
        }
    }
}

pub(super) struct CommandRecord<'a> {
    pub(super) task: &'a Task,
    pub(super) row: &'a JobRow,
}

impl Record<CommandField> for CommandRecord<'_> {
    fn values(&self, field: CommandField, _sub: Option<&str>) -> Values<'_> {
        match field {
            CommandField::State => Values::one(status_names::command_state(self.task.state)),
            CommandField::Name => Values::Name(&self.row.text.name),
            CommandField::CreatedAt => Values::one(self.row.job.created),
        }
    }
}
