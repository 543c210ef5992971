//! The section `sources.firehose` of the configuration.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::listener::CONNECTION_BYTES_MAX;
use super::room::KEPT_BYTES_MAX;

/// Where Firehose delivers to, and how much of it at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address of the endpoint. Default empty: it is not served.
    pub listen: String,
    /// The path of the endpoint's URL. Default empty: any path.
    pub path: String,
    /// A file with the access keys, each on a line of its own, or as Secrets Manager keeps one for Firehose, `{"api_key":"…"}`.
    /// It is read again when it changes. Default empty: they are in `FLOWSCOUT_FIREHOSE_ACCESS_KEYS`.
    pub access_keys_file: String,
    /// Whether a request without one of them is refused. Default true.
    pub requires_access_key: bool,
    /// The certificate chain, PEM. It is read again when it changes. Default empty: plain HTTP, behind a load balancer.
    pub tls_certificate_file: String,
    /// Its private key, PEM.
    pub tls_key_file: String,
    /// Bytes that one request may have, before and after decompression. Default 64 MiB, Firehose's own bound; at least 1 MiB.
    pub body_bytes_max: usize,
    /// Bytes of all requests that are not yet decoded: their bodies while they arrive, their records while they wait for a worker.
    /// Default 256 MiB, at least twice `body_bytes_max`. A request beyond is answered 503.
    pub buffer_bytes_max: usize,
    /// Connections at once; at most 100,000. Default 2048. The process needs as many file descriptors.
    pub connections_max: usize,
}

/// Threads that read, and take requests apart, each with buffers of its own.
pub(super) const THREADS: usize = 2;

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: String::new(),
            path: String::new(),
            access_keys_file: String::new(),
            requires_access_key: true,
            tls_certificate_file: String::new(),
            tls_key_file: String::new(),
            body_bytes_max: 64 << 20,
            buffer_bytes_max: 256 << 20,
            connections_max: 2_048,
        }
    }
}

impl Config {
    /// Where to listen; `None` when it is not served.
    ///
    /// # Errors
    /// When it is no address.
    pub fn address(&self) -> Result<Option<SocketAddr>, String> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        let parsed = self.listen.parse().map(Some);
        parsed.map_err(|_error| format!("{:?} is no address such as 0.0.0.0:8443", self.listen))
    }

    /// The first value that makes no sense, by its key below `sources.firehose`.
    ///
    /// # Errors
    /// The key, and what is wrong.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.address().map_err(|problem| ("listen", problem))?;
        if !self.path.is_empty() && (!self.path.starts_with('/') || self.path.contains(['?', '#']))
        {
            return Err(("path", "must begin with / and have no ? or #".to_owned()));
        }
        if self.tls_certificate_file.is_empty() != self.tls_key_file.is_empty() {
            let problem = "tls_certificate_file and tls_key_file belong together";
            return Err(("tls_key_file", problem.to_owned()));
        }
        let within = |key, value: usize, least: usize, most: usize| {
            let problem = format!("must lie between {least} and {most}");
            if (least..=most).contains(&value) { Ok(()) } else { Err((key, problem)) }
        };
        within("body_bytes_max", self.body_bytes_max, 1 << 20, 1 << 30)?;
        within("buffer_bytes_max", self.buffer_bytes_max, 2 * self.body_bytes_max, 1 << 40)?;
        within("connections_max", self.connections_max, 1, 100_000)
    }

    /// Bytes that the endpoint may hold at the most, before batches are handed to the workers.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        if self.listen.is_empty() {
            return 0;
        }
        // Beside what is charged to the buffer, each thread decompresses and decodes one request, with a copy of what has escapes.
        let unpacking = THREADS * (2 * self.body_bytes_max + self.body_bytes_max / 4 * 3);
        self.buffer_bytes_max
            + unpacking
            + KEPT_BYTES_MAX
            + self.connections_max * CONNECTION_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_out_of_range_is_named_by_its_key() {
        let key = |change: &dyn Fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().map_err(|(key, _)| key)
        };
        assert_eq!(key(&|_| {}), Ok(()));
        assert_eq!(key(&|config| config.listen = "8443".into()), Err("listen"));
        assert_eq!(key(&|config| config.path = "logs".into()), Err("path"));
        assert_eq!(key(&|config| config.path = "/logs?a=b".into()), Err("path"));
        assert_eq!(key(&|config| config.tls_key_file = "key.pem".into()), Err("tls_key_file"));
        assert_eq!(key(&|config| config.body_bytes_max = 0), Err("body_bytes_max"));
        assert_eq!(key(&|config| config.buffer_bytes_max = 1 << 20), Err("buffer_bytes_max"));
        assert_eq!(key(&|config| config.connections_max = 0), Err("connections_max"));
    }

    #[test]
    fn an_endpoint_that_is_not_served_needs_no_memory() {
        assert_eq!(Config::default().memory_bytes_max(), 0);
        let config = Config { listen: "127.0.0.1:0".into(), ..Config::default() };
        assert!(config.memory_bytes_max() > config.buffer_bytes_max);
    }
}
