//! A commit: one transaction, the writes in order, one function each; then what they came to for jobs and counters.
//!
//! A refusal must be found before the first change of its write, because the transaction goes on. A failure ends the
//! whole transaction, and nothing of it stays.

mod devices;
mod job_tasks;
mod jobs;
mod journal;
mod registry;
mod reported;
mod set_back;
mod sub_devices;
mod touched;

use aldis_core::ids::DeviceNo;
use aldis_core::time::Timestamp;
use aldis_store::rows::CommitNo;
use aldis_store::{Committed, Done, Epoch, Error, Refusal, Store, Write, skipped};
use rusqlite::{Connection, TransactionBehavior};

use crate::cells::{Cells, int};
use crate::database::{Sole, SqliteStore};
use crate::db::Db;
use crate::driver_error::{DriverError, Result};
use crate::secret::Cipher;
use crate::sql;
use touched::Touched;

/// Why a write did not come to its end.
enum Stop {
    Refused(Refusal),
    Failed(DriverError),
}

type Applied = Result<Done, Stop>;

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DriverError> for Stop {
    fn from(failure: DriverError) -> Self {
        Self::Failed(failure)
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Store for SqliteStore {
    /// The lock of the data directory keeps a second writer out.
    fn begin_epoch(&mut self) -> Result<Epoch, Error> {
        Ok(Epoch::SOLE)
    }

    fn commit(&mut self, _epoch: Epoch, now: Timestamp, writes: &[Write]) -> Result<Committed, Error> {
        self.check_whole()?;
        let db = self.access.db.get_mut();
        let committed = commit(db, now, writes).map_err(|failure| failure.during("committing"))?;
        self.check()?;
        Ok(committed)
    }

    fn check(&mut self) -> Result<(), Error> {
        self.check_whole()?;
        let Sole { db, files, .. } = &mut self.access;
        let Some(path) = files.replaced() else { return Ok(()) };
        let saved = files.have_database() && complete_database(db.get_mut()) && files.put_log_aside();
        Err(Error::Replaced { path, saved })
    }
}

impl SqliteStore {
    /// A file that was cut is not written to any more: what is missing would be taken for empty pages.
    fn check_whole(&mut self) -> Result<(), Error> {
        let cut = self.access.files.cut();
        cut.map_or(Ok(()), |path| Err(Error::Replaced { path, saved: false }))
    }
}

/// Dropping the transaction on the way out rolls it back, also when COMMIT itself has failed.
fn commit(db: &mut Db, now: Timestamp, writes: &[Write]) -> Result<Committed> {
    let transaction = db.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut batch = Batch::begin(&transaction, &db.cipher, now)?;
    let mut done = Vec::with_capacity(writes.len());
    for write in writes {
        done.push(match batch.apply(write) {
            Ok(done) => done,
            Err(Stop::Refused(refusal)) => Done::Refused(refusal),
            Err(Stop::Failed(failure)) => return Err(failure),
        });
    }
    let number = batch.finish()?;
    transaction.commit()?;
    Ok(Committed { number, done })
}

/// Moves all of the log into the database, also of a log that has been removed and that this process alone still has.
/// False: a part of it is not there.
fn complete_database(db: &Db) -> bool {
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let moved = db.conn.query_row("PRAGMA wal_checkpoint(FULL)", [], row);
    moved.is_ok_and(|(busy, logged, moved)| busy == 0 && logged == moved)
}

/// A commit under way.
struct Batch<'a> {
    conn: &'a Connection,
    cipher: &'a Cipher,
    now: Timestamp,
    number: CommitNo,
    next: Next,
    jobs: Touched,
    /// A gateway, and how many devices are under it.
    under: Option<(DeviceNo, usize)>,
}

/// The numbers that are handed out next.
struct Next {
    device: u64,
    job: u64,
    task: u64,
}

impl<'a> Batch<'a> {
    fn begin(conn: &'a Connection, cipher: &'a Cipher, now: Timestamp) -> Result<Self> {
        let sql = "SELECT commit_no, next_device, next_job, next_task FROM meta";
        let meta = sql::first(conn, sql, [], |row| {
            let mut cells = Cells::new(row, "meta");
            let number: u64 = cells.number("commit_no")?;
            let next = Next {
                device: cells.number("next_device")?,
                job: cells.number("next_job")?,
                task: cells.number("next_task")?,
            };
            Ok((CommitNo(number + 1), next))
        });
        let (number, next) = meta?.ok_or_else(|| DriverError::corrupt("meta", "one", "no row"))?;
        Ok(Self {
            conn,
            cipher,
            now,
            number,
            next,
            jobs: Touched::default(),
            under: None,
        })
    }

    fn finish(self) -> Result<CommitNo> {
        self.jobs.write(self.conn)?;
        let sql = "UPDATE meta SET commit_no = ?1, clock = ?2, next_device = ?3, next_job = ?4, next_task = ?5";
        let Next { device, job, task } = self.next;
        sql::run(
            self.conn,
            sql,
            [int(self.number.0), self.now.0, int(device), int(job), int(task)],
        )?;
        Ok(self.number)
    }

    fn apply(&mut self, write: &Write) -> Applied {
        match write {
            Write::CreateOrganization(organization) => self.create_organization(organization),
            Write::DisableOrganization { org, disabled } => self.disable_organization(org, *disabled),
            Write::DeleteOrganization { org } => self.delete_organization(org),
            Write::CreateKey(key) => self.create_key(key),
            Write::DisableKey { key, disabled } => self.disable_key(key, *disabled),
            Write::DeleteKey { key } => self.delete_key(key),
            Write::CreateModel(model) => self.create_model(model),
            Write::UpdateModel {
                org,
                id,
                from,
                document,
            } => self.update_model(org, id, from, document),
            Write::DeleteModel { org, id } => self.delete_model(org, id),
            Write::CreateProduct(product) => self.create_product(product),
            Write::UpdateProduct { org, key, change, by } => self.update_product(org, key, change, by.as_ref()),
            Write::RotateProductSecret {
                org,
                key,
                secret,
                former_until,
                by,
            } => self.rotate_product_secret(org, key, secret, *former_until, by.as_ref()),
            Write::DeleteProduct { org, key } => self.delete_product(org, key),
            Write::CreateDevices {
                devices,
                most,
                registrar,
            } => self.create_devices(devices, *most, *registrar),
            Write::UpdateDevice { device, change } => self.update_device(*device, change),
            Write::DisableDevice { device, disabled, by } => self.disable_device(*device, *disabled, by),
            Write::DeleteDevice { device, by } => self.delete_device(*device, by),
            Write::ReplaceDevice { device, key, by } => self.replace_device(*device, key, by),
            Write::RotateDeviceSecret {
                device,
                secret,
                former_until,
            } => self.rotate_device_secret(*device, secret, *former_until),
            Write::AddSubDevices {
                gateway,
                devices,
                moves,
                most,
            } => self.add_sub_devices(*gateway, devices, *moves, *most),
            Write::RemoveSubDevices { gateway, devices } => self.remove_sub_devices(*gateway, devices),
            Write::Activity(activities) => self.note_activity(activities),
            Write::Report { values, names_max } => self.report(values, *names_max),
            Write::EndSessions { at } => self.end_sessions(*at),
            Write::SetClockBack { by_ms } => self.set_clock_back(*by_ms),
            Write::CreateJob(job) => self.create_job(job),
            Write::TriggerJob { job } => self.trigger_job(*job),
            Write::WriteTasks {
                job,
                after,
                cursor,
                tasks,
            } => self.write_tasks(*job, *after, *cursor, tasks),
            Write::Steps(steps) => self.take_steps(steps),
            Write::Slots(slots) => self.set_slots(slots),
            Write::CancelJob { job, by } => self.cancel_job(*job, by),
            Write::SettledJob { job, mark } => self.settled_job(*job, *mark),
            Write::DeleteJob { job, by } => self.delete_job(*job, by),
            Write::PurgeJob { job, limit } => self.purge_job(*job, *limit),
            Write::Remember { idempotency, answer } => self.remember(idempotency, answer),
            Write::SkipNumbers { least, gap } => {
                self.next.job = skipped(self.next.job, *least, *gap);
                self.next.task = skipped(self.next.task, *least, *gap);
                Ok(Done::Yes)
            }
            Write::UseUp { proofs, before, limit } => self.use_up(proofs, *before, *limit),
            Write::Note(action) => self.note(action),
            Write::Noted { write, actions } => self.noted(write, actions),
        }
    }
}

/// Turns "no row was changed" into a refusal.
fn changed(rows: usize) -> Applied {
    if rows == 0 {
        Err(Refusal::Missing.into())
    } else {
        Ok(Done::Yes)
    }
}

fn refuse_if(condition: bool, refusal: Refusal) -> Result<(), Stop> {
    if condition { Err(refusal.into()) } else { Ok(()) }
}
