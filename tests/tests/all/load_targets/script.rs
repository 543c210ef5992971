//! An HTTP server that answers what a test wants, or does not answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server that ends with the test.
pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Method and path.
    pub(super) line: String,
    /// By their names in small letters.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// What is done with a request.
pub(super) enum Reply {
    /// These bytes, head and body.
    Bytes(Vec<u8>),
    /// These, and the connection is closed.
    Torn(Vec<u8>),
    /// Nothing, until the other side has enough.
    Silence,
}

type Script = Box<dyn Fn(usize, &Call) -> Reply + Send + Sync>;

struct Shared {
    script: Script,
    calls: Mutex<Vec<Call>>,
    is_over: AtomicBool,
}

impl Server {
    /// Starts one; the script is given each request and how many there were before it.
    pub(super) fn start(script: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (script, calls) = (Box::new(script), Mutex::new(Vec::new()));
        let shared = Arc::new(Shared { script, calls, is_over: AtomicBool::new(false) });
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().map(Result::unwrap) {
                if served.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let served = Arc::clone(&served);
                thread::spawn(move || served.serve(connection));
            }
        });
        Self { address, shared }
    }

    /// `http://` or another scheme, address and port.
    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// What came until now.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Whoever waits for a connection sees it now.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, connection: TcpStream) {
        let mut connection = BufReader::new(connection);
        while let Some(call) = read(&mut connection) {
            let number = {
                let mut calls = self.calls.lock().unwrap();
                calls.push(call.clone());
                calls.len() - 1
            };
            match (self.script)(number, &call) {
                Reply::Bytes(bytes) => {
                    // Who has read enough may be gone.
                    if connection.get_mut().write_all(&bytes).is_err() {
                        return;
                    }
                }
                Reply::Torn(bytes) => {
                    connection.get_mut().write_all(&bytes).unwrap();
                    return;
                }
                Reply::Silence => {
                    // Until the other side closes, or resets.
                    drop(connection.read(&mut [0]));
                    return;
                }
            }
        }
    }
}

/// The next request; `None` at the end of a connection, or of what is no HTTP.
fn read(connection: &mut BufReader<TcpStream>) -> Option<Call> {
    let mut next_line = || {
        let mut line = Vec::new();
        connection.read_until(b'\n', &mut line).ok()?;
        String::from_utf8(line).ok().map(|line| line.trim_end().to_owned())
    };
    let line = next_line().filter(|line| line.ends_with(" HTTP/1.1"))?;
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = next_line()?.split_once(": ") {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    connection.read_exact(&mut body).ok()?;
    Some(Call { line: line.trim_end_matches(" HTTP/1.1").to_owned(), headers, body })
}

/// An answer with this body, of this type.
pub(super) fn answer(status: u16, kind: &str, body: &str) -> Reply {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} .\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n");
    Reply::Bytes(format!("{head}\r\n{body}").into_bytes())
}
