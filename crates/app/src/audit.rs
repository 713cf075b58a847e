//! What was done, and who did it (docs/api.md, "Audit").

use aldis_core::ids::OrgId;
use aldis_store::Page;
use aldis_store::rows::{ActionFilter, PastAction};

use super::access::Needs;
use super::organizations::PARAMETER;
use super::{App, Caller, Error, Results};

impl App {
    /// What was done in the caller's organization or, for administrators, in another; newest first.
    ///
    /// # Errors
    /// [`Error::RoleTooLow`] for another organization; the store failed.
    pub async fn search_actions(
        &self,
        caller: &Caller,
        organization: Option<&str>,
        filter: ActionFilter,
        page: Page,
    ) -> Result<Results<PastAction>, Error> {
        let org = organization.map_or_else(|| caller.org.clone(), OrgId::from);
        if org != caller.org && !Needs::Admin.met_by(caller.role) {
            return Err(Error::RoleTooLow(PARAMETER.to_owned()));
        }
        self.search(caller, true, move |store| store.search_actions(&org, &filter, page))
            .await
    }
}
