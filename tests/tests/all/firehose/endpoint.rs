//! A service with an endpoint, and what every answer of it must be.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowscout_tests::http::{ACCESS_KEY, Connection, Post, Reply};
use flowscout_tests::{Program, Scratch, Service, address_behind};

pub(crate) struct Endpoint {
    pub(crate) service: Service,
    pub(crate) address: String,
}

/// Which fields an answer may have.
const FIELDS: [&str; 3] = ["requestId", "timestamp", "errorMessage"];

impl Endpoint {
    /// With the access key of the tests, and `lines` below `[sources.firehose]`, or behind it.
    pub(crate) fn start(lines: &str) -> Self {
        Self::start_with(lines, |program| program.env("FLOWSCOUT_FIREHOSE_ACCESS_KEYS", ACCESS_KEY))
    }

    pub(crate) fn start_with(lines: &str, setting: impl FnOnce(Program) -> Program) -> Self {
        Self::start_in(Scratch::new(), "127.0.0.1:0", lines, setting)
    }

    pub(crate) fn start_in(
        scratch: Scratch,
        listen: &str,
        lines: &str,
        setting: impl FnOnce(Program) -> Program,
    ) -> Self {
        let program = program(&scratch, listen, lines);
        let service = Service::start(scratch, setting(program));
        let address = address_behind(&service.running.stderr(), "serves Firehose address=");
        Self { service, address }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(&self.address)
    }

    /// Sends a request on a connection of its own; the answer, which must be one that Firehose takes.
    pub(crate) fn send(&self, post: &Post) -> Reply {
        let reply = self.connect().send(post);
        assert_is_an_answer(&reply, post.id());
        reply
    }

    /// Sends a request, which must be applied.
    pub(crate) fn deliver(&self, post: &Post) {
        let reply = self.send(post);
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// How many requests were answered so.
    pub(crate) fn answers(&self, status: u16) -> u64 {
        let series = self.service.metrics("flowscout_firehose_requests_total");
        let status = format!("status=\"{status}\"");
        series.iter().filter(|(labels, _)| labels.contains(&status)).map(|(_, count)| count).sum()
    }

    pub(crate) fn repeats(&self) -> u64 {
        self.service.metric("flowscout_repeated_batches_total")
    }
}

/// The program, not started.
pub(crate) fn program(scratch: &Scratch, listen: &str, lines: &str) -> Program {
    Service::program(scratch, &format!("[sources.firehose]\nlisten = \"{listen}\"\n{lines}\n"))
}

/// What Firehose demands of every answer, whatever its status: anything else it counts as a failure.
pub(crate) fn assert_is_an_answer(reply: &Reply, id: &str) {
    assert_eq!(reply.headers["content-type"], "application/json", "{reply:?}");
    assert!(!reply.headers.contains_key("content-encoding"), "{reply:?}");
    assert!(!reply.headers.contains_key("transfer-encoding"), "{reply:?}");
    assert_eq!(reply.headers["content-length"], reply.body.len().to_string());
    assert!(reply.body.len() < 1 << 20);
    let json = reply.json();
    assert!(json.as_object().unwrap().keys().all(|key| FIELDS.contains(&key.as_str())), "{json}");
    assert_eq!(json["requestId"], id, "{json}");
    let told = Duration::from_millis(json["timestamp"].as_u64().unwrap());
    assert!(unix_time().abs_diff(told) < Duration::from_secs(60), "{json}");
    let is_good = reply.status == 200;
    assert_eq!(json.get("errorMessage").is_none(), is_good, "{json}");
    assert!(reply.message().chars().count() <= 8_192);
    // After 413 Firehose neither tries again nor keeps the data.
    assert!(reply.status != 413 && (is_good || reply.status >= 400), "{reply:?}");
}

#[expect(clippy::disallowed_methods, reason = "an answer tells the time")]
fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
