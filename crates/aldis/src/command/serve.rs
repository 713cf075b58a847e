//! `aldis serve`: the server itself (docs/operating.md).

use std::io::Write as _;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use aldis_server::config::Given;
use aldis_server::wiring::Server;
use aldis_store_sqlite::SqliteDriver;
use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Broken, usage};

/// Serve the HTTP API and devices from one data directory.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory of the database, its key and the first access key [default: ./aldis-data]
    #[arg(long, value_name = "DIR", env = "ALDIS_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Address of the HTTP API; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "ALDIS_HTTP")]
    http: Option<String>,
    /// Address for devices; port 0 picks a free one [default: 127.0.0.1:11883]
    #[arg(long, value_name = "ADDR", env = "ALDIS_MQTT")]
    mqtt: Option<String>,
    /// Settings file (TOML); flags and environment win over it
    #[arg(long, value_name = "FILE", env = "ALDIS_CONFIG")]
    config: Option<PathBuf>,
    /// Accept unsigned API calls; needs a loopback HTTP address
    #[arg(long, env = "ALDIS_NO_AUTH", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    no_auth: Option<bool>,
    /// Believe the wall clock at this start, although it contradicts the times that are stored
    #[arg(long)]
    accept_clock: bool,
    /// File with the key that encrypts secrets, 64 hexadecimal digits [default: DIR/secret.key, made at the first
    /// start]
    #[arg(long, value_name = "FILE", env = "ALDIS_SECRET_KEY_FILE")]
    secret_key_file: Option<PathBuf>,
    /// Most tasks of one job [default: no limit]
    #[arg(long, value_name = "N", env = "ALDIS_TASKS_PER_JOB_MAX")]
    tasks_per_job_max: Option<u64>,
    /// Most devices of one product [default: no limit]
    #[arg(long, value_name = "N", env = "ALDIS_DEVICES_PER_PRODUCT_MAX")]
    devices_per_product_max: Option<u64>,
    /// Most API calls per second of one access key; more are answered with HTTP 429 [default: no limit]
    #[arg(long, value_name = "N", env = "ALDIS_RATE_LIMIT_PER_SECOND")]
    rate_limit_per_second: Option<NonZeroU32>,
    /// Most HTTP connections at a time [default: one for every 32 open files, 128 to 4096]
    #[arg(long, value_name = "N", env = "ALDIS_HTTP_CONNECTIONS_MAX")]
    http_connections_max: Option<NonZeroUsize>,
    /// Address for devices under TLS; takes effect with a certificate [default: 127.0.0.1:18883]
    #[arg(long, value_name = "ADDR", env = "ALDIS_MQTTS")]
    mqtts: Option<String>,
    /// The server's certificate and those that lead to its authority, PEM; read again on SIGHUP
    #[arg(long, value_name = "FILE", env = "ALDIS_TLS_CERT_FILE")]
    tls_cert_file: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", env = "ALDIS_TLS_KEY_FILE")]
    tls_key_file: Option<PathBuf>,
    /// A second certificate, with an RSA key, for devices that cannot use one with an elliptic key; PEM
    #[arg(long, value_name = "FILE", env = "ALDIS_TLS_RSA_CERT_FILE")]
    tls_rsa_cert_file: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", env = "ALDIS_TLS_RSA_KEY_FILE")]
    tls_rsa_key_file: Option<PathBuf>,
    /// The authorities that devices' certificates are checked against, PEM
    #[arg(long, value_name = "FILE", env = "ALDIS_TLS_CLIENT_CA_FILE")]
    tls_client_ca_file: Option<PathBuf>,
    /// The certificates that those have revoked, of devices and of authorities below them (CRLs), PEM
    #[arg(long, value_name = "FILE", env = "ALDIS_TLS_CLIENT_CRL_FILE")]
    tls_client_crl_file: Option<PathBuf>,
    /// Stop when standard input ends, for a program that starts a server of its own
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

/// Longest stop: service managers send SIGKILL after a longer one.
const STOPS_WITHIN: Duration = Duration::from_secs(9);
/// How long standard output may take to accept the lines that say that the server is ready.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, or until a part of the server ends by itself.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    aldis_telemetry::start();
    let file = args
        .config
        .as_deref()
        .map(Given::from_file)
        .transpose()
        .map_err(wrong)?
        .unwrap_or_default();
    let given = Given {
        data_dir: args.data_dir,
        http: args.http,
        mqtt: args.mqtt,
        no_auth: args.no_auth,
        accept_clock: args.accept_clock,
        secret_key_file: args.secret_key_file,
        tasks_per_job_max: args.tasks_per_job_max,
        devices_per_product_max: args.devices_per_product_max,
        rate_limit_per_second: args.rate_limit_per_second,
        http_connections_max: args.http_connections_max,
        mqtts: args.mqtts,
        tls_cert_file: args.tls_cert_file,
        tls_key_file: args.tls_key_file,
        tls_rsa_cert_file: args.tls_rsa_cert_file,
        tls_rsa_key_file: args.tls_rsa_key_file,
        tls_client_ca_file: args.tls_client_ca_file,
        tls_client_crl_file: args.tls_client_crl_file,
    };
    let settings = given.over(file).settle().map_err(wrong)?;
    // From here on a signal means an orderly stop, also while the server is starting.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let orphaned = stdin_ended(args.until_stdin_ends);
    let driver = SqliteDriver::new(settings.data_dir.clone(), settings.secret_key.map(|key| key.0));
    let mut server = Server::start(&settings, &driver).await?;
    announce(&server).await;
    let mut orphaned = std::pin::pin!(orphaned);
    loop {
        tokio::select! {
            () = &mut orphaned => break,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => server.reload(),
            ended = server.part_ended() => {
                tracing::error!(part = ended.0, "a part of the server has ended: the process ends");
                return Err(Broken(ended.to_string()).into());
            }
        }
    }
    tracing::info!("stopping");
    let stopped = tokio::time::timeout(STOPS_WITHIN, server.stop()).await;
    let late = |_| Broken(format!("the server did not stop within {} s", STOPS_WITHIN.as_secs()));
    Ok(stopped.map_err(late)?.map_err(|ended| Broken(ended.to_string()))?)
}

/// A setting that makes no sense is a mistake of the caller, wherever it stands.
fn wrong(error: impl Into<anyhow::Error>) -> anyhow::Error {
    usage(format!("{:#}", error.into()))
}

/// Is done when standard input has ended, if that is watched at all. The thread that reads it blocks for as long as it
/// takes, so that it must not be one of the runtime's, which are waited for at the end.
async fn stdin_ended(watched: bool) {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    if watched {
        std::thread::spawn(move || {
            drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
            drop(ended);
        });
        drop(end.await);
    } else {
        std::future::pending().await
    }
}

/// Scripts wait for these lines; nothing else goes to stdout. A stdout that is closed, full or not read is no reason
/// not to serve: a thread of its own writes, and is not waited for long.
async fn announce(server: &Server) {
    let mut lines = format!("http listening on {}\nmqtt listening on {}\n", server.http, server.mqtt);
    if let Some(mqtts) = server.mqtts {
        lines += &format!("mqtts listening on {mqtts}\n");
    }
    lines += "ready\n";
    let (done, written) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("announce".to_owned()).spawn(move || {
        let mut stdout = std::io::stdout().lock();
        drop(done.send(stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush())));
    });
    let written = tokio::time::timeout(ANNOUNCED_WITHIN, written).await;
    if thread.is_err() || !matches!(written, Ok(Ok(Ok(())))) {
        tracing::warn!("standard output does not take the lines that say where the server listens");
    }
}
