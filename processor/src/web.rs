//! The dashboard: one page and a small read-only API on this machine's loopback address.
//!
//! Takes [`Status`] snapshots from whoever runs the data path and gives the newest one to every reader. The data path never
//! waits for a reader: it replaces an `Arc` under a mutex that is held for that moment only, and the server runs on a thread
//! of its own. Memory bound: one snapshot, which [`Publisher`] keeps within fixed numbers of findings and points, and the
//! snapshots still being sent.
//!
//! There is no authentication, so it never listens to other machines, and it answers only requests whose `Host` names this
//! one: a page elsewhere that re-points its own name here (DNS rebinding) gets 403.

mod metrics;
mod routes;
mod status;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use axum::Router;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

pub use metrics::MetricsServer;
use status::Board;
pub use status::{
    Contributor, Finding, Meter, POINTS_MAX, Progress, Publisher, State, Status, Traffic,
};

/// Why the dashboard does not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Other machines could connect.
    #[error(
        "--listen {address}: the dashboard has no login, so it listens on loopback addresses only, such as 127.0.0.1:8666"
    )]
    NotLoopback {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error(
        "--listen {address}: cannot listen there: {error}; --no-web runs without the dashboard"
    )]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The address cannot be had for metrics.
    #[error("--listen {address}: cannot listen there: {error}")]
    Metrics {
        /// What was asked for.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The operating system gives no event queue or no thread.
    #[error("cannot start the dashboard: {0}")]
    Start(io::Error),
}

/// A running dashboard; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    board: Arc<Board>,
    _serving: Serving,
}

/// A thread that answers HTTP; dropping it stops it.
#[derive(Debug)]
struct Serving {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on `address`, or on a free port of the same host if that port is taken, and serves on a thread of its own.
    ///
    /// # Errors
    /// [`ListenError`] when the address is not a loopback address or cannot be had.
    pub fn start(address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback { address });
        }
        let listener = bind(address).map_err(|error| ListenError::Bind { address, error })?;
        let bound = listener.local_addr().map_err(ListenError::Start)?;
        let board = Arc::new(Board::default());
        let serving = Serving::start("web", listener, routes::router(Arc::clone(&board)))?;
        Ok(Self { address: bound, board, _serving: serving })
    }

    /// Where it listens; the port may be another than the one asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where readers see snapshots appear.
    #[must_use]
    pub fn publisher(&self, title: &str, meter: Meter) -> Publisher {
        Publisher::new(Arc::clone(&self.board), title, meter)
    }
}

impl Serving {
    fn start(name: &str, listener: TcpListener, router: Router) -> Result<Self, ListenError> {
        let runtime = Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(ListenError::Start)?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(runtime, listener, router, stopped))
            .map_err(ListenError::Start)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that serves HTTP panicked");
        }
    }
}

/// Returns when the user presses Ctrl-C.
///
/// # Errors
/// When the operating system does not let us wait for that.
pub fn wait_for_interrupt() -> io::Result<()> {
    Builder::new_current_thread().enable_io().build()?.block_on(tokio::signal::ctrl_c())
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).or_else(|error| match error.kind() {
        io::ErrorKind::AddrInUse => TcpListener::bind(SocketAddr::new(address.ip(), 0)),
        _ => Err(error),
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(runtime: Runtime, listener: TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async move {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "cannot listen"),
        };
        let serving = tokio::spawn(axum::serve(listener, router).into_future());
        // Both a message and a dropped sender mean stop.
        drop(stopped.await);
        serving.abort();
    });
    // Connections that a browser keeps open end with us.
    runtime.shutdown_background();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_is_refused() {
        for text in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8666"] {
            let refused = Server::start(text.parse().unwrap());
            assert!(matches!(refused, Err(ListenError::NotLoopback { .. })), "{text}");
        }
    }

    #[test]
    fn a_taken_port_gives_another_one() {
        let first = Server::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let second = Server::start(first.address()).unwrap();
        assert_ne!(first.address().port(), second.address().port());
    }
}
