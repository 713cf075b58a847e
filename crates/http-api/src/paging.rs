//! The common part of all searches: expression, page, projection (docs/api.md, "Pagination", "Expressions").

use std::ops::RangeInclusive;

use aldis_core::expression::{Field, Filter};
use aldis_core::violation::Violation;
use aldis_store::Page;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::call::Call;
use super::envelope::{Answer, Pagination, SortedBy};
use super::numbers::whole;
use super::projection::Projection;
use aldis_app::{Error, Results};

/// Most rows of a page.
pub const PAGE_SIZE_MAX: u64 = 1000;
/// Rows of a page unless said otherwise.
const PAGE_SIZE_DEFAULT: u64 = 10;
/// The last page that can be asked for; with the largest pages that is more than there are task numbers in a year.
const PAGE_NO_MAX: u64 = 1_000_000_000;

/// The body of a search.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"pagination": {"pageNo": 1, "pageSize": 100}}))]
pub(super) struct SearchRequest {
    /// Which rows: `status = 'online' and deviceTags.floor in ('1', '2')`. All if absent.
    expression: Option<String>,
    /// Which page of them.
    pagination: Option<PageRequest>,
    /// The fields that are wanted, as paths such as `deviceName.defaultValue` or `targets[*].assetId`. All if absent.
    projection: Option<Vec<String>>,
}

/// Which page of a search.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageRequest {
    /// From 1; 1 if absent.
    #[schema(value_type = Option<i64>, minimum = 1)]
    page_no: Option<Value>,
    /// 0 to 1000; 10 if absent. 0 asks for the total alone.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1000)]
    page_size: Option<Value>,
}

/// A search as it was asked for.
pub(super) struct Search<F> {
    /// Which rows; `None` for all.
    pub(super) filter: Option<Filter<F>>,
    /// What the answer says of the order of its rows.
    pub(super) sorted: Option<SortedBy>,
    no: u64,
    size: u64,
    projection: Projection,
}

impl Call {
    /// Reads the body of a search over the fields `F`.
    pub(super) fn search<F: Field>(&self) -> Result<Search<F>, Error> {
        self.search_paged(PAGE_SIZE_DEFAULT)
    }

    /// The same with another number of rows where the caller names none.
    pub(super) fn search_paged<F: Field>(&self, page_size: u64) -> Result<Search<F>, Error> {
        let request: SearchRequest = self.decode()?;
        let text = request.expression.as_deref().filter(|text| !text.trim().is_empty());
        let filter = text.map(Filter::parse).transpose()?;
        request.page_of(filter, page_size)
    }

    /// Reads which page is wanted where rows are not chosen by an expression.
    pub(super) fn paged(&self) -> Result<Search<()>, Error> {
        let request: SearchRequest = self.decode()?;
        match &request.expression {
            Some(text) => Err(Violation::of_text(text, "no such parameter")
                .within("expression")
                .into()),
            None => request.page_of(None, PAGE_SIZE_DEFAULT),
        }
    }
}

impl SearchRequest {
    fn page_of<F>(&self, filter: Option<Filter<F>>, page_size: u64) -> Result<Search<F>, Error> {
        let page = self.pagination.as_ref();
        let (no, size) = page.map_or((None, None), |page| (page.page_no.as_ref(), page.page_size.as_ref()));
        Ok(Search {
            filter,
            sorted: None,
            no: number(no, "pagination.pageNo", 1..=PAGE_NO_MAX)?.unwrap_or(1),
            size: number(size, "pagination.pageSize", 0..=PAGE_SIZE_MAX)?.unwrap_or(page_size),
            projection: Projection::read(self.projection.as_deref().unwrap_or_default())?,
        })
    }
}

fn number(given: Option<&Value>, field: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Violation> {
    let bound = |bound: u64| i64::try_from(bound).unwrap_or(i64::MAX);
    let read = whole(given, field, bound(*range.start())..=bound(*range.end()))?;
    Ok(read.and_then(|number| u64::try_from(number).ok()))
}

impl<F> Search<F> {
    /// The page, as the store wants it.
    pub(super) fn page(&self) -> Page {
        Page {
            skip: (self.no - 1) * self.size,
            take: self.size,
        }
    }

    /// The answer, each row as `describe` puts it.
    pub(super) fn answer<T, D: Serialize>(
        &self,
        found: Results<T>,
        describe: impl Fn(T) -> Result<D, Error>,
    ) -> Result<Answer, Error> {
        let rows = found.rows.into_iter().map(describe);
        let pagination = Pagination {
            page_no: self.no,
            page_size: self.size,
            total_size: found.total,
            sorted_by: self.sorted.map(|sorted| vec![sorted]),
        };
        if self.projection.is_everything() {
            return Answer::page(rows, pagination);
        }
        let cropped = rows.map(|row| {
            let whole = serde_json::to_value(row?).map_err(|error| Error::Internal(error.to_string()))?;
            Ok(self.projection.crop(whole))
        });
        Answer::page(cropped, pagination)
    }
}
