//! Organizations: create, list, disable, enable, delete (docs/api.md, "Keys and organizations").

use aldis_core::i18n::check_visible;
use aldis_core::ids::OrgId;
use aldis_store::rows::Organization;
use aldis_store::{Refusal, Write};

use super::text::check_key;
use super::{App, Caller, Error};

/// The parameter that names the organization to be managed; `orgId` is always the caller's own.
pub const PARAMETER: &str = "organization";

impl App {
    /// Creates an organization.
    ///
    /// # Errors
    /// The id will not do or is in use.
    pub async fn create_organization(&self, caller: &Caller, id: &str, name: String) -> Result<Organization, Error> {
        check_key(PARAMETER, id)?;
        check_visible(&name).map_err(|violation| violation.within("name"))?;
        let organization = Organization {
            id: OrgId::from(id),
            name,
            disabled: false,
            created: self.now(),
        };
        let write = Write::CreateOrganization(organization.clone());
        let write = caller.asks_in(&organization.id, "organization.create", [id.to_owned()], write);
        match self.write_one(write).await? {
            Ok(_) => Ok(organization),
            Err(Refusal::Taken) => Err(Error::taken(PARAMETER, id)),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    /// All organizations.
    ///
    /// # Errors
    /// The store failed.
    pub async fn organizations(&self) -> Result<Vec<Organization>, Error> {
        self.read(|store| store.organizations()).await
    }

    /// Disables or enables an organization, and with it all its keys.
    ///
    /// # Errors
    /// There is none; it is the caller's own, who would be locked out.
    pub async fn disable_organization(&self, caller: &Caller, id: &str, disabled: bool) -> Result<(), Error> {
        let verb = if disabled {
            "organization.disable"
        } else {
            "organization.enable"
        };
        self.change_organization(
            caller,
            Write::DisableOrganization {
                org: OrgId::from(id),
                disabled,
            },
            verb,
            id,
        )
        .await
    }

    /// Deletes an organization that has nothing left.
    ///
    /// # Errors
    /// As [`App::disable_organization`]; it has keys, models, products or jobs.
    pub async fn delete_organization(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let write = Write::DeleteOrganization { org: OrgId::from(id) };
        self.change_organization(caller, write, "organization.delete", id).await
    }

    /// Noted in the caller's organization: the other may be gone.
    async fn change_organization(
        &self,
        caller: &Caller,
        write: Write,
        verb: &'static str,
        id: &str,
    ) -> Result<(), Error> {
        if caller.org.as_str() == id {
            return Err(Error::in_use(
                PARAMETER,
                id,
                "another organization than the caller's own",
            ));
        }
        let needed = "organization without keys, thing models, products and jobs";
        match self.write_one(caller.audited(verb, id, write)).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::missing("organization", id)),
            Err(Refusal::InUse) => Err(Error::in_use(PARAMETER, id, needed)),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}
