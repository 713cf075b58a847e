//! Who may come in: the strings of CONNECT, checked against what is registered.

use std::net::SocketAddr;

use aldis_core::ids::DeviceNo;
use aldis_core::secret::Secret;
use aldis_protocol::activation::ActivationInfo;
use aldis_protocol::keys::{DEVICE_KEY_MAX_BYTES, PRODUCT_KEY_MAX_BYTES};
use aldis_protocol::login::{Login, SecureMode, keys_in};
use rmqtt_codec::v3::{Connect, ConnectAckReason};

use super::Gateway;
use super::certificate::Shown;
use super::client_capabilities::ClientCapabilities;
use super::compression::PayloadEncoding;
use super::entrant::Entrant;
use super::guest_connection::{GuestConnection, Purpose};
use super::guest_quota::{GuestKind, GuestPermit};
use super::keys::Keys;
use super::session_params::SessionParams;
use aldis_app::admit_device::{Claim, Denied, NotAdmitted, admit_device, is_still_admitted};
use aldis_app::admit_guest::{Proof, admit_channel, admit_to_activation};
use aldis_engine::trace::Event;
use aldis_telemetry::{TEXT_MAX_BYTES, cut};

/// Who has proved to be what.
pub(super) enum Admission {
    /// A device with its own secret.
    Device(Admitted),
    /// A login with a product's secret.
    Guest(GuestConnection),
}

/// A device that has proved who it is.
pub(super) struct Admitted {
    pub(super) entrant: Entrant,
    pub(super) params: SessionParams,
    /// The secret that has signed.
    pub(super) signed_with: Secret,
    /// How often keys or secrets had changed when these were checked.
    pub(super) logins_changed: u64,
}

impl Gateway {
    /// Checks a CONNECT; the CONNACK code if it is refused. Every failed proof gets the same code, whatever is wrong;
    /// the log and the device's trace tell.
    pub(super) async fn admit(
        &self,
        connect: &Connect,
        capabilities: ClientCapabilities,
        shown: Option<&Shown>,
        peer: SocketAddr,
    ) -> Result<Admission, ConnectAckReason> {
        let keys = connect.username.as_deref().and_then(keys_in);
        let (claim, params) = match stated(connect, capabilities, shown) {
            Ok(stated) => stated,
            Err(why) => {
                tell_why(peer, keys, &why);
                if let Some((device_key, product_key)) = keys {
                    self.app.note_refused(product_key, device_key, why).await;
                }
                return Err(ConnectAckReason::NotAuthorized);
            }
        };
        match self.admit_claim(claim, params).await {
            Ok(guest) => Ok(guest),
            Err(NotAdmitted::Unavailable) => Err(ConnectAckReason::ServiceUnavailable),
            Err(NotAdmitted::NotAuthorized(Denied { why, device })) => {
                tell_why(peer, keys, why);
                if let Some(device) = device {
                    self.sessions.note(device, Event::Refused(why.to_owned()));
                }
                Err(ConnectAckReason::NotAuthorized)
            }
        }
    }

    async fn admit_claim(&self, claim: Claim, params: SessionParams) -> Result<Admission, NotAdmitted> {
        match claim.login.secure_mode {
            SecureMode::DeviceSecret => self.admit_device(claim, params).await,
            SecureMode::ProductSecret => self.admit_to_activation(claim, params).await,
            SecureMode::IntegrationChannel => self.admit_channel(claim, params).await,
        }
    }

    async fn admit_device(&self, claim: Claim, params: SessionParams) -> Result<Admission, NotAdmitted> {
        let login = &claim.login;
        let keys = Keys::new(&login.product_key.0, &login.device_key.0);
        let logins_changed = self.app.writer().logins_changed();
        let welcome = admit_device(&self.app, claim).await?;
        Ok(Admission::Device(Admitted {
            entrant: Entrant {
                device: welcome.device,
                keys,
                qos: welcome.qos,
            },
            params,
            signed_with: welcome.signed_with,
            logins_changed,
        }))
    }

    async fn admit_to_activation(&self, claim: Claim, params: SessionParams) -> Result<Admission, NotAdmitted> {
        let logins_changed = self.app.writer().logins_changed();
        let (device, signed_with) = admit_to_activation(&self.app, claim).await?;
        let permit = self.acquire(device.is.product.as_str(), GuestKind::Activation)?;
        tracing::info!(device = device.no.0, "a device is told its secret");
        let info = ActivationInfo {
            asset_id: device.is.asset.as_str(),
            product_key: device.is.product.as_str(),
            device_key: device.is.key.as_str(),
            device_secret: &device.is.secret.0,
        };
        let purpose = Purpose::Activation(device.no, info.message());
        let proof = Proof::new(device.is.product, signed_with, logins_changed);
        Ok(Admission::Guest(GuestConnection::new(purpose, proof, params, permit)))
    }

    async fn admit_channel(&self, claim: Claim, params: SessionParams) -> Result<Admission, NotAdmitted> {
        let logins_changed = self.app.writer().logins_changed();
        let (product, signed_with) = admit_channel(&self.app, claim).await?;
        let permit = self.acquire(product.key.as_str(), GuestKind::Channel)?;
        let proof = Proof::new(product.key.clone(), signed_with, logins_changed);
        let purpose = Purpose::Channel(product.key);
        Ok(Admission::Guest(GuestConnection::new(purpose, proof, params, permit)))
    }

    fn acquire(&self, product: &str, kind: GuestKind) -> Result<GuestPermit, NotAdmitted> {
        let permit = self.guest_quota.acquire(product, kind);
        permit.ok_or_else(|| {
            tracing::warn!(product, ?kind, "too many connections with the product's secret");
            NotAdmitted::Unavailable
        })
    }

    /// Whether the keys and the secret that a device has logged in with are still its own. Asked when its session can
    /// be found: a replacement from then on ends the session. A device that is disabled or deleted meanwhile is shown
    /// out by the engine.
    pub(super) async fn still_admits(
        &self,
        device: DeviceNo,
        keys: &Keys,
        signed_with: Secret,
        logins_changed: u64,
    ) -> bool {
        let keys = (keys.product(), keys.device());
        self.app.writer().logins_changed() == logins_changed
            || is_still_admitted(&self.app, device, keys, signed_with).await
    }
}

/// What a CONNECT claims, and how its client will talk; or why it cannot even be checked.
fn stated(
    connect: &Connect,
    capabilities: ClientCapabilities,
    shown: Option<&Shown>,
) -> Result<(Claim, SessionParams), String> {
    let user_name = connect.username.as_deref().ok_or("there is no user name")?;
    let login = Login::parse(&connect.client_id, user_name).map_err(|error| error.to_string())?;
    let password = connect.password.as_ref().ok_or("there is no password")?;
    let password = Secret(password.to_vec());
    let encoding =
        PayloadEncoding::announced(login.compression).ok_or("the compression that it announces is not served")?;
    let certified = match shown {
        Some(shown) => shown.proves(&login.product_key.0, &login.device_key.0)?,
        None => false,
    };
    // It was not yet when it was shown: the handshake looks at that.
    if shown.is_some_and(Shown::is_revoked) {
        return Err("the certificate, or that of an authority above it, has been revoked".to_owned());
    }
    let params = SessionParams {
        keep_alive: connect.keep_alive,
        encoding,
        capabilities,
    };
    let claim = Claim {
        login,
        password,
        certified,
    };
    Ok((claim, params))
}

/// Tells the operator what the client is not told. Never the password, which may be a secret that was put there by
/// mistake.
fn tell_why(peer: SocketAddr, keys: Option<(&str, &str)>, why: &str) {
    let (device, product) = keys.unwrap_or_default();
    let (product, device, why) = (
        cut(product, PRODUCT_KEY_MAX_BYTES),
        cut(device, DEVICE_KEY_MAX_BYTES),
        cut(why, TEXT_MAX_BYTES),
    );
    tracing::info!(%peer, product, device, why, "a login does not hold");
}
