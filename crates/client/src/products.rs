//! Products: device types (docs/api.md, "Products").

use std::collections::BTreeMap;

use aldis_core::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::name::Name;
use crate::paging::{Pages, Search};

const PRODUCTS: &str = "/connect-service/v2.1/products";
/// What this server adds.
const EXTENSION: &str = "/aldis/v1/products";

/// A product to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewProduct {
    /// What people call it.
    pub product_name: Name,
    /// Its thing model.
    #[serde(default)]
    pub model_id: Option<String>,
    /// `Device` or `Gateway`.
    #[serde(default)]
    pub product_type: Option<String>,
    /// `Json` or `Custom`; commands to `Custom` devices are refused.
    #[serde(default)]
    pub data_format: Option<String>,
    /// Whether devices must present a certificate.
    #[serde(default)]
    pub bi_directional_auth: Option<bool>,
    /// A remark.
    #[serde(default)]
    pub product_desc: Option<String>,
    /// Whether devices may fetch their secret with the product's.
    #[serde(default)]
    pub dynamic_activate_enabled: Option<bool>,
    /// Whether gateways may register devices in it.
    #[serde(default)]
    pub gateway_register_enabled: Option<bool>,
    /// Whether commands are sent with QoS 0 or 1.
    #[serde(default)]
    pub command_qos: Option<i64>,
    /// Free labels.
    #[serde(default)]
    pub product_tags: Option<BTreeMap<String, String>>,
    /// A key of one's own, for fleets that move in; absent: the server makes one.
    #[serde(default)]
    pub product_key: Option<String>,
    /// A secret of one's own.
    #[serde(default)]
    pub product_secret: Option<Secret>,
}

impl NewProduct {
    /// A product of directly connected devices that speak JSON.
    pub fn new(name: impl Into<Name>, model_id: impl Into<String>) -> Self {
        Self {
            product_name: name.into(),
            model_id: Some(model_id.into()),
            product_type: Some("Device".to_owned()),
            data_format: Some("Json".to_owned()),
            bi_directional_auth: Some(false),
            product_desc: None,
            dynamic_activate_enabled: None,
            gateway_register_enabled: None,
            command_qos: None,
            product_tags: None,
            product_key: None,
            product_secret: None,
        }
    }
}

/// What is to be changed of a product; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProductChange {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_name: Option<Name>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_desc: Option<String>,
    /// Whether devices must present a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bi_directional_auth: Option<bool>,
    /// Whether devices may fetch their secret with the product's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_activate_enabled: Option<bool>,
    /// Whether gateways may register devices in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_register_enabled: Option<bool>,
    /// Whether commands are sent with QoS 0 or 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_qos: Option<i64>,
    /// All its labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_tags: Option<BTreeMap<String, String>>,
}

/// How a product is to get another secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductRotation {
    /// The secret it is to have; absent: the server makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_secret: Option<Secret>,
    /// Seconds that the one before is still good; absent: a day; 0: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<i64>,
}

/// A product with another secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedProduct {
    /// Its key.
    pub product_key: String,
    /// Its secret from now on.
    pub product_secret: Secret,
    /// Until when the one before is good, epoch milliseconds; absent: it is not.
    #[serde(default)]
    pub former_secret_until: Option<i64>,
}

/// A product as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Whose it is.
    pub org_id: String,
    /// Its key.
    pub product_key: String,
    /// What people call it.
    pub product_name: Name,
    /// Its secret.
    #[serde(default)]
    pub product_secret: Option<Secret>,
    /// A remark.
    #[serde(default)]
    pub product_desc: Option<String>,
    /// `Device` or `Gateway`.
    #[serde(default)]
    pub product_type: Option<String>,
    /// `Json` or `Custom`.
    #[serde(default)]
    pub data_format: Option<String>,
    /// Free labels.
    #[serde(default)]
    pub product_tags: Option<BTreeMap<String, String>>,
    /// Its thing model.
    #[serde(default)]
    pub model_id: Option<String>,
    /// Whether devices may fetch their secret with the product's.
    #[serde(default)]
    pub dynamic_activate_enabled: Option<bool>,
    /// Whether devices must present a certificate.
    #[serde(default)]
    pub bi_directional_auth: Option<bool>,
    /// Whether gateways may register devices in it.
    #[serde(default)]
    pub gateway_register_enabled: Option<bool>,
    /// Whether commands are sent with QoS 0 or 1.
    #[serde(default)]
    pub command_qos: Option<i64>,
    /// Epoch milliseconds.
    #[serde(default)]
    pub create_time: Option<i64>,
    /// By which access key.
    #[serde(default)]
    pub create_by: Option<String>,
    /// Epoch milliseconds.
    #[serde(default)]
    pub update_time: Option<i64>,
    /// By which access key.
    #[serde(default)]
    pub update_by: Option<String>,
    /// Days that a device certificate is valid.
    #[serde(default)]
    pub default_valid_day: Option<i64>,
    /// The most that may be asked for.
    #[serde(default)]
    pub max_valid_day: Option<i64>,
}

impl Client {
    /// Creates a product and returns its key.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn create_product(&self, product: &NewProduct) -> Result<Answer<String>, Error> {
        self.send(Call::post(PRODUCTS, "create").json(product)).await
    }

    /// One product.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn get_product(&self, product_key: &str) -> Result<Answer<Product>, Error> {
        let call = Call::get(PRODUCTS, "get").query("productKey", product_key);
        self.send(call).await
    }

    /// One page of products.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn search_products(&self, search: &Search) -> Result<Answer<Vec<Product>>, Error> {
        self.search(PRODUCTS, "search", search).await
    }

    /// All products that match, page by page, without their secrets.
    #[must_use]
    pub fn products(&self, expression: Option<&str>) -> Pages<Product> {
        Pages::new(self, PRODUCTS, "search", expression)
    }

    /// Gives a product another secret; the one before stays good for the grace.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn rotate_product_secret(
        &self,
        product_key: &str,
        rotation: &ProductRotation,
    ) -> Result<Answer<RotatedProduct>, Error> {
        let call = Call::post(EXTENSION, "rotateSecret").query("productKey", product_key);
        self.send(call.json(rotation)).await
    }

    /// Changes what a [`ProductChange`], or a JSON document of that shape, names.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn update_product<T: Serialize + ?Sized>(
        &self,
        product_key: &str,
        change: &T,
    ) -> Result<Answer<()>, Error> {
        let call = Call::post(PRODUCTS, "update").query("productKey", product_key);
        self.send(call.json(change)).await
    }

    /// Deletes a product without devices.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn delete_product(&self, product_key: &str) -> Result<Answer<()>, Error> {
        self.send(Call::post(PRODUCTS, "delete").query("productKey", product_key))
            .await
    }
}
