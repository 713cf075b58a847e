//! Devices that are told their secret and log in for the first time while the server is killed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aldis_client::{Client, NewDevice, NewProduct};
use aldis_protocol::login::{Compression, Login, SecureMode, SignMethod};
use aldis_simulator::{Device, DeviceError, DeviceIdentity};
use anyhow::Context as _;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::accounts::Accounts;
use super::server::Server;

/// Devices that are on their way in at any moment.
const AT_A_TIME: usize = 6;
/// Between one and the next: they are a part of the load, not all of it.
const PAUSE: Duration = Duration::from_millis(30);
/// While the server is away, or has no time.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
const ACCEPTED: u8 = 0;
const NOT_AUTHORIZED: u8 = 5;
const SECRET: &str = "newcomers-secret";
pub(super) const PRODUCT: &str = "newcomers";

pub(super) struct Newcomers(JoinSet<()>);

impl Newcomers {
    pub(super) async fn start(server: &Server, client: &Client, accounts: Arc<Accounts>) -> anyhow::Result<Self> {
        let product = NewProduct {
            product_key: Some(PRODUCT.to_owned()),
            product_secret: Some(SECRET.into()),
            dynamic_activate_enabled: Some(true),
            ..NewProduct::new("Newcomers", "killed")
        };
        client
            .create_product(&product)
            .await
            .context("the newcomers' product")?;
        let mut all = JoinSet::new();
        for _ in 0..AT_A_TIME {
            all.spawn(come(client.clone(), server.mqtt, Arc::clone(&accounts)));
        }
        Ok(Self(all))
    }

    pub(super) async fn stop(mut self) {
        self.0.shutdown().await;
    }
}

/// One after the other, for ever.
async fn come(client: Client, mqtt: SocketAddr, accounts: Arc<Accounts>) {
    loop {
        sleep(PAUSE).await;
        // A call without an answer leaves a device behind that no part of the test knows: it stays inactive, and is not
        // looked at.
        let Ok(made) = client.create_device(&NewDevice::new(PRODUCT, "newcomer")).await else {
            continue;
        };
        let key = made.data.device_key;
        let secret = told(&key, mqtt, &accounts).await;
        let is_in = log_in(&DeviceIdentity::new(PRODUCT, key.as_str(), secret), mqtt).await;
        let mut newcomers = accounts.newcomers.lock();
        let now_among = if is_in {
            &mut newcomers.let_in
        } else {
            &mut newcomers.shut_out
        };
        now_among.insert(key);
    }
}

/// Asks for the device's secret until it is told. It has never logged in with that, so it must not be refused.
async fn told(key: &str, mqtt: SocketAddr, accounts: &Accounts) -> String {
    let mut device = Device::new(&DeviceIdentity::new(PRODUCT, key, ""));
    let claims = Login {
        client_id: key.to_owned(),
        device_key: key.into(),
        product_key: PRODUCT.into(),
        secure_mode: SecureMode::ProductSecret,
        sign_method: SignMethod::Sha256,
        timestamp: "1700000000000".to_owned(),
        compression: Compression::None,
    };
    *device.login_mut() = claims.to_connect(SECRET).into();
    loop {
        match activation(&mut device, mqtt).await {
            Ok(Some(secret)) => return secret,
            Ok(None) => drop(accounts.newcomers.lock().shut_out.insert(key.to_owned())),
            Err(_cut_off) => accounts.newcomers.lock().cut_off += 1,
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// `None`: refused for good.
async fn activation(device: &mut Device, mqtt: SocketAddr) -> Result<Option<String>, DeviceError> {
    match device.try_connect(mqtt).await? {
        NOT_AUTHORIZED => return Ok(None),
        ACCEPTED => {}
        code => return Err(DeviceError::Refused { code }),
    }
    let (_, payload) = device.next_message().await?;
    let told: Value = serde_json::from_slice(&payload).unwrap_or_default();
    let secret = told["params"]["deviceSecret"].as_str().map(str::to_owned);
    secret
        .map(Some)
        .ok_or_else(|| DeviceError::Unexpected("no secret".to_owned()))
}

/// Logs in with the device's own secret until it is in; false if it is refused for good.
async fn log_in(identity: &DeviceIdentity, mqtt: SocketAddr) -> bool {
    let mut device = Device::new(identity);
    loop {
        match device.try_connect(mqtt).await {
            Ok(ACCEPTED) => return true,
            Ok(NOT_AUTHORIZED) => return false,
            Ok(_) | Err(_) => sleep(AGAIN_AFTER).await,
        }
    }
}
