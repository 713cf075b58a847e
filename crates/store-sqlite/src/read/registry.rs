//! Organizations, access keys, thing models and products. They are few: searches read an organization's one after
//! another and filter them here.

use aldis_core::expression::{Filter, ModelField, ProductField};
use aldis_core::ids::{AppKey, ModelId, OrgId, ProductKey};
use aldis_core::model::ThingModel;
use aldis_store::rows::{AccessKey, FormerSecret, FoundModel, Model, Organization, Product, Role};
use aldis_store::{Found, Page, PageBytes, Weigh};
use rusqlite::{Connection, Row, params};
use serde_json::value::RawValue;

use crate::cells::{Cells, int};
use crate::db::Db;
use crate::driver_error::{DriverError, Result};
use crate::secret::{Cipher, Owner};
use crate::sql;

/// The number under which a role is stored.
pub(crate) fn role_number(role: Role) -> i64 {
    int(role as u64)
}

const ORGANIZATION: &str = "SELECT id, name, disabled, created FROM organization";

pub(super) fn organization(conn: &Connection, org: &OrgId) -> Result<Option<Organization>> {
    sql::first(
        conn,
        &format!("{ORGANIZATION} WHERE id = ?1"),
        [&org.0],
        read_organization,
    )
}

pub(super) fn organizations(conn: &Connection) -> Result<Vec<Organization>> {
    sql::all(conn, &format!("{ORGANIZATION} ORDER BY id"), [], read_organization)
}

fn read_organization(row: &Row<'_>) -> Result<Organization> {
    let mut cells = Cells::new(row, "organization");
    Ok(Organization {
        id: OrgId(cells.get("id")?),
        name: cells.get("name")?,
        disabled: cells.flag("disabled")?,
        created: cells.time("created")?,
    })
}

const ACCESS_KEY: &str = "SELECT app_key, secret, org, role, name, disabled, created FROM access_key";

pub(super) fn access_key(db: &Db, key: &AppKey) -> Result<Option<AccessKey>> {
    let read = |row: &Row<'_>| read_access_key(&db.cipher, row);
    sql::first(&db.conn, &format!("{ACCESS_KEY} WHERE app_key = ?1"), [&key.0], read)
}

pub(super) fn access_keys(db: &Db, org: Option<&OrgId>) -> Result<Vec<AccessKey>> {
    let read = |row: &Row<'_>| read_access_key(&db.cipher, row);
    match org {
        Some(org) => sql::all(
            &db.conn,
            &format!("{ACCESS_KEY} WHERE org = ?1 ORDER BY app_key"),
            [&org.0],
            read,
        ),
        None => sql::all(&db.conn, &format!("{ACCESS_KEY} ORDER BY app_key"), [], read),
    }
}

fn read_access_key(cipher: &Cipher, row: &Row<'_>) -> Result<AccessKey> {
    let mut cells = Cells::new(row, "access_key");
    let app_key: String = cells.get("app_key")?;
    let sealed: Vec<u8> = cells.get("secret")?;
    Ok(AccessKey {
        secret: cipher.open(Owner::AccessKey(&app_key), &sealed)?,
        app_key: AppKey(app_key),
        org: OrgId(cells.get("org")?),
        role: cells.choice("role", &Role::ALL)?,
        name: cells.get("name")?,
        disabled: cells.flag("disabled")?,
        created: cells.time("created")?,
    })
}

const MODEL: &str = "SELECT org, id, document, created, updated FROM model";

pub(crate) fn model(conn: &Connection, org: &OrgId, id: &ModelId) -> Result<Option<Model>> {
    sql::first(
        conn,
        &format!("{MODEL} WHERE org = ?1 AND id = ?2"),
        [&org.0, &id.0],
        read_model,
    )
}

pub(super) fn search_models(
    conn: &Connection,
    org: &OrgId,
    filter: Option<&Filter<ModelField>>,
    page: Page,
) -> Result<Found<FoundModel>> {
    let of_org = format!("{MODEL} WHERE org = ?1 ORDER BY no DESC");
    match filter {
        Some(filter) => sql::page(conn, &of_org, [&org.0], page, found_model, |model| {
            passes(filter, model)
        }),
        None => page_of_all(conn, "model", &of_org, org, page, found_model),
    }
}

/// A page of all rows of an organization, without a look at the others.
fn page_of_all<T: Weigh>(
    conn: &Connection,
    table: &'static str,
    of_org: &str,
    org: &OrgId,
    page: Page,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Found<T>> {
    let count = format!("SELECT count(*) FROM {table} WHERE org = ?1");
    let total = sql::first(conn, &count, [&org.0], |row| Cells::new(row, table).number("count(*)"))?;
    let mut bytes = PageBytes::default();
    let rows = sql::all(
        conn,
        &format!("{of_org} LIMIT ?2 OFFSET ?3"),
        params![org.0, int(page.take), int(page.skip)],
        |row| Ok(bytes.admit(read(row)?)?),
    )?;
    Ok(Found {
        rows,
        total: total.unwrap_or(0),
    })
}

/// A model passes by its document.
fn passes(filter: &Filter<ModelField>, model: &FoundModel) -> Result<bool> {
    let corrupt = |what: String| DriverError::corrupt("model", "document", what);
    let document = serde_json::from_str(&model.document).map_err(|error| corrupt(error.to_string()))?;
    let document = ThingModel::read(&document).map_err(|violation| corrupt(violation.to_string()))?;
    Ok(filter.matches(&document))
}

fn found_model(row: &Row<'_>) -> Result<FoundModel> {
    let mut cells = Cells::new(row, "model");
    Ok(FoundModel {
        org: OrgId(cells.get("org")?),
        id: ModelId(cells.get("id")?),
        document: cells.json::<Box<RawValue>>("document")?.into(),
    })
}

fn read_model(row: &Row<'_>) -> Result<Model> {
    let mut cells = Cells::new(row, "model");
    Ok(Model {
        org: OrgId(cells.get("org")?),
        id: ModelId(cells.get("id")?),
        document: cells.json("document")?,
        created: cells.time("created")?,
        updated: cells.time("updated")?,
    })
}

const PRODUCT: &str = "SELECT key, org, name, secret, description, gateway, json, tags, model, dynamic_activation,
                              certificates, created, created_by, updated, updated_by, command_qos,
                              gateway_registers, former_secret, former_secret_until
                       FROM product";

pub(super) fn product(db: &Db, key: &ProductKey) -> Result<Option<Product>> {
    let read = |row: &Row<'_>| read_product(&db.cipher, row);
    sql::first(&db.conn, &format!("{PRODUCT} WHERE key = ?1"), [&key.0], read)
}

pub(super) fn search_products(
    db: &Db,
    org: &OrgId,
    filter: Option<&Filter<ProductField>>,
    page: Page,
) -> Result<Found<Product>> {
    let read = |row: &Row<'_>| read_product(&db.cipher, row);
    let of_org = format!("{PRODUCT} WHERE org = ?1 ORDER BY no DESC");
    match filter {
        Some(filter) => sql::page(&db.conn, &of_org, [&org.0], page, read, |product| {
            Ok(filter.matches(product))
        }),
        None => page_of_all(&db.conn, "product", &of_org, org, page, read),
    }
}

/// A secret that was replaced, with the moment at which its grace ends.
pub(super) fn former_secret(
    cells: &mut Cells<'_, '_>,
    cipher: &Cipher,
    owner: Owner<'_>,
) -> Result<Option<FormerSecret>> {
    let sealed: Option<Vec<u8>> = cells.get("former_secret")?;
    let until = cells.optional_time("former_secret_until")?;
    let Some((sealed, until)) = sealed.zip(until) else {
        return Ok(None);
    };
    let secret = cipher.open(owner, &sealed)?;
    Ok(Some(FormerSecret { secret, until }))
}

fn read_product(cipher: &Cipher, row: &Row<'_>) -> Result<Product> {
    let mut cells = Cells::new(row, "product");
    let key: String = cells.get("key")?;
    let (org, name) = (OrgId(cells.get("org")?), cells.json("name")?);
    let sealed: Vec<u8> = cells.get("secret")?;
    Ok(Product {
        org,
        name,
        secret: cipher.open(Owner::Product(&key), &sealed)?,
        desc: cells.get("description")?,
        gateway: cells.flag("gateway")?,
        json: cells.flag("json")?,
        tags: cells.json("tags")?,
        model: ModelId(cells.get("model")?),
        dynamic_activation: cells.flag("dynamic_activation")?,
        certificates: cells.flag("certificates")?,
        created: cells.time("created")?,
        created_by: cells.get::<Option<String>>("created_by")?.map(AppKey),
        updated: cells.time("updated")?,
        updated_by: cells.get::<Option<String>>("updated_by")?.map(AppKey),
        command_qos: cells.number("command_qos")?,
        gateway_registers: cells.flag("gateway_registers")?,
        former_secret: former_secret(&mut cells, cipher, Owner::Product(&key))?,
        key: ProductKey(key),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_back_by_the_number_they_are_stored_under() {
        for role in [Role::Admin, Role::Operator, Role::Reader] {
            let index = usize::try_from(role_number(role)).unwrap();
            assert_eq!(Role::ALL[index], role);
        }
    }
}
