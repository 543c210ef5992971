//! `/metrics` for Prometheus, and `/livez`.
//!
//! It tells names of streams and shards and counts, never an address, so it may listen where a scraper reaches it.

use std::net::{SocketAddr, TcpListener};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{ListenError, Serving};
use crate::telemetry::metrics::Metrics;

/// A running endpoint; dropping it stops it.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    _serving: Serving,
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl MetricsServer {
    /// Listens on `address`, on a thread of its own.
    ///
    /// # Errors
    /// [`ListenError`] when the address cannot be had.
    pub fn start(address: SocketAddr, metrics: Metrics) -> Result<Self, ListenError> {
        let bind = |address| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = bind(address).map_err(|error| ListenError::Metrics { address, error })?;
        let address = listener.local_addr().map_err(ListenError::Start)?;
        let router = Router::new()
            .route("/metrics", get(async move || scrape(&metrics)))
            .route("/livez", get(async || "ok\n"));
        Ok(Self { address, _serving: Serving::start("metrics", listener, router)? })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

fn scrape(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
