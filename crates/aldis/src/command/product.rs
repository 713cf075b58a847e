//! `aldis product`: device types.

use std::path::PathBuf;

use aldis_client::{Name, NewProduct, ProductChange, ProductRotation, RotatedProduct, Secret};
use aldis_core::expression::ProductField;
use clap::{Args, Subcommand};

use super::document::{pair, read_json};
use crate::context::Context;
use crate::exit::{Outcome, name_flag, usage};
use crate::filter::Filter;
use crate::pick::Pick;
use crate::screen::{facts, moment, text};

/// How long the secret before stays good after a rotation unless said otherwise: a day, as the API has it.
pub(super) const GRACE_DEFAULT_S: i64 = 24 * 3600;

/// What can be done with products.
#[derive(Debug, Subcommand)]
pub(crate) enum Product {
    /// Create a product; prints its key
    Create(Box<Create>),
    /// One product
    Get {
        /// The product's key
        product_key: String,
    },
    /// Products
    #[command(visible_alias = "list")]
    Search {
        /// Only those of this thing model
        #[arg(long, value_name = "ID")]
        model: Option<String>,
        /// Only those whose name contains this
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        pick: Pick,
    },
    /// Change what the flags name
    Update(Box<Update>),
    /// Give a product another secret; the one before stays good for a while
    RotateSecret {
        /// The product's key
        product_key: String,
        /// How long the secret before stays good, at most 30 days; 0: not at all, and its connections end
        #[arg(long, value_name = "SECONDS", default_value_t = GRACE_DEFAULT_S)]
        grace: i64,
        /// The secret it is to have
        #[arg(long = "secret", value_name = "SECRET")]
        product_secret: Option<Secret>,
    },
    /// Delete a product without devices
    Delete {
        /// The product's key
        product_key: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What people call it
    #[arg(long, required_unless_present = "file")]
    name: Option<String>,
    /// Its thing model
    #[arg(long, value_name = "ID", required_unless_present = "file")]
    model: Option<String>,
    /// The key it is to have, for fleets that move in
    #[arg(long = "key", value_name = "PRODUCT_KEY")]
    product_key: Option<String>,
    /// The secret it is to have
    #[arg(long = "secret", value_name = "SECRET")]
    product_secret: Option<Secret>,
    /// A remark
    #[arg(long)]
    desc: Option<String>,
    /// A product of gateways
    #[arg(long)]
    gateway: bool,
    /// Devices may fetch their secret with the product's
    #[arg(long)]
    dynamic_activation: bool,
    /// Devices must have certificates of their own, and come in under TLS
    #[arg(long)]
    certificates: bool,
    /// Gateways may register devices in it
    #[arg(long, conflicts_with = "gateway")]
    gateway_register: bool,
    /// How commands are sent: 0 (without acknowledgement) or 1, the default
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(i64).range(0..=1))]
    command_qos: Option<i64>,
    /// A label
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// The request as a JSON file instead of flags; - for stdin
    #[arg(long, conflicts_with_all = ["name", "model", "product_key", "product_secret", "desc", "gateway",
        "dynamic_activation", "certificates", "gateway_register", "command_qos", "tags"])]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The product's key
    product_key: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// A remark
    #[arg(long)]
    desc: Option<String>,
    /// Whether devices may fetch their secret with the product's
    #[arg(long, value_name = "true|false")]
    dynamic_activation: Option<bool>,
    /// Whether devices must have certificates of their own, and come in under TLS
    #[arg(long, value_name = "true|false")]
    certificates: Option<bool>,
    /// Whether gateways may register devices in it
    #[arg(long, value_name = "true|false")]
    gateway_register: Option<bool>,
    /// How commands are sent from the devices' next login on: 0 (without acknowledgement) or 1
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(i64).range(0..=1))]
    command_qos: Option<i64>,
    /// A label; all of them together replace the old ones
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Remove all labels
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
}

impl Update {
    fn request(&self) -> ProductChange {
        let has_tags = self.no_tags || !self.tags.is_empty();
        ProductChange {
            product_name: self.name.as_deref().map(Name::plain),
            product_desc: self.desc.clone(),
            dynamic_activate_enabled: self.dynamic_activation,
            bi_directional_auth: self.certificates,
            gateway_register_enabled: self.gateway_register,
            command_qos: self.command_qos,
            product_tags: has_tags.then(|| self.tags.iter().cloned().collect()),
        }
    }
}

impl Create {
    fn request(&self) -> anyhow::Result<NewProduct> {
        if let Some(file) = &self.file {
            return serde_json::from_value(read_json(file)?)
                .map_err(|error| usage(format!("{}: {error}", file.display())));
        }
        let name = self.name.clone().unwrap_or_default();
        let mut product = NewProduct::new(name, self.model.clone().unwrap_or_default());
        if self.gateway {
            product.product_type = Some("Gateway".to_owned());
        }
        product.product_key.clone_from(&self.product_key);
        product.product_secret.clone_from(&self.product_secret);
        product.product_desc.clone_from(&self.desc);
        product.dynamic_activate_enabled = self.dynamic_activation.then_some(true);
        product.bi_directional_auth = Some(self.certificates);
        product.gateway_register_enabled = self.gateway_register.then_some(true);
        product.command_qos = self.command_qos;
        product.product_tags = Some(self.tags.iter().cloned().collect());
        Ok(product)
    }
}

impl Product {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let client = context.client()?;
        let screen = context.screen;
        match self {
            Self::Create(create) => {
                let created = client.create_product(&create.request()?).await;
                let flags: &[_] = if create.file.is_some() { &[] } else { &FLAGS };
                let created = created.map_err(|error| name_flag(error, flags))?;
                screen.answer(&created, Clone::clone)?;
            }
            Self::Get { product_key } => screen.answer(&client.get_product(&product_key).await?, whole)?,
            Self::Search { model, name, pick } => {
                let filter = Filter::<ProductField>::starting_with(pick.expression.as_deref())
                    .equals("modelId", model.as_deref())
                    .contains("productName", name.as_deref());
                let products = client.products(filter.expression()?.as_deref());
                pick.print(screen, products, &HEAD, row).await?;
            }
            Self::Update(update) => {
                let updated = client.update_product(&update.product_key, &update.request()).await?;
                screen.answer(&updated, |()| format!("{} updated", update.product_key))?;
            }
            Self::RotateSecret {
                product_key,
                grace,
                product_secret,
            } => {
                let rotation = ProductRotation {
                    product_secret,
                    grace_seconds: Some(grace),
                };
                let rotated = client.rotate_product_secret(&product_key, &rotation).await?;
                screen.answer(&rotated, rotated_product)?;
            }
            Self::Delete { product_key } => {
                let deleted = client.delete_product(&product_key).await?;
                screen.answer(&deleted, |()| format!("{product_key} deleted"))?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// Fields of a new product, and the flags that fill them.
const FLAGS: [(&str, &str); 7] = [
    ("productName", "--name"),
    ("modelId", "--model"),
    ("productKey", "--key"),
    ("productSecret", "--secret"),
    ("productDesc", "--desc"),
    ("productTags", "--tag"),
    ("commandQos", "--command-qos"),
];

fn yes_or_no(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

const HEAD: [&str; 6] = ["PRODUCT", "NAME", "MODEL", "TYPE", "FORMAT", "CREATED"];

fn row(product: &aldis_client::Product) -> Vec<String> {
    vec![
        product.product_key.clone(),
        product.product_name.default_value.clone(),
        text(product.model_id.as_deref()),
        text(product.product_type.as_deref()),
        text(product.data_format.as_deref()),
        moment(product.create_time).unwrap_or_default(),
    ]
}

fn whole(product: &aldis_client::Product) -> String {
    facts([
        ("product", Some(product.product_key.clone())),
        ("name", Some(product.product_name.default_value.clone())),
        ("secret", product.product_secret.clone().map(String::from)),
        ("description", product.product_desc.clone()),
        ("model", product.model_id.clone()),
        ("type", product.product_type.clone()),
        ("format", product.data_format.clone()),
        ("dynamic activation", product.dynamic_activate_enabled.map(yes_or_no)),
        ("certificates", product.bi_directional_auth.map(yes_or_no)),
        ("gateways register", product.gateway_register_enabled.map(yes_or_no)),
        ("command qos", product.command_qos.map(|qos| qos.to_string())),
        ("tags", product.product_tags.as_ref().map(tags_text)),
        ("created", moment(product.create_time)),
        ("updated", moment(product.update_time)),
    ])
}

fn rotated_product(product: &RotatedProduct) -> String {
    facts([
        ("product", Some(product.product_key.clone())),
        ("secret", Some(product.product_secret.0.clone())),
        ("old secret until", moment(product.former_secret_until)),
    ])
}

/// Labels on one line.
pub(super) fn tags_text(tags: &std::collections::BTreeMap<String, String>) -> String {
    let pairs = tags.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(", ")
}
