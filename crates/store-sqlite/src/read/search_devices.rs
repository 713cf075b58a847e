//! Searches for devices. A device's status is partly presence, which a search is handed as a list of numbers. A search
//! with a filter asks once, for the numbers of all that match, and takes total and page from them.

use aldis_core::expression::{DeviceField, Filter};
use aldis_core::ids::{DeviceNo, OrgId, ProductKey};
use aldis_store::rows::Device;
use aldis_store::{DeviceCounts, DeviceRef, DeviceStatus, Found, OnlineDevices, Page, PageBytes, status_names};
use rusqlite::{Connection, Row, params, params_from_iter};

use super::{cut, devices};
use crate::cells::{Cells, int};
use crate::db::Db;
use crate::driver_error::{DriverError, Result};
use crate::filter::{Query, accepts};
use crate::sql;

/// With the numbers that [`STATUS`] gives them.
const STATES: [(i64, DeviceStatus); 4] = [
    (0, DeviceStatus::Online),
    (1, DeviceStatus::Offline),
    (2, DeviceStatus::Inactive),
    (3, DeviceStatus::Disabled),
];

/// The status as `aldis_store::device_status` has it, before and after the place where the JSON list of the devices
/// that are online is bound. SQLite reads the list once a query.
const STATUS: [&str; 2] = [
    "CASE WHEN disabled THEN 3 WHEN no IN (SELECT value FROM json_each(",
    ")) THEN 0 WHEN activated IS NOT NULL THEN 1 ELSE 2 END",
];

/// The list that is bound there.
fn listed(online: &OnlineDevices) -> String {
    let mut list = String::from("[");
    for no in online.iter() {
        let comma = if list.len() > 1 { "," } else { "" };
        list.push_str(comma);
        list.push_str(&no.0.to_string());
    }
    list.push(']');
    list
}

pub(super) fn search(
    db: &Db,
    org: &OrgId,
    filter: Option<&Filter<DeviceField>>,
    online: &OnlineDevices,
    page: Page,
) -> Result<Found<Device>> {
    let found = match filter {
        None => page_of_all(db, org, page)?,
        Some(filter) => cut(matching(db, org, filter, online)?, page),
    };
    whole(db, found)
}

/// Those under one gateway, which are few.
pub(super) fn search_under(
    db: &Db,
    gateway: DeviceNo,
    filter: Option<&Filter<DeviceField>>,
    online: &OnlineDevices,
    page: Page,
) -> Result<Found<Device>> {
    let mut query = Query::new("SELECT no FROM device WHERE no IN (SELECT device FROM sub_device WHERE gateway = ");
    query.bind(int(gateway.0)).push(")");
    if let Some(filter) = filter {
        query.push(" AND ").filter(filter, &conditions(online));
    }
    query.push(" ORDER BY no DESC");
    let (sql, bound) = query.finish(&db.conditions);
    let numbers = sql::all_once(&db.conn, &sql, params_from_iter(bound), read_no)?;
    whole(db, cut(numbers, page))
}

fn whole(db: &Db, found: Found<DeviceNo>) -> Result<Found<Device>> {
    let mut rows = Vec::with_capacity(found.rows.len());
    let mut bytes = PageBytes::default();
    for no in found.rows {
        if let Some(device) = devices::find(db, &DeviceRef::No(no))? {
            rows.push(bytes.admit(device)?);
        }
    }
    Ok(Found {
        rows,
        total: found.total,
    })
}

fn page_of_all(db: &Db, org: &OrgId, page: Page) -> Result<Found<DeviceNo>> {
    let count = "SELECT count(*) FROM device INDEXED BY device_org WHERE org = ?1 AND deleted = 0";
    let total = sql::first(&db.conn, count, [&org.0], |row| {
        Cells::new(row, "device").number("count(*)")
    })?;
    let sql = "SELECT no FROM device INDEXED BY device_org WHERE org = ?1 AND deleted = 0
               ORDER BY no DESC LIMIT ?2 OFFSET ?3";
    let rows = sql::all(&db.conn, sql, params![org.0, int(page.take), int(page.skip)], read_no)?;
    Ok(Found {
        rows,
        total: total.unwrap_or(0),
    })
}

/// Devices of an organization, or of one product of it, by status.
pub(super) fn count(
    conn: &Connection,
    org: &OrgId,
    product: Option<&ProductKey>,
    online: &OnlineDevices,
) -> Result<DeviceCounts> {
    let of_product = product.map_or("", |_| " AND product = ?3");
    let status = STATUS.join("?2");
    let sql = format!(
        "SELECT {status} AS status, count(*) FROM device WHERE deleted = 0 AND org = ?1{of_product} GROUP BY 1"
    );
    let listed = listed(online);
    let bound = [Some(&org.0), Some(&listed), product.map(|product| &product.0)];
    let found = sql::all(conn, &sql, params_from_iter(bound.into_iter().flatten()), |row| {
        let mut cells = Cells::new(row, "device");
        Ok((cells.number::<i64>("status")?, cells.number("count(*)")?))
    })?;
    let mut counts = DeviceCounts::default();
    for (status, devices) in found {
        let known = STATES.into_iter().find(|(number, _)| *number == status);
        let (_, status) = known.ok_or_else(|| DriverError::corrupt("device", "status", status))?;
        counts.add(status, devices);
    }
    Ok(counts)
}

fn matching(db: &Db, org: &OrgId, filter: &Filter<DeviceField>, online: &OnlineDevices) -> Result<Vec<DeviceNo>> {
    let mut query = Query::new("SELECT no FROM device WHERE deleted = 0 AND org = ");
    query
        .bind(org.0.clone())
        .push(" AND ")
        .filter(filter, &conditions(online));
    query.push(" ORDER BY no DESC");
    let (sql, bound) = query.finish(&db.conditions);
    sql::all_once(&db.conn, &sql, params_from_iter(bound), read_no)
}

fn read_no(row: &Row<'_>) -> Result<DeviceNo> {
    Cells::new(row, "device").number("no").map(DeviceNo)
}

fn conditions(online: &OnlineDevices) -> impl Fn(&mut Query, DeviceField, &Filter<DeviceField>) {
    |query, field, condition| add(query, field, condition, online)
}

fn add(query: &mut Query, field: DeviceField, condition: &Filter<DeviceField>, online: &OnlineDevices) {
    match field {
        DeviceField::AssetId => query.on_text("asset", condition),
        DeviceField::ProductKey => query.on_text("product", condition),
        DeviceField::DeviceKey => query.on_text("key", condition),
        DeviceField::ModelId => {
            query.on_text(
                "(SELECT model FROM product WHERE product.key = device.product)",
                condition,
            );
        }
        DeviceField::ProductType => {
            let kinds = [false, true]
                .into_iter()
                .filter(|gateway| accepts(condition, status_names::product_type(*gateway)));
            let column = "(SELECT gateway FROM product WHERE product.key = device.product)";
            query.on_choice(column, kinds.map(i64::from));
        }
        DeviceField::Name => query.on_name("name", condition),
        DeviceField::Status => {
            let states = STATES
                .into_iter()
                .filter(|(_, state)| accepts(condition, status_names::device_status(*state)));
            let numbers: Vec<i64> = states.map(|(number, _)| number).collect();
            if !numbers.is_empty() {
                let [before, after] = STATUS;
                query.push(before).bind(listed(online)).push(after);
            }
            query.on_choice("", numbers);
        }
        DeviceField::Attributes => query.on_map("attributes", condition),
        DeviceField::Tags => query.on_map("tags", condition),
    }
}
