//! Where threads, sockets, the real clock and chance are attached to the plain objects, and detached again in order.
//!
//! Three threads' worth of work: the writer on a thread of its own, devices on a single-threaded runtime of their own,
//! the HTTP API on the caller's runtime.

mod clock;
mod first_start;
mod limits;
mod listen;
mod numbers;
mod pid_file;
mod punctuality;
mod reset_admin;
mod vital;
mod writer_thread;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use aldis_app::Presence;
use aldis_store::{Driver, Epoch, Error as StoreError, Opened, Pools, Store};
use sha2::{Digest, Sha256};

pub use clock::SystemTimes;
pub use first_start::FirstStartError;
pub use punctuality::Punctuality;
pub use reset_admin::{NewAdminKey, ResetAdminError, reset_admin};
pub use writer_thread::SLEEP_MAX_MS;

use crate::assembly::{Assembly, start_clock};
use crate::config::Settings;
use aldis_app::{App, BlockingPool, Rng as _, SystemRng};
use aldis_core::time::{Clock, Timestamp};
use aldis_engine::Shared;
use aldis_engine::clock::ServerClock;
use aldis_engine::writer::{Inbox, Writer};
use aldis_gateway::{Gateway, Listeners, NotReloaded, Sessions, Tls, TlsError};
use aldis_net::shutdown::{self, Stop};
use pid_file::PidFile;
use vital::{Ends, Vital};
use writer_thread::{Signal, WriterThread};

/// API calls read side by side; a login waits for no caller of the API; a look-up of a few rows waits for no other question;
/// and a search with an expression may use its place for seconds.
const POOLS: Pools = Pools {
    calls: 3,
    devices: 4,
    rows: 2,
    searches: 3,
};
/// How long device connections may take to end after they were told to; all of a stop has to fit in ten seconds.
const CONNECTIONS_END_WITHIN: Duration = Duration::from_secs(3);

/// The server's clock over the machine's.
pub(crate) type WiredClock = ServerClock<SystemTimes>;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(Box<dyn std::error::Error + Send + Sync>),
    /// The store cannot be read or written.
    #[error("cannot work with the database in {dir}")]
    Store {
        /// The data directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The first organization and key cannot be made.
    #[error(transparent)]
    FirstStart(#[from] FirstStartError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file or a thread is refused by the operating system.
    #[error("{what}")]
    System {
        /// What was being done.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A server that accepts calls and devices.
pub struct Server {
    /// Where the HTTP API listens.
    pub http: SocketAddr,
    /// Where devices connect.
    pub mqtt: SocketAddr,
    /// Where they do under TLS.
    pub mqtts: Option<SocketAddr>,
    tls: Option<Arc<Tls>>,
    stop_http: Stop,
    stop_mqtt: Stop,
    http_ends: tokio::task::JoinHandle<()>,
    mqtt_ends: JoinHandle<()>,
    sessions: Arc<Sessions>,
    inbox: Arc<Inbox>,
    writer: WriterThread,
    ends: Ends,
    _pid_file: PidFile,
    app: App,
}

/// A part of the server had ended before it was stopped.
#[derive(Debug, thiserror::Error)]
#[error("{0} ended by itself, and with it the server")]
pub struct PartEnded(pub &'static str);

/// The parts that have to live as long as the server.
const WRITER: &str = "the writer's thread";
const DEVICES: &str = "the devices' thread";
const HTTP: &str = "the HTTP listener";

impl Server {
    /// Opens the data directory, reads what has to be known, and starts to listen. Whatever ended while the server was
    /// down is settled before the first device is admitted.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(settings: &Settings, driver: &dyn Driver) -> Result<Self, StartError> {
        let wired = Arc::new(WiredClock::new(SystemTimes));
        let clock: Arc<dyn Clock> = Arc::<WiredClock>::clone(&wired);
        let signal = Arc::new(Signal::default());
        let inbox = Inbox::new({
            let signal = Arc::clone(&signal);
            move || signal.nudge()
        });
        let shared = Shared::default();
        let sessions = Sessions::new(Writer::new(Arc::clone(&inbox)), shared.clone(), Arc::clone(&clock));
        let presence: Arc<dyn Presence> = Arc::clone(&sessions) as _;
        // Before anything is made: certificates that cannot be used are a mistake of the settings.
        let secured = listen_under_tls(settings, &clock)?;
        let Opened { mut store, readers } = driver.open(POOLS).map_err(StartError::Open)?;
        let store_error = |source| StartError::Store {
            dir: settings.data_dir.clone(),
            source,
        };
        start_clock(&wired, &*store, settings.accept_clock).map_err(store_error)?;
        let epoch = store.begin_epoch().map_err(store_error)?;
        first_start::prepare(&mut *store, epoch, &settings.data_dir, clock.now(), &SystemRng)?;
        skip_numbers(&mut *store, epoch, clock.now()).map_err(store_error)?;

        let http = listen::on(settings.http)?;
        let mqtt = listen::on(settings.mqtt)?;
        let (http_at, mqtt_at) = (
            listen::address(&http, settings.http)?,
            listen::address(&mqtt, settings.mqtt)?,
        );
        let assembly = Assembly {
            store,
            epoch,
            readers,
            searches_max: POOLS.searches,
            inbox: Arc::clone(&inbox),
            link: Arc::clone(&sessions) as _,
            presence,
            shared: shared.clone(),
            clock: Arc::clone(&wired),
            blocking: Arc::new(BlockingPool),
            rng: Arc::new(SystemRng),
            token_key: token_key(settings)?,
            settings: app_settings(settings),
        };
        let (mut engine, app) = assembly.start().map_err(store_error)?;
        engine.run_once(wired.reading());
        let (guards, ends) = vital::watch();
        let vital = guards.of(WRITER);
        let writer = WriterThread::start(engine, wired, Arc::clone(&inbox), signal, vital)?;

        let asked = app.clone();
        let connections = limits::connections(settings.http_connections_max);
        shared.waiters.bound(connections.waiting());
        let (stop_http, http_stopped) = shutdown::channel();
        let served = aldis_http_api::serve(
            listen::on_this_runtime(http)?,
            connections.callers,
            app.clone(),
            http_stopped.wait(),
        );
        let vital = guards.of(HTTP);
        let http_ends = tokio::spawn(async move {
            let _reports_the_end = vital;
            served.await;
        });
        let gateway = Gateway::new(app, clock, Arc::clone(&sessions), connections.devices);
        let (mqtts, tls) = secured.as_ref().map(|(_, at, tls)| (*at, Arc::clone(tls))).unzip();
        let (stop_mqtt, mqtt_ends) = serve_devices(gateway, mqtt, secured, guards.of(DEVICES))?;
        Ok(Self {
            http: http_at,
            mqtt: mqtt_at,
            mqtts,
            tls,
            stop_http,
            stop_mqtt,
            http_ends,
            mqtt_ends,
            sessions,
            inbox,
            writer,
            ends,
            _pid_file: PidFile::write(&settings.data_dir),
            app: asked,
        })
    }

    /// Returns when a part of the server has ended by itself: what is left should end too, and be started again.
    pub async fn part_ended(&mut self) -> PartEnded {
        PartEnded(self.ends.next().await)
    }

    /// Reads the certificates again, for the connections to come, and ends those whose certificate has been revoked.
    /// What cannot be used stays as it was, and the log says so.
    pub fn reload(&self) {
        let Some(tls) = &self.tls else { return };
        let NotReloaded { identity, trust } = tls.reload();
        if let Some(error) = &identity {
            tracing::error!(%error, "the server's certificates stay as they were");
        }
        match &trust {
            Some(error) => tracing::error!(%error, "authorities and revoked certificates stay as they were"),
            None => self.sessions.end_revoked(),
        }
        if identity.is_none() && trust.is_none() {
            tracing::info!("certificates were read again");
        }
    }

    /// Stops in order: no new calls or devices; searches are given up; attempts that have not left are taken back;
    /// replies read so far are recorded and acknowledged; then the connections end, and with them the writer.
    ///
    /// # Errors
    /// A part of the server had panicked: what it had to do was not done.
    pub async fn stop(self) -> Result<(), PartEnded> {
        self.app.shared().health.stop();
        self.stop_http.stop();
        self.stop_mqtt.stop();
        self.app.stop_searches();
        let writer = tokio::task::spawn_blocking(move || {
            self.writer.quiet();
            self.writer
        });
        let http_ended = self.http_ends.await.is_ok();
        self.inbox.close();
        let writer = writer.await.map_err(|_panicked| PartEnded(WRITER))?;
        self.sessions.end_all();
        let mqtt_ends = self.mqtt_ends;
        let ended = tokio::task::spawn_blocking(move || mqtt_ends.join().is_ok());
        let mqtt_ended = match tokio::time::timeout(CONNECTIONS_END_WITHIN, ended).await {
            Ok(ended) => ended.unwrap_or(false),
            Err(_) => {
                tracing::warn!("device connections were cut off by the stop of the server");
                true
            }
        };
        let finished = tokio::task::spawn_blocking(move || writer.finish()).await;
        let parts = [
            (http_ended, HTTP),
            (mqtt_ended, DEVICES),
            (finished.unwrap_or(false), WRITER),
        ];
        match parts.into_iter().find(|(well, _)| !well) {
            Some((_, part)) => Err(PartEnded(part)),
            None => Ok(()),
        }
    }
}

/// A listener under TLS, if one is wanted, with its address and its certificates.
type Secured = (std::net::TcpListener, SocketAddr, Arc<Tls>);

fn listen_under_tls(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Option<Secured>, StartError> {
    let Some((asked, files)) = &settings.mqtts else {
        return Ok(None);
    };
    let tls = Arc::new(Tls::load(files.clone(), Arc::clone(clock))?);
    let listener = listen::on(*asked)?;
    let at = listen::address(&listener, *asked)?;
    Ok(Some((listener, at, tls)))
}

/// After this, no number is given out that an earlier start can have given out, whichever copy of the data this is.
fn skip_numbers(store: &mut dyn Store, epoch: Epoch, now: Timestamp) -> Result<(), StoreError> {
    let mut rng = [0; 4];
    SystemRng.fill(&mut rng);
    // The moment of the last commit is kept: the engine compares the clock with it.
    let (_, last) = store.last_commit()?;
    store
        .commit(epoch, last, &[numbers::skip(now, u32::from_ne_bytes(rng))])
        .map(drop)
}

fn app_settings(settings: &Settings) -> aldis_app::Settings {
    aldis_app::Settings {
        no_auth: settings.no_auth,
        tasks_per_job_max: settings.tasks_per_job_max,
        devices_per_product_max: settings.devices_per_product_max,
        rate_limit_per_second: settings.rate_limit_per_second,
    }
}

/// Tokens are sealed with a key of their own, derived from the installation's: they survive a restart, and tell nothing
/// about what seals the secrets.
fn token_key(settings: &Settings) -> Result<[u8; 32], StartError> {
    let path = settings.data_dir.join("secret.key");
    let secret = match settings.secret_key.map(|key| key.0) {
        Some(key) => key.to_vec(),
        None => std::fs::read(&path).map_err(|source| StartError::System {
            what: format!("cannot read {}", path.display()),
            source,
        })?,
    };
    Ok(Sha256::new()
        .chain_update(b"aldis access tokens")
        .chain_update(secret)
        .finalize()
        .into())
}

/// Devices are served by one thread: a connection's work is small, and handing it between threads costs more. Their
/// logins are looked up by as many more as can read at a time, or a fleet that comes back would have hundreds wait for
/// those.
fn serve_devices(
    gateway: Arc<Gateway>,
    plain: std::net::TcpListener,
    secured: Option<Secured>,
    vital: Vital,
) -> Result<(Stop, JoinHandle<()>), StartError> {
    let system = |what: &str| {
        let what = what.to_owned();
        move |source| StartError::System { what, source }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(POOLS.devices)
        .build()
        .map_err(system("cannot start the devices' runtime"))?;
    let (stop, stopped) = shutdown::channel();
    let listeners = {
        let _entered = runtime.enter();
        let tls = secured.map(|(listener, _, tls)| listen::on_this_runtime(listener).map(|listener| (listener, tls)));
        Listeners {
            plain: listen::on_this_runtime(plain)?,
            tls: tls.transpose()?,
        }
    };
    let thread = std::thread::Builder::new()
        .name("devices".to_owned())
        .spawn(move || {
            let _reports_the_end = vital;
            runtime.block_on(aldis_gateway::serve(gateway, listeners, stopped));
        })
        .map_err(system("cannot start the devices' thread"))?;
    Ok((stop, thread))
}
