//! Searches, and the walk through all their pages.

use std::collections::VecDeque;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

/// Largest page that the API gives; walks use it, since each page costs one request.
pub const PAGE_SIZE_MAX: u64 = 1000;

/// What is said of a page that is too large, among other things.
const INVALID: i64 = 99400;

/// Body of a search.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Search {
    /// Which rows (docs/api.md, "Expressions"); absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Which page; absent: the first, of 10 rows.
    pub pagination: Option<PageRequest>,
}

/// Which page of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageRequest {
    /// From 1.
    pub page_no: u64,
    /// 0 to [`PAGE_SIZE_MAX`]; 0 asks for the total only.
    pub page_size: u64,
}

impl Search {
    /// One page of the rows that match `expression`.
    #[must_use]
    pub fn page(expression: Option<&str>, page_no: u64, page_size: u64) -> Self {
        Self {
            expression: expression.map(str::to_owned),
            pagination: Some(PageRequest { page_no, page_size }),
        }
    }
}

/// A walk through all rows of a search, page by page. Rows that appear or vanish meanwhile may be missed or met twice.
#[derive(Debug)]
pub struct Pages<T> {
    client: Client,
    path: &'static str,
    action: &'static str,
    expression: Option<String>,
    /// Stands in the body of each request beside the search itself.
    with: Map<String, Value>,
    page_no: u64,
    page_size: u64,
    /// Sizes that were too large for some page, to be tried again behind it.
    larger: Vec<u64>,
    ended: bool,
    rows: VecDeque<T>,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Pages<T> {
    pub(crate) fn new(client: &Client, path: &'static str, action: &'static str, expression: Option<&str>) -> Self {
        Self {
            client: client.clone(),
            path,
            action,
            expression: expression.map(str::to_owned),
            with: Map::new(),
            page_no: 1,
            page_size: PAGE_SIZE_MAX,
            larger: Vec::new(),
            ended: false,
            rows: VecDeque::new(),
            kind: PhantomData,
        }
    }

    /// Asks for smaller pages, 1 to [`PAGE_SIZE_MAX`] rows each.
    #[must_use]
    pub fn page_size(mut self, rows: u64) -> Self {
        self.page_size = rows.clamp(1, PAGE_SIZE_MAX);
        self
    }

    /// Says something more with each request.
    pub(crate) fn with(mut self, more: Map<String, Value>) -> Self {
        self.with = more;
        self
    }

    /// The next page, never an empty one; `None` after the last.
    ///
    /// # Errors
    /// Those of the search; the walk can be continued by calling again.
    pub async fn next_page(&mut self) -> Result<Option<Answer<Vec<T>>>, Error> {
        if self.ended {
            return Ok(None);
        }
        let search = Search::page(self.expression.as_deref(), self.page_no, self.page_size);
        let body = SearchBody {
            search: &search,
            with: &self.with,
        };
        let call = Call::post(self.path, self.action).json(&body).repeatable();
        let page: Answer<Vec<T>> = match self.client.send(call).await {
            Err(error) if self.page_size > 1 && is_too_large(&error) => {
                self.ask_for_fewer();
                return Box::pin(self.next_page()).await;
            }
            answered => answered?,
        };
        let seen = self.page_no.saturating_mul(self.page_size);
        self.page_no += 1;
        self.ended = page.is_empty() || page.pagination.is_some_and(|info| seen >= info.total_size);
        self.ask_for_more(seen);
        Ok(Some(page).filter(|page| !page.is_empty()))
    }

    /// Goes on from the same row with smaller pages: a half, a fifth, or one row where neither comes out even.
    fn ask_for_fewer(&mut self) {
        let before = (self.page_no - 1) * self.page_size;
        self.larger.push(self.page_size);
        self.page_size = smaller(self.page_size);
        self.page_no = before / self.page_size + 1;
    }

    /// Goes back to larger pages as soon as one begins behind the rows that have been seen: large rows stand together.
    fn ask_for_more(&mut self, seen: u64) {
        if let Some(size) = self.larger.pop_if(|size| seen.is_multiple_of(*size)) {
            self.page_size = size;
            self.page_no = seen / size + 1;
        }
    }

    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// As [`Pages::next_page`].
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        if self.rows.is_empty() {
            let page = self.next_page().await?;
            self.rows = page.map(|page| page.data).unwrap_or_default().into();
        }
        Ok(self.rows.pop_front())
    }
}

fn smaller(page_size: u64) -> u64 {
    let divisor = [2, 5].into_iter().find(|divisor| page_size.is_multiple_of(*divisor));
    divisor.map_or(1, |divisor| page_size / divisor)
}

/// The rows of a page would be too much for one answer.
fn is_too_large(error: &Error) -> bool {
    // No size is asked for that could be wrong in itself.
    error.code() == Some(INVALID) && error.field() == Some("pagination.pageSize")
}

/// A search, and what is said beside it.
#[derive(Serialize)]
struct SearchBody<'a> {
    #[serde(flatten)]
    search: &'a Search,
    #[serde(flatten)]
    with: &'a Map<String, Value>,
}

impl Client {
    pub(crate) async fn search<T: DeserializeOwned>(
        &self,
        path: &str,
        action: &str,
        search: &Search,
    ) -> Result<Answer<Vec<T>>, Error> {
        self.send(Call::post(path, action).json(search).repeatable()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Credentials;

    fn walk() -> Pages<Value> {
        let credentials = Credentials::Unsigned { org_id: "o".into() };
        let client = Client::new("http://127.0.0.1:1", credentials).expect("the address is right");
        Pages::new(&client, "/p", "search", None)
    }

    #[test]
    fn pages_shrink_in_steps_from_the_same_row_and_grow_behind_it() {
        let mut pages = walk();
        pages.page_no = 3;
        let mut sizes = Vec::new();
        while pages.page_size > 1 {
            pages.ask_for_fewer();
            sizes.push(pages.page_size);
            assert_eq!((pages.page_no - 1) * pages.page_size, 2000);
        }
        assert_eq!(sizes, [500, 250, 125, 25, 5, 1]);
        let (mut seen, mut calls) = (2000, 0);
        while pages.page_size < 1000 {
            seen += pages.page_size;
            pages.page_no += 1;
            calls += 1;
            pages.ask_for_more(seen);
            assert_eq!((pages.page_no - 1) * pages.page_size, seen);
        }
        assert_eq!((seen, calls), (3000, 5 + 4 + 4 + 1 + 1 + 1));
    }

    #[test]
    fn a_page_size_without_divisors_becomes_one_row() {
        assert_eq!([smaller(37), smaller(15), smaller(2)], [1, 3, 1]);
    }
}
