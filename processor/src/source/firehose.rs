//! Amazon Data Firehose: the HTTP endpoint that a delivery stream delivers to.
//!
//! A request is one batch, named by its request id, and applied whole or not at all. It is answered 200 when the fold has applied
//! it, so what is not answered so is sent again, and what is sent again counts once. A pipeline that cannot keep up answers 503, and
//! never 413, after which Firehose would drop the data.
//!
//! Rules: Firehose Developer Guide, "HTTP endpoint delivery request and response specifications".

mod access_keys;
mod answer;
mod body;
mod config;
mod endpoint;
mod head;
mod listener;
mod refusal;
mod room;
mod tls;
mod watched;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};

pub use access_keys::{AccessKeys, AccessKeysError};
pub use config::Config;
pub use watched::FileError;

use self::endpoint::Endpoint;
use self::room::Room;
use self::tls::Tls;
use self::watched::Watched;
use super::clock::Clock;
use super::inlet::Inlet;
use super::receipts::Receipts;
use super::stop::Stopped;
use super::told::Told;
use crate::telemetry::requests::Requests;

/// An endpoint that is served on threads of its own.
#[derive(Debug)]
pub struct Firehose {
    thread: JoinHandle<()>,
    address: SocketAddr,
}

/// What serving needs from outside.
pub struct Parts {
    /// Access keys in the text that a file would have, which comes before the file.
    pub access_keys: Option<String>,
    /// Where batches go.
    pub inlet: Inlet,
    /// Who says what was applied.
    pub receipts: Receipts,
    /// Where requests are counted.
    pub requests: Requests,
    /// When to end.
    pub stopped: Stopped,
}

/// Why the endpoint cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A value of the configuration.
    #[error("sources.firehose.{key}: {problem}")]
    Config {
        /// Which one.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Anyone who finds it could deliver.
    #[error(
        "sources.firehose: there is no access key: set FLOWSCOUT_FIREHOSE_ACCESS_KEYS, or access_keys_file, or requires_access_key = false"
    )]
    NoAccessKey,
    /// The variable makes no sense.
    #[error("FLOWSCOUT_FIREHOSE_ACCESS_KEYS: {0}")]
    AccessKeys(AccessKeysError),
    /// A file of keys or certificates.
    #[error("sources.firehose: {0}")]
    File(FileError),
    /// The address cannot be had.
    #[error("sources.firehose.listen: {address}: cannot listen there: {error}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The system has no thread or event queue left.
    #[error("cannot start the endpoint of Firehose: {0}")]
    Start(io::Error),
}

/// The endpoint panicked; the panic's message is on standard error.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("serving Firehose panicked")]
pub struct PanickedError;

impl From<FileError> for StartError {
    /// Its message is all there is to say, so it is no cause beside it.
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// Not the keys.
impl fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parts").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl StartError {
    /// Whether the user can mend it, without looking at the machine.
    #[must_use]
    pub const fn is_misuse(&self) -> bool {
        !matches!(self, Self::Listen { .. } | Self::Start(_))
    }
}

impl Firehose {
    /// Listens, and serves until it is stopped.
    ///
    /// # Errors
    /// [`StartError`] when keys, certificate or address cannot be used.
    pub fn start(config: &Config, parts: Parts) -> Result<Self, StartError> {
        config.check().map_err(|(key, problem)| StartError::Config { key, problem })?;
        let address = config
            .address()
            .ok()
            .flatten()
            .ok_or_else(|| StartError::Config { key: "listen", problem: "is empty".to_owned() })?;
        let Parts { access_keys, inlet, receipts, requests, stopped } = parts;
        let access_keys = open_access_keys(config, access_keys.as_deref())?;
        let tls = Arc::new(tls::open(config)?);
        let listener = std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| StartError::Listen { address, error })?;
        let address = listener.local_addr().map_err(StartError::Start)?;
        let endpoint = Arc::new(Endpoint {
            path: config.path.clone(),
            body_bytes_max: config.body_bytes_max,
            access_keys,
            room: Room::new(config.buffer_bytes_max, config.body_bytes_max),
            inlet,
            receipts,
            requests,
            clock: Clock::start(),
            told: Told::new(),
        });
        let is_tls = tls.get().is_some();
        let runtime = Builder::new_multi_thread()
            .worker_threads(config::THREADS)
            .thread_name("firehose")
            .enable_all()
            .build()
            .map_err(StartError::Start)?;
        let connections_max = config.connections_max;
        let listener = {
            let _runtime = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(StartError::Start)?
        };
        let thread = thread::Builder::new().name("firehose".to_owned());
        let serve = move || run(&runtime, listener, tls, endpoint, connections_max, stopped);
        let thread = thread.spawn(serve).map_err(StartError::Start)?;
        tracing::info!(%address, tls = is_tls, "serves Firehose");
        Ok(Self { thread, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has ended, with every request answered that had begun, or nearly.
    ///
    /// # Errors
    /// When it panicked.
    pub fn join(self) -> Result<(), PanickedError> {
        self.thread.join().map_err(|_panic| PanickedError)
    }
}

fn run(
    runtime: &Runtime,
    listener: tokio::net::TcpListener,
    tls: Arc<Watched<Tls>>,
    endpoint: Arc<Endpoint>,
    connections_max: usize,
    stopped: Stopped,
) {
    runtime.block_on(async {
        tokio::select! {
            () = listener::serve(listener, Arc::clone(&tls), Arc::clone(&endpoint), connections_max, stopped) => {}
            () = endpoint.access_keys.watch("the access keys") => {}
            () = tls.watch("the certificate") => {}
        }
    });
}

fn open_access_keys(
    config: &Config,
    variable: Option<&str>,
) -> Result<Watched<AccessKeys>, StartError> {
    if !config.requires_access_key {
        return Ok(Watched::fixed(AccessKeys::not_needed()));
    }
    if let Some(text) = variable.filter(|text| !text.trim().is_empty()) {
        return AccessKeys::parse(text).map(Watched::fixed).map_err(StartError::AccessKeys);
    }
    if config.access_keys_file.is_empty() {
        return Err(StartError::NoAccessKey);
    }
    let parse = |contents: &[Vec<u8>]| {
        let text = contents.first().map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
        AccessKeys::parse(&text).map_err(|error| error.to_string())
    };
    Ok(Watched::open(vec![(&config.access_keys_file).into()], parse)?)
}
