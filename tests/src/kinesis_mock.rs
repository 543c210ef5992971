//! Kinesis on this machine, as true as it gets for polling and for resharding:
//! [kinesis-mock](https://github.com/etspaceman/kinesis-mock), which npm calls `kinesis-local`.
//!
//! `.ci/test` installs it and says where its `main.js` is in `FLOWSCOUT_TEST_KINESIS_SERVER`; otherwise it is sought where
//! `.ci/test` puts it. It needs node. What it does otherwise than AWS is told in `tests/all/kinesis_servers`.

use std::ffi::OsStr;
use std::sync::OnceLock;

use crate::server_process::{ServerProcess, free_address, installed};
use crate::{Program, aws};

/// A server that ends with the test, or with all tests when it is [`KinesisMock::shared`].
#[derive(Debug)]
pub struct KinesisMock {
    process: ServerProcess,
}

static SHARED: OnceLock<Option<KinesisMock>> = OnceLock::new();

impl KinesisMock {
    /// Starts one on a free port; `None`, which is said, where it is not installed, unless this is CI.
    #[must_use]
    pub fn start() -> Option<Self> {
        let what = "kinesis-mock, a server of Kinesis, is not installed";
        let installed_at = "kinesis/node_modules/kinesis-local/main.js";
        let program = installed("FLOWSCOUT_TEST_KINESIS_SERVER", installed_at, what)?;
        let address = free_address();
        let mut environment = vec![
            ("KINESIS_MOCK_PLAIN_PORT", address.port().to_string().into()),
            // It insists on listening with TLS too, for which it brings a certificate.
            ("KINESIS_MOCK_TLS_PORT", free_address().port().to_string().into()),
            ("KINESIS_MOCK_CERT_PATH", program.with_file_name("server.json").into()),
            // Shards of all streams together.
            ("SHARD_LIMIT", "500".into()),
            ("LOG_LEVEL", "ERROR".into()),
        ];
        // Half a second each otherwise.
        environment.extend(DURATIONS.map(|name| (name, "20ms".into())));
        let node = OsStr::new("node");
        let arguments = [program.as_os_str()];
        let process = ServerProcess::start(node, &arguments, &environment, address, "/healthcheck");
        Some(Self { process })
    }

    /// The one of all tests of this process, which start it once, since that takes seconds: streams need names of their own.
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// `http://` with address and port.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }

    /// `program` with this server as its Kinesis.
    #[must_use]
    pub fn serve(&self, program: Program) -> Program {
        aws::with_credentials(program).env("AWS_ENDPOINT_URL_KINESIS", &self.url())
    }
}

/// How long the states CREATING, UPDATING and DELETING last.
const DURATIONS: [&str; 7] = [
    "CREATE_STREAM_DURATION",
    "DELETE_STREAM_DURATION",
    "REGISTER_STREAM_CONSUMER_DURATION",
    "DEREGISTER_STREAM_CONSUMER_DURATION",
    "MERGE_SHARDS_DURATION",
    "SPLIT_SHARD_DURATION",
    "UPDATE_SHARD_COUNT_DURATION",
];
