//! A server in a process of its own, which never outlives the tests.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::{project_root, skipped};

/// A running server.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    guard: Child,
    address: SocketAddr,
}

/// Starts the server and ends it once the pipe closes, which it does with whoever holds its other end, however that ends.
/// A killing signal, since kinesis-mock ignores the polite one.
const GUARD: &str = r#""$@" </dev/null & server=$!; cat >/dev/null; kill -9 "$server"; wait"#;
/// Between two looks at a server that starts.
const POLL: Duration = Duration::from_millis(20);
/// A server that has not answered after a minute never will: it takes a few seconds on a busy machine.
const POLLS_MAX: u32 = 3000;

impl ServerProcess {
    /// Starts `program` with `arguments` and waits until `path` answers 200 at `address`. What it prints is shown when it
    /// never does.
    pub(crate) fn start(
        program: &OsStr,
        arguments: &[&OsStr],
        environment: &[(&str, OsString)],
        address: SocketAddr,
        path: &str,
    ) -> Self {
        let printed = tempfile::NamedTempFile::new().unwrap();
        let file = || Stdio::from(File::options().append(true).open(printed.path()).unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "sh"]).arg(program).args(arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let guard = command.stdin(Stdio::piped()).stdout(file()).stderr(file()).spawn().unwrap();
        // Its end ends the server from here on, also when the server never answers.
        let process = Self { guard, address };
        for _ in 0..POLLS_MAX {
            if is_ready(address, path) {
                return process;
            }
            thread::sleep(POLL);
        }
        let told = std::fs::read_to_string(printed.path()).unwrap();
        panic!("{} does not answer: {told}", program.display());
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` with address and port.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        drop(self.guard.wait());
    }
}

/// An address of this machine at which nobody listens now.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// The file that `variable` names, or `.ci/test` installs as `installed`; where there is none, which is said, `None`, unless
/// this is CI.
pub(crate) fn installed(variable: &str, installed: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    let path = path.unwrap_or_else(|| project_root().join(".ci/tools").join(installed));
    if Path::new(&path).is_file() {
        return Some(path);
    }
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!is_ci, "{}: not found: .ci/test installs it", path.display());
    skipped(what);
    None
}

fn is_ready(address: SocketAddr, path: &str) -> bool {
    let Ok(mut connection) = TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut start = [0; 12];
    let answered = connection
        .set_read_timeout(Some(Duration::from_secs(1)))
        .and_then(|()| connection.write_all(request.as_bytes()))
        .and_then(|()| connection.read_exact(&mut start));
    answered.is_ok() && start.ends_with(b" 200")
}
