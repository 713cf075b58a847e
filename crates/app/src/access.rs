//! Who calls, for which organization, and whether they may (docs/api.md, "Access").
//!
//! A key and its organization are looked up on every call, so that disabling or deleting either holds at once.

use std::net::IpAddr;

use aldis_core::ids::{AppKey, OrgId};
use aldis_core::time::Timestamp;
use aldis_core::violation::Violation;
use aldis_engine::proofs::CLOCK_SKEW_MAX_MS;
use aldis_protocol::api_signature::SignedCall;
use aldis_store::rows::{AccessKey, Action, Actor, Organization, Proof, Role};
use aldis_store::{Refusal, Write};
use serde_json::Value;

use super::{App, Error, text};
use aldis_engine::proofs::{Claim, Claimed};

/// Who calls, and for which organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The organization.
    pub org: OrgId,
    /// What the caller may do.
    pub role: Role,
    /// The access key; `None` for an unsigned call.
    pub app_key: Option<AppKey>,
    /// The address that the call came from, if it is known; a proxy's, where there is one.
    pub address: Option<IpAddr>,
    /// The id of this request.
    pub request_id: String,
    /// The call's signature was used before: it may be told what the first one was told, and do nothing.
    pub repeats: bool,
}

impl Caller {
    /// Who is remembered to have done something.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            app_key: self.app_key.clone(),
            address: self.address,
            request_id: self.request_id.clone(),
        }
    }

    /// A write of this caller's, kept together with the fact that it is: as `verb` on `subject`.
    #[must_use]
    pub(crate) fn audited(&self, verb: &'static str, subject: &str, write: Write) -> Write {
        self.asks_in(&self.org, verb, [subject.to_owned()], write)
    }

    /// The same in another organization, or for a write with several subjects.
    #[must_use]
    pub(crate) fn asks_in(
        &self,
        org: &OrgId,
        verb: &'static str,
        subjects: impl IntoIterator<Item = String>,
        write: Write,
    ) -> Write {
        let action = |subject| Action {
            org: org.clone(),
            verb,
            subject,
            by: self.actor(),
        };
        Write::Noted {
            write: Box::new(write),
            actions: subjects.into_iter().map(action).collect(),
        }
    }
}

/// What an action asks of its caller's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Changes nothing: every role.
    Read,
    /// Changes something: operators and administrators.
    Change,
    /// What concerns the whole installation: administrators.
    Admin,
    /// Keys and organizations: administrators who sign their calls. What an unsigned caller does must not outlast the
    /// server's running without authentication.
    SignedAdmin,
}

impl Caller {
    /// Whether the secrets of devices and products are shown to this caller: a key that only reads must not log in as
    /// a device.
    #[must_use]
    pub fn sees_secrets(&self) -> bool {
        Needs::Change.met_by(self.role)
    }
}

impl Needs {
    /// Whether a role is enough.
    #[must_use]
    pub fn met_by(self, role: Role) -> bool {
        match self {
            Self::Read => true,
            Self::Change => matches!(role, Role::Operator | Role::Admin),
            Self::Admin | Self::SignedAdmin => role == Role::Admin,
        }
    }

    /// Checks that a caller may do what `action` names.
    ///
    /// # Errors
    /// [`Error::RoleTooLow`], [`Error::SignatureNeeded`].
    pub fn check(self, caller: &Caller, action: &str) -> Result<(), Error> {
        if !self.met_by(caller.role) {
            return Err(Error::RoleTooLow(action.to_owned()));
        }
        if self == Self::SignedAdmin && caller.app_key.is_none() {
            return Err(Error::SignatureNeeded(action.to_owned()));
        }
        Ok(())
    }
}

/// What a signed call carries.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// What the signature covers.
    pub call: SignedCall<'a>,
    /// The signature.
    pub signature: &'a str,
}

impl App {
    /// Finds out who calls, and checks that they may call for `org`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::TokenExpired`], [`Error::ForeignOrganization`]; [`Error::Invalid`] without
    /// `org`.
    pub async fn caller(
        &self,
        signed: Option<Signed<'_>>,
        org: Option<&str>,
        request_id: &str,
    ) -> Result<Caller, Error> {
        match signed {
            Some(signed) => self.signed_caller(signed, org, request_id).await,
            None if self.settings().no_auth => self.unsigned_caller(org, request_id).await,
            None => Err(Error::Unauthenticated("no access token")),
        }
    }

    async fn signed_caller(&self, signed: Signed<'_>, org: Option<&str>, request_id: &str) -> Result<Caller, Error> {
        let now = self.now();
        check_clock(signed.call.timestamp, |theirs| self.is_near(theirs))?;
        let app_key = self.tokens().owner(signed.call.token, now)?;
        let key = self
            .live_key(&app_key)
            .await?
            .ok_or(Error::Unauthenticated("unknown or disabled key"))?;
        if !signed.call.verify(&key.secret.0, signed.signature) {
            return Err(Error::Unauthenticated("wrong signature"));
        }
        let org = org.ok_or_else(missing_org)?;
        if org != key.org.as_str() {
            return Err(Error::ForeignOrganization(org.to_owned()));
        }
        Ok(Caller {
            org: key.org,
            role: key.role,
            app_key: Some(key.app_key),
            address: None,
            request_id: request_id.to_owned(),
            repeats: false,
        })
    }

    /// Whose access token this is, if it and its key may be used at present. Whether the caller knows the key's secret
    /// shows only once the body has been read: see [`App::caller`].
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::TokenExpired`]; the store failed.
    pub async fn bearer(&self, token: &str) -> Result<AppKey, Error> {
        let app_key = self.tokens().owner(token, self.now())?;
        match self.live_key(&app_key).await? {
            Some(key) => Ok(key.app_key),
            None => Err(Error::Unauthenticated("unknown or disabled key")),
        }
    }

    /// Uses the signature of a change up, before the change begins. One that was used before is refused, unless the
    /// call `may_repeat`: then the caller is marked, once the first call with it has stored what it did.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub async fn use_up(
        &self,
        signed: &Signed<'_>,
        caller: &mut Caller,
        may_repeat: bool,
    ) -> Result<Option<Claim>, Error> {
        let Some(key) = &caller.app_key else { return Ok(None) };
        let proof = proof(signed.signature, signed.call.timestamp)
            .ok_or(Error::Unauthenticated("the signature is no digest"))?;
        let proofs = &self.shared().proofs;
        match proofs.claim(key, proof, &caller.request_id, self.earlier_now()) {
            Claimed::New(claim) => Ok(Some(claim)),
            Claimed::Used if may_repeat => {
                proofs.closed(proof).await;
                caller.repeats = true;
                Ok(None)
            }
            Claimed::Used => Err(USED_BEFORE),
        }
    }

    /// Stores a used signature that no commit of its call has stored. Where the store fails, it is used up in memory.
    pub async fn keep(&self, claim: Claim) {
        let Some(proof) = claim.unstored() else { return };
        let write = Write::UseUp {
            proofs: vec![proof],
            before: self.now(),
            limit: 0,
        };
        if let Err(failure) = self.writer().write(vec![write]).await {
            tracing::debug!(%failure, "a used signature could not be stored");
        }
        claim.settle();
    }

    /// An access key that may be used: it exists, and neither it nor its organization is disabled.
    pub(crate) async fn live_key(&self, app_key: &AppKey) -> Result<Option<AccessKey>, Error> {
        self.look_up(|store| {
            let key = store.access_key(app_key)?;
            // An unknown key's organization is asked for as well: the time of the answer must not tell which keys there
            // are.
            let org = key
                .as_ref()
                .map_or_else(|| OrgId::from(app_key.as_str()), |key| key.org.clone());
            let org = store.organization(&org)?.filter(|org| !org.disabled);
            Ok::<_, aldis_store::Error>(key.filter(|key| !key.disabled && org.is_some()))
        })
        .await
    }

    async fn unsigned_caller(&self, org: Option<&str>, request_id: &str) -> Result<Caller, Error> {
        let org = org.ok_or_else(missing_org)?;
        text::check_key("orgId", org)?;
        let id = OrgId::from(org);
        let known = self.look_up(|store| store.organization(&id)).await?;
        if known.is_some_and(|known| known.disabled) {
            return Err(Error::ForeignOrganization(org.to_owned()));
        }
        Ok(Caller {
            org: id,
            role: Role::Admin,
            app_key: None,
            address: None,
            request_id: request_id.to_owned(),
            repeats: false,
        })
    }

    /// Makes the organization of an unsigned caller who changes something in it for the first time. A read makes none:
    /// a web page can have a browser read anything.
    ///
    /// # Errors
    /// The store failed.
    pub async fn make_organization(&self, caller: &Caller) -> Result<(), Error> {
        match self.look_up(|store| store.organization(&caller.org)).await? {
            None => self.found_organization(caller).await,
            Some(_) => Ok(()),
        }
    }

    /// Another call may have been faster; both are right.
    async fn found_organization(&self, caller: &Caller) -> Result<(), Error> {
        let row = Organization {
            id: caller.org.clone(),
            name: caller.org.to_string(),
            disabled: false,
            created: self.now(),
        };
        let write = caller.audited(
            "organization.create",
            caller.org.as_str(),
            Write::CreateOrganization(row),
        );
        match self.write_one(write).await? {
            Ok(_) | Err(Refusal::Taken) => Ok(()),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}

/// The refusal of a signature that was used before.
pub(crate) const USED_BEFORE: Error = Error::Unauthenticated("the signature was used before");

/// What is kept of a signature, or of a token's `encryption`, in hexadecimal, and of the moment in it; `None` if they
/// are none.
pub(crate) fn proof(signature: &str, timestamp: &str) -> Option<Proof> {
    let mut digest = [0; 16];
    hex::decode_to_slice(signature.get(..2 * digest.len())?, &mut digest).ok()?;
    Some(Proof {
        at: Timestamp(timestamp.parse().ok()?),
        digest,
    })
}

fn missing_org() -> Error {
    Error::Invalid(Violation::of(&Value::Null, "id of an organization").within("orgId"))
}

fn check_clock(timestamp: &str, is_near: impl FnOnce(Timestamp) -> bool) -> Result<(), Error> {
    // A zero in front would be a digit that the signed text could have anywhere else.
    let is_canonical = timestamp.bytes().all(|byte| byte.is_ascii_digit()) && !timestamp.starts_with('0');
    match timestamp.parse::<i64>() {
        Ok(theirs) if is_canonical && is_near(Timestamp(theirs)) => Ok(()),
        Ok(_) if is_canonical => Err(Error::Unauthenticated("the clock is more than 15 minutes off")),
        _ => Err(Error::Unauthenticated("the timestamp is no number of milliseconds")),
    }
}

/// Whether a caller's time is close enough to ours.
pub(crate) fn is_near(theirs: Timestamp, ours: Timestamp) -> bool {
    theirs.ms_since(ours).saturating_abs() <= CLOCK_SKEW_MAX_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_only_read_and_only_administrators_manage_access() {
        let table = [
            (Role::Reader, [true, false, false, false]),
            (Role::Operator, [true, true, false, false]),
            (Role::Admin, [true, true, true, true]),
        ];
        for (role, expected) in table {
            let met = [Needs::Read, Needs::Change, Needs::Admin, Needs::SignedAdmin].map(|needs| needs.met_by(role));
            assert_eq!(met, expected, "{role:?}");
        }
    }

    #[test]
    fn a_clock_may_be_fifteen_minutes_off_either_way() {
        let now = Timestamp(1_700_000_000_000);
        for (off, right) in [
            (0, true),
            (900_000, true),
            (-900_000, true),
            (900_001, false),
            (-900_001, false),
        ] {
            assert_eq!(
                check_clock(&now.plus_ms(off).0.to_string(), |theirs| is_near(theirs, now)).is_ok(),
                right,
                "{off}"
            );
        }
        let zero_in_front = format!("0{}", now.0);
        let sign_in_front = format!("+{}", now.0);
        for bad in [
            "",
            "soon",
            "1e3",
            "99999999999999999999",
            &zero_in_front,
            &sign_in_front,
        ] {
            assert!(check_clock(bad, |theirs| is_near(theirs, now)).is_err(), "{bad}");
        }
        assert!(check_clock(&i64::MIN.to_string(), |theirs| is_near(theirs, now)).is_err());
    }
}
