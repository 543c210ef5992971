//! Connections: accepted as long as there is room for them, served until they are idle for too long, and at the end until their
//! request is answered.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use super::endpoint::Endpoint;
use super::tls::Tls;
use super::watched::Watched;
use crate::source::stop::Stopped;

/// The head of a request may have so many bytes: an access key of 4,096 and 50 common attributes of 1,280 characters.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// What is read of a body at once, at the most.
const READ_BYTES_MAX: usize = 256 << 10;
/// What a connection may hold: what it reads, what TLS has of both directions, and its task.
pub(super) const CONNECTION_BYTES_MAX: usize = READ_BYTES_MAX + (64 << 10);
/// A connection without a request for so long is closed. Longer than the 60 s after which load balancers of AWS close it: whoever
/// is second may answer a request with a reset.
const IDLE_MAX: Duration = Duration::from_secs(75);
/// The same before its first request, when nobody has shown yet that it means to send one.
const FIRST_HEAD_MAX: Duration = Duration::from_secs(10);
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A client that reads nothing of its answer for so long has gone.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// How long requests that have begun may take at the end, and how long others have to begin.
const DRAIN_MAX: Duration = Duration::from_secs(12);
const LAST_MOMENT: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(50);
/// After the system had no file descriptor left.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until it is stopped, and all requests are answered.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Arc<Watched<Tls>>,
    endpoint: Arc<Endpoint>,
    connections_max: usize,
    stopped: Stopped,
) {
    let room = Arc::new(Semaphore::new(connections_max));
    let graceful = GracefulShutdown::new();
    let accepting = async {
        loop {
            let accepted = listener.accept().await;
            let Some((stream, permit)) = admit(accepted, &room, &endpoint).await else { continue };
            let (tls, endpoint, watcher) = (tls.get(), Arc::clone(&endpoint), graceful.watcher());
            tokio::spawn(connection(stream, tls, endpoint, watcher, permit));
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stopped.wait() => {}
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        // A connection on which nothing more comes must not keep us.
        () = all_are_answered(&endpoint) => {}
        () = sleep(DRAIN_MAX) => {
            tracing::warn!("requests of Firehose that are not answered are sent again");
        }
    }
}

async fn all_are_answered(endpoint: &Endpoint) {
    sleep(LAST_MOMENT).await;
    while endpoint.requests.in_flight() > 0 {
        sleep(LOOK).await;
    }
    // What was answered last is still to be sent.
    sleep(4 * LOOK).await;
}

/// The connection, if there is room for one more.
async fn admit(
    accepted: io::Result<(TcpStream, std::net::SocketAddr)>,
    room: &Arc<Semaphore>,
    endpoint: &Endpoint,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let stream = match accepted {
        Ok((stream, _peer)) => stream,
        Err(error) => {
            if endpoint.told.is_due("accept") {
                tracing::error!(%error, "cannot accept connections");
            }
            sleep(PAUSE).await;
            return None;
        }
    };
    let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
        endpoint.requests.turned_away();
        if endpoint.told.is_due("connections") {
            tracing::warn!("a connection is closed: connections_max are open");
        }
        return None;
    };
    // A failure costs time, nothing else.
    drop(stream.set_nodelay(true));
    Some((stream, permit))
}

async fn connection(
    stream: TcpStream,
    tls: Arc<Tls>,
    endpoint: Arc<Endpoint>,
    watcher: Watcher,
    permit: OwnedSemaphorePermit,
) {
    let _open = endpoint.requests.connected();
    let Some(acceptor) = &*tls else {
        return speak(stream, endpoint, watcher, permit).await;
    };
    match timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, endpoint, watcher, permit).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_late) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    endpoint: Arc<Endpoint>,
    watcher: Watcher,
    _permit: OwnedSemaphorePermit,
) {
    let has_begun = Arc::new(AtomicBool::new(false));
    let begun = Arc::clone(&has_begun);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        begun.store(true, Ordering::Relaxed);
        Arc::clone(&endpoint).serve(request)
    });
    let mut writing = TimeoutStream::new(stream);
    writing.set_write_timeout(Some(WRITE_MAX));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(READ_BYTES_MAX)
        .serve_connection(TokioIo::new(Box::pin(writing)), service);
    let is_silent = async {
        sleep(FIRST_HEAD_MAX).await;
        if has_begun.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = watcher.watch(connection) => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        },
        () = is_silent => tracing::debug!("a connection brought no request"),
    }
}
