//! `/connect-service/v2.1/products`, get and search also on v2.4 (docs/api.md, "Products").

use std::collections::BTreeMap;

use aldis_core::command::Qos;
use aldis_core::expression::ProductField;
use aldis_core::ids::ModelId;
use aldis_core::secret::Secret;
use aldis_core::tags;
use aldis_core::violation::Violation;
use aldis_store::rows::{self, ProductChange};
use aldis_store::status_names;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::devices::{IS_PATCH_UPDATE, REQUIRE_SECRET, REQUIRE_SECRETS, needed};
use super::envelope::Answer;
use super::names::{StringI18n, read_name};
use super::paging::SearchRequest;
use aldis_app::products::ProductDraft;
use aldis_app::{App, Error};

const PATH: &[&str] = &["/connect-service/v2.1/products"];
const READ_PATHS: &[&str] = &["/connect-service/v2.1/products", "/connect-service/v2.4/products"];

pub(super) fn actions() -> Vec<Action> {
    const KEY: &str = "The product's key";
    vec![
        Action::change(
            PATH,
            &["create"],
            |app, call| Box::pin(create(app, call)),
            Doc::new("Create a product; `data` is its key")
                .body::<CreateProduct>()
                .answer::<String>(),
        ),
        Action::read(
            READ_PATHS,
            &["get"],
            |app, call| Box::pin(get(app, call)),
            Doc::new("A product")
                .needs("productKey", KEY)
                .takes("requireSecret", REQUIRE_SECRET)
                .answer::<Product>(),
        ),
        Action::read(
            READ_PATHS,
            &["search"],
            |app, call| Box::pin(search(app, call)),
            Doc::new("Search products")
                .takes("requireSecret", REQUIRE_SECRETS)
                .body::<SearchRequest>()
                .page::<Product>(),
        ),
        Action::change(
            PATH,
            &["update"],
            |app, call| Box::pin(update(app, call)),
            Doc::new("Change a product")
                .needs("productKey", KEY)
                .takes("isPatchUpdate", IS_PATCH_UPDATE)
                .body::<UpdateProduct>(),
        ),
        Action::change(
            PATH,
            &["delete"],
            |app, call| Box::pin(delete(app, call)),
            Doc::new("Delete a product that has no devices").needs("productKey", KEY),
        ),
    ]
}

/// The body of `create`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"productName": {"defaultValue": "Turbine"}, "modelId": "turbine", "productType": "Device",
    "dataFormat": "Json", "biDirectionalAuth": false, "productKey": "turbines"}))]
struct CreateProduct {
    /// Its name.
    product_name: StringI18n,
    /// Its thing model.
    model_id: String,
    /// `Device` or `Gateway`.
    product_type: String,
    /// `Json` or `Custom`. Commands can be sent to devices of Json products only.
    data_format: String,
    /// Devices must present certificates.
    bi_directional_auth: bool,
    /// At most 1024 characters.
    product_desc: Option<String>,
    /// Devices may fetch their secret with the product's; false if absent.
    dynamic_activate_enabled: Option<bool>,
    /// Extension: gateways may register devices in it; false if absent. Refused for productType Gateway.
    gateway_register_enabled: Option<bool>,
    /// Extension: 0 or 1, how commands are sent to its devices; 1 if absent.
    #[schema(minimum = 0, maximum = 1)]
    command_qos: Option<i64>,
    /// Free tags.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    product_tags: Option<Value>,
    /// Extension: its key; generated if absent.
    #[schema(max_length = 20)]
    product_key: Option<String>,
    /// Extension: its secret; generated if absent.
    #[schema(value_type = Option<String>, max_length = 64)]
    product_secret: Option<Secret>,
}

/// The body of `update`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"productName": {"defaultValue": "Turbine"}, "productTags": {"floor": "2"}}))]
struct UpdateProduct {
    /// Extension: stays if absent.
    product_name: Option<StringI18n>,
    /// Stays if absent.
    product_desc: Option<String>,
    /// Stays if absent.
    bi_directional_auth: Option<bool>,
    /// Stays if absent.
    dynamic_activate_enabled: Option<bool>,
    /// Extension: gateways may register devices in it; stays if absent. Refused for productType Gateway.
    gateway_register_enabled: Option<bool>,
    /// Extension: 0 or 1; stays if absent.
    #[schema(minimum = 0, maximum = 1)]
    command_qos: Option<i64>,
    /// All its tags; they stay if absent.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    product_tags: Option<Value>,
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Product {
    org_id: String,
    product_key: String,
    product_name: StringI18n,
    /// Null for the role reader, on v2.4, and in lists unless `requireSecret` is true.
    #[schema(value_type = Option<String>)]
    product_secret: Option<Secret>,
    product_desc: String,
    /// `Device` or `Gateway`.
    product_type: &'static str,
    /// `Json` or `Custom`.
    data_format: &'static str,
    product_tags: BTreeMap<String, String>,
    model_id: String,
    dynamic_activate_enabled: bool,
    /// Extension: gateways may register devices in it.
    gateway_register_enabled: bool,
    bi_directional_auth: bool,
    /// Extension: 0 or 1.
    command_qos: i64,
    /// Epoch milliseconds.
    create_time: i64,
    /// The access key that created it.
    create_by: Option<String>,
    /// Epoch milliseconds.
    update_time: i64,
    /// The access key that changed it last.
    update_by: Option<String>,
    /// Always null: there are no certificates.
    #[schema(value_type = Option<i64>)]
    default_valid_day: Option<()>,
    /// Always null: there are no certificates.
    #[schema(value_type = Option<i64>)]
    max_valid_day: Option<()>,
}

/// The word for what its devices speak.
pub(super) fn format_word(product: &rows::Product) -> &'static str {
    if product.json { "Json" } else { "Custom" }
}

impl Product {
    fn new(row: rows::Product, with_secret: bool) -> Self {
        Self {
            product_type: status_names::product_type(row.gateway),
            data_format: format_word(&row),
            org_id: row.org.0,
            product_key: row.key.0,
            product_name: row.name.into(),
            product_secret: with_secret.then_some(row.secret),
            product_desc: row.desc,
            product_tags: row.tags,
            model_id: row.model.0,
            dynamic_activate_enabled: row.dynamic_activation,
            gateway_register_enabled: row.gateway_registers,
            bi_directional_auth: row.certificates,
            command_qos: row.command_qos.number(),
            create_time: row.created.0,
            create_by: row.created_by.map(|key| key.0),
            update_time: row.updated.0,
            update_by: row.updated_by.map(|key| key.0),
            default_valid_day: None,
            max_valid_day: None,
        }
    }
}

/// Whether `text` is the second of two words, read in any case.
fn is_second(field: &str, text: &str, words: [&str; 2]) -> Result<bool, Violation> {
    let [first, second] = words;
    match text {
        text if text.eq_ignore_ascii_case(first) => Ok(false),
        text if text.eq_ignore_ascii_case(second) => Ok(true),
        other => Err(Violation::of_text(other, format!("{first} or {second}")).within(field)),
    }
}

/// Tags, checked; `field` is where they stand.
pub(super) fn read_tags(field: &str, given: Option<Value>) -> Result<Option<tags::Tags>, Violation> {
    given
        .map(|value| tags::read(&value).map_err(|violation| violation.within(field)))
        .transpose()
}

fn read_qos(given: Option<i64>) -> Result<Option<Qos>, Violation> {
    let read = |number: i64| {
        Qos::try_from(number)
            .map_err(|_neither| Violation::of_text(&number.to_string(), "0 or 1".to_owned()).within("commandQos"))
    };
    given.map(read).transpose()
}

async fn create(app: App, call: Call) -> Result<Answer, Error> {
    let body: CreateProduct = call.decode()?;
    let draft = ProductDraft {
        key: body.product_key,
        secret: body.product_secret,
        model: ModelId(body.model_id),
        gateway: is_second("productType", &body.product_type, ["Device", "Gateway"])?,
        json: is_second("dataFormat", &body.data_format, ["Custom", "Json"])?,
        details: ProductChange {
            name: Some(body.product_name.read("productName")?),
            desc: body.product_desc,
            tags: read_tags("productTags", body.product_tags)?,
            dynamic_activation: body.dynamic_activate_enabled,
            certificates: Some(body.bi_directional_auth),
            gateway_registers: body.gateway_register_enabled,
            command_qos: read_qos(body.command_qos)?,
        },
    };
    Answer::data(&app.create_product(&call.caller, draft).await?)
}

async fn get(app: App, call: Call) -> Result<Answer, Error> {
    let key = call.required("productKey")?;
    let with_secret = call.shows_secret()?;
    let product = app.product(&call.caller, key).await?;
    Answer::data(&Product::new(product, with_secret))
}

async fn search(app: App, call: Call) -> Result<Answer, Error> {
    let with_secret = call.shows_secrets_in_list()?;
    let mut search = call.search::<ProductField>()?;
    let found = app
        .search_products(&call.caller, search.filter.take(), search.page())
        .await?;
    search.answer(found, |product| Ok(Product::new(product, with_secret)))
}

async fn update(app: App, call: Call) -> Result<Answer, Error> {
    let key = call.required("productKey")?;
    let body: UpdateProduct = call.decode()?;
    let mut change = ProductChange {
        name: read_name("productName", body.product_name)?,
        desc: body.product_desc,
        tags: read_tags("productTags", body.product_tags)?,
        dynamic_activation: body.dynamic_activate_enabled,
        certificates: body.bi_directional_auth,
        gateway_registers: body.gateway_register_enabled,
        command_qos: read_qos(body.command_qos)?,
    };
    if !call.is_patch_update()? {
        needed("productName", change.name.as_ref())?;
        change.desc.get_or_insert_default();
        change.tags.get_or_insert_default();
    }
    app.update_product(&call.caller, key, change).await?;
    Ok(Answer::done())
}

async fn delete(app: App, call: Call) -> Result<Answer, Error> {
    app.delete_product(&call.caller, call.required("productKey")?).await?;
    Ok(Answer::done())
}
