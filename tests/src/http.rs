//! HTTP/1.1 to the byte: requests as Firehose sends them, or wrong in one point, and answers as they came.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64_turbo::STANDARD;
use serde_json::{Value, json};

use crate::gzip;

/// A request that is about to be sent.
#[derive(Clone, Debug)]
pub struct Post {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    /// As it is sent.
    pub body: Vec<u8>,
    id: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// By names in small letters.
    pub headers: BTreeMap<String, String>,
    /// As it came.
    pub body: Vec<u8>,
}

/// A connection that is kept for the next request.
#[derive(Debug)]
pub struct Connection(TcpStream);

/// The delivery stream that requests come from.
pub const STREAM_ARN: &str = "arn:aws:firehose:us-east-1:123456789012:deliverystream/flow-logs";
/// The key that they have.
pub const ACCESS_KEY: &str = "an access key of the tests";
/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

impl Post {
    /// A request with these records, and everything that Firehose sends.
    #[must_use]
    pub fn of(records: &[impl AsRef<[u8]>]) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self::named(&format!("ed4acda5-034f-9f42-bba1-{number:012x}"), records)
    }

    /// The same with this id.
    #[must_use]
    pub fn named(id: &str, records: &[impl AsRef<[u8]>]) -> Self {
        let record = |data: &dyn AsRef<[u8]>| json!({ "data": STANDARD.encode(data.as_ref()) });
        let records: Vec<Value> = records.iter().map(|data| record(data)).collect();
        let body =
            json!({ "requestId": id, "timestamp": 1_578_090_901_599_u64, "records": records });
        let post = Self {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
            id: id.to_owned(),
        };
        post.header("X-Amz-Firehose-Protocol-Version", "1.0")
            .header("X-Amz-Firehose-Request-Id", id)
            .header("X-Amz-Firehose-Source-Arn", STREAM_ARN)
            .header("X-Amz-Firehose-Access-Key", ACCESS_KEY)
            .header("Content-Type", "application/json")
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// With a header in place of one of that name, if there is one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// With another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// To another path.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// With another body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Compressed, as a stream with the content encoding GZIP sends it.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.body = gzip(&self.body);
        self.header("Content-Encoding", "gzip")
    }

    /// Its head, which announces a body of so many bytes.
    #[must_use]
    pub fn head(&self, body_bytes: usize) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: flowscout\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "Content-Length: {body_bytes}\r\n\r\n").unwrap();
        head
    }
}

impl Connection {
    /// To `address`.
    #[must_use]
    pub fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Sends a request and reads its answer.
    pub fn send(&mut self, post: &Post) -> Reply {
        self.write(post);
        self.reply()
    }

    /// Sends a request, and reads nothing.
    pub fn write(&mut self, post: &Post) {
        self.write_all(post.head(post.body.len()).as_bytes());
        self.write_all(&post.body);
    }

    /// Sends bytes. Whoever is answered early need not send all.
    pub fn write_all(&mut self, bytes: &[u8]) {
        match self.0.write_all(bytes) {
            Err(error)
                if error.kind() != io::ErrorKind::BrokenPipe
                    && error.kind() != io::ErrorKind::ConnectionReset =>
            {
                panic!("{error}")
            }
            _ => {}
        }
    }

    /// Reads an answer.
    pub fn reply(&mut self) -> Reply {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let (first, rest) = head.split_once("\r\n").unwrap();
        let status = first.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers: BTreeMap<_, _> =
            rest.lines().filter(|line| !line.is_empty()).map(header).collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Reply { status, headers, body }
    }

    /// Whether the other side has closed it.
    #[must_use]
    pub fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

impl Reply {
    /// Its body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it says is wrong.
    #[must_use]
    pub fn message(&self) -> String {
        self.json()["errorMessage"].as_str().unwrap_or_default().to_owned()
    }
}
