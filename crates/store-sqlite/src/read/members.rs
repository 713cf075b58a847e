//! The members of a triggered product job that have no row yet.
//!
//! Who is one was fixed by the trigger: up to the watermark, neither disabled nor deleted then. For a device that was
//! changed since, the first change after the trigger says what it was.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use aldis_core::ids::{JobNo, OrgId};
use aldis_store::DeviceFacts;
use rusqlite::{Connection, Rows, params};

use super::devices::{FACTS, read_facts};
use super::jobs;
use crate::cells::{Cells, int};
use crate::driver_error::Result;
use crate::job_row::MemberRow;
use crate::sql;

pub(super) fn unwritten(conn: &Connection, job: JobNo, limit: usize) -> Result<Vec<DeviceFacts>> {
    let Some(job) = jobs::row(conn, job)?.filter(|job| !job.deleted) else {
        return Ok(Vec::new());
    };
    let Some(members) = job.members.filter(|members| members.is.trigger.is_some()) else {
        return Ok(Vec::new());
    };
    let before = standing_at_trigger(conn, &members)?;
    let eligible = |facts: &DeviceFacts| match before.get(&facts.device.0) {
        Some(was_eligible) => *was_eligible,
        None => !facts.disabled && !facts.deleted,
    };
    let mut found = Vec::new();
    candidates(conn, &job.org, &members, |facts| {
        if eligible(&facts) {
            found.push(facts);
        }
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// Of the devices changed since the trigger: whether they were eligible at it.
fn standing_at_trigger(conn: &Connection, members: &MemberRow) -> Result<HashMap<u64, bool>> {
    let sql = "SELECT device, disabled, deleted FROM device_change WHERE no > ?1 ORDER BY no DESC";
    let changes = sql::all(conn, sql, [members.trigger_change.unwrap_or(0)], |row| {
        let mut cells = Cells::new(row, "device_change");
        Ok((
            cells.number("device")?,
            !cells.flag("disabled")? && !cells.flag("deleted")?,
        ))
    })?;
    // The earliest change comes last and stays.
    Ok(changes.into_iter().collect())
}

/// The devices of the products past the cursor, by number, until `take` has enough. Each product's come in order from
/// its index; several are merged as they come, so that a slice costs a slice.
fn candidates(
    conn: &Connection,
    org: &OrgId,
    members: &MemberRow,
    mut take: impl FnMut(DeviceFacts) -> Result<bool>,
) -> Result<()> {
    let sql = format!(
        "SELECT {FACTS} FROM device INDEXED BY device_member
         WHERE product = ?1 AND no > ?2 AND no <= ?3 AND org = ?4 ORDER BY no"
    );
    let (cursor, watermark) = (int(members.is.cursor.0), int(members.is.watermark.0));
    let products: BTreeSet<_> = members.is.products.iter().collect();
    let mut statements = products
        .iter()
        .map(|_| conn.prepare_cached(&sql))
        .collect::<Result<Vec<_>, _>>()?;
    let mut streams = Vec::with_capacity(products.len());
    for (statement, product) in statements.iter_mut().zip(products) {
        streams.push(statement.query(params![product.0, cursor, watermark, org.0])?);
    }
    let mut heads = Vec::with_capacity(streams.len());
    let mut order = BinaryHeap::new();
    for (index, stream) in streams.iter_mut().enumerate() {
        let head = next(stream)?;
        order.extend(head.map(|facts| Reverse((facts.device, index))));
        heads.push(head);
    }
    while let Some(Reverse((_, index))) = order.pop() {
        if let Some(facts) = heads[index].take()
            && !take(facts)?
        {
            break;
        }
        heads[index] = next(&mut streams[index])?;
        order.extend(heads[index].map(|facts| Reverse((facts.device, index))));
    }
    Ok(())
}

fn next(stream: &mut Rows<'_>) -> Result<Option<DeviceFacts>> {
    stream.next()?.map(read_facts).transpose()
}
