//! The listener of the API: accepts connections, bounds what they may cost, and stops without cutting answers off.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::router;
use super::socket::Socket;
use aldis_app::App;
use aldis_net::idle::{Idle, TrackedConnection};

/// How long the headers of a request may take, counted from the end of the answer before: an idle connection is closed
/// after this time as well.
pub const HEADERS_MAX: Duration = Duration::from_secs(10);
/// For so long a connection that says nothing keeps its place although others want it: what was said a moment ago may
/// not have been read. Long for a caller that has something to say, short for a thousand silent ones in a row.
const MOMENT: Duration = Duration::from_millis(100);
/// How long answers under way may take once the server stops; the whole stop has 10 s.
const FINISH_MAX: Duration = Duration::from_secs(5);
/// Pause after a failed accept: it fails when file descriptors run out, and they do not come back at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the API on `listener` until `stop` comes true; then takes no new requests and finishes those under way.
///
/// There are at most `connections_max` connections at a time. A caller that connects when all are taken gets the place
/// of the connection that has been idle longest.
pub async fn serve(listener: TcpListener, connections_max: usize, app: App, stop: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(router(app));
    let places = Arc::new(Semaphore::new(connections_max));
    let idle = Arc::<Idle>::default();
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = tokio::select! {
            () = &mut stop => break,
            place = place(&places, &idle) => place,
        };
        let (service, stopped, member) = (service.clone(), stopped.clone(), idle.join());
        connections.spawn(async move {
            let _place = place;
            connection(socket, service, &member, stopped).await;
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FINISH_MAX, finish).await.is_err() {
        tracing::warn!(
            left = connections.len(),
            "HTTP requests were cut off by the stop of the server"
        );
    }
}

/// A place for a caller that has come.
async fn place(places: &Arc<Semaphore>, idle: &Idle) -> Result<OwnedSemaphorePermit, AcquireError> {
    let mut free = pin!(Arc::clone(places).acquire_owned());
    let mut look_again = Duration::ZERO;
    loop {
        match tokio::time::timeout(look_again, free.as_mut()).await {
            Ok(place) => return place,
            Err(_) => look_again = idle.give_one_up_after(MOMENT),
        }
    }
}

async fn connection(
    socket: TcpStream,
    service: TowerToHyperService<axum::Router>,
    member: &Arc<TrackedConnection>,
    mut stopped: watch::Receiver<bool>,
) {
    let socket = Socket::new(socket);
    let peer = socket.peer();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_MAX)
        // Who has said all that it had to say gets its answer. Only who waits for a device is watched (`Peer::left`).
        .half_close(true);
    let service = service_fn(|mut request: Request<Incoming>| {
        let answering = member.answering();
        request.extensions_mut().insert(peer.clone());
        request.extensions_mut().insert(Arc::clone(member));
        let answered = service.call(request);
        async move {
            let answer = answered.await;
            drop(answering);
            answer
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        // At once: if the peer could make this wait, so could thousands of them.
        () = member.wanted() => Ok(()),
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
