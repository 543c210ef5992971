//! Kinesis with its fan-out, and DynamoDB, on this machine: [ministack](https://github.com/ministackorg/ministack).
//!
//! `.ci/test` installs it and says where in `FLOWSCOUT_TEST_AWS_SERVER`; otherwise it is sought where `.ci/test` puts it.
//! What it does otherwise than AWS is told in `tests/all/kinesis_servers`.

use std::sync::OnceLock;

use crate::server_process::{ServerProcess, free_address, installed};
use crate::{Program, aws, s3};

/// A server that ends with the test, or with all tests when it is [`Ministack::shared`].
#[derive(Debug)]
pub struct Ministack {
    process: ServerProcess,
}

static SHARED: OnceLock<Option<Ministack>> = OnceLock::new();

impl Ministack {
    /// Starts one on a free port; `None`, which is said, where it is not installed, unless this is CI.
    #[must_use]
    pub fn start() -> Option<Self> {
        let what = "ministack, a server of Kinesis and DynamoDB, is not installed";
        let program = installed("FLOWSCOUT_TEST_AWS_SERVER", "ministack/bin/ministack", what)?;
        let address = free_address();
        let environment = [
            ("GATEWAY_PORT", address.port().to_string().into()),
            ("BIND_HOST", address.ip().to_string().into()),
            // Another port, which it would listen at for nothing.
            ("IOT_MTLS_ENABLED", "0".into()),
        ];
        let process = ServerProcess::start(
            program.as_os_str(),
            &[],
            &environment,
            address,
            "/_ministack/health",
        );
        Some(Self { process })
    }

    /// The one of all tests of this process, which start it once, since that takes seconds: streams and tables need names of
    /// their own.
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// `http://` with address and port.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) {
        s3::request(self.process.address(), ("PUT", &format!("/{name}")), "s3", b"");
    }

    /// `program` with this server as its Kinesis, its DynamoDB and its S3.
    #[must_use]
    pub fn serve(&self, program: Program) -> Program {
        let program = aws::with_credentials(program);
        let program = program.env("AWS_ENDPOINT_URL_KINESIS", &self.url());
        let program = program.env("AWS_ENDPOINT_URL_DYNAMODB", &self.url());
        program.env("AWS_ENDPOINT_URL_S3", &self.url())
    }
}
