//! GetRecords through the SDK: its own reader of answers beside `flowscout::source::kinesis::answer`.
//!
//! `cargo bench --bench kinesis`. Speeds are of payload: MB/s in place of millions of records. The server is a process of its
//! own, so that its processor time is not counted.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::print_stdout, reason = "a table is the purpose")]

use std::hash::Hasher;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::{Client, Config};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use base64_turbo::STANDARD;
use bytes::Bytes;
use flowscout::source::kinesis::answer::Protocol;
use flowscout_benches::meter::compare;
use flowscout_benches::traffic;
use tokio::runtime::Runtime;

/// What one call gives at most.
const PAYLOAD_BYTES: usize = 10_000_000;
const SIZES: [(&str, usize); 2] = [("records of 1.1 KB", 1_100), ("records of 70 KB", 70_000)];

fn main() {
    if let Some(size) = std::env::args().skip_while(|word| word != "--serve").nth(1) {
        return serve(&answer(size.parse().unwrap()));
    }
    for (name, bytes) in SIZES {
        println!("\n{name}");
        table(bytes);
    }
}

fn table(bytes: usize) {
    let body = answer(bytes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = Server::start(bytes);
    let url = format!("http://127.0.0.1:{}", server.port);
    let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let loopback = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let canned = SharedHttpConnector::new(Canned(body.clone()));
    let memory = http_client_fn(move |_, _| canned.clone());
    let clients = [
        client(memory.clone(), &url, true),
        client(memory, &url, false),
        client(loopback.clone(), &url, true),
        client(loopback, &url, false),
    ];
    let expected = fingerprint(&get(&runtime, &clients[1]));
    for client in &clients {
        assert_eq!(fingerprint(&get(&runtime, client)), expected);
    }
    println!("{} records, {} bytes of payload, {} of body", expected.0, expected.1, body.len());
    let run = |place: usize| {
        let output = get(&runtime, &clients[place]);
        let payload: usize =
            output.records().iter().map(|record| record.data().as_ref().len()).sum();
        assert_eq!((output.records().len(), payload), (expected.0, expected.1));
        payload as u64
    };
    let drained = || {
        assert_eq!(drain(server.port), body.len());
        expected.1 as u64
    };
    compare(&[
        ("in memory, ours", &|| run(0)),
        ("in memory, the SDK's", &|| run(1)),
        ("loopback, body dropped", &drained),
        ("loopback, ours", &|| run(2)),
        ("loopback, the SDK's", &|| run(3)),
    ]);
}

fn get(runtime: &Runtime, client: &Client) -> GetRecordsOutput {
    runtime.block_on(client.get_records().shard_iterator("iterator").send()).unwrap()
}

/// Records, bytes, and a hash of all payloads and what comes with them.
fn fingerprint(output: &GetRecordsOutput) -> (usize, usize, u64) {
    let mut hash = std::hash::DefaultHasher::new();
    let mut bytes = 0;
    for record in output.records() {
        let data = record.data().as_ref();
        bytes += data.len();
        hash.write(data);
        hash.write(record.sequence_number().as_bytes());
        hash.write(record.partition_key().unwrap().as_bytes());
        hash.write_u128(record.approximate_arrival_timestamp().unwrap().as_nanos().unsigned_abs());
    }
    (output.records().len(), bytes, hash.finish())
}

fn client(http: SharedHttpClient, url: &str, ours: bool) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(url)
        .http_client(http);
    let config = if ours { config.protocol(Protocol::new()) } else { config };
    Client::from_conf(config.build())
}

/// Ten megabytes of lines in records of so many bytes, as AWS spells the answer.
fn answer(bytes: usize) -> Bytes {
    let text = traffic::seconds(120, traffic::DEFAULT.parse().unwrap()).text;
    assert!(text.len() >= PAYLOAD_BYTES);
    let record = |(number, data): (usize, &[u8])| {
        format!(
            r#"{{"ApproximateArrivalTimestamp":1.{}E9,"Data":"{}","PartitionKey":"{number:032x}","SequenceNumber":"49590338271490256608559{number:033}"}}"#,
            767_225_600_123 + number,
            STANDARD.encode(data)
        )
    };
    let records: Vec<String> =
        text[..PAYLOAD_BYTES].chunks(bytes).enumerate().map(record).collect();
    let iterator = "A".repeat(300);
    format!(
        r#"{{"MillisBehindLatest":0,"NextShardIterator":"{iterator}","Records":[{}]}}"#,
        records.join(",")
    )
    .into()
}

/// Answers every request from memory.
#[derive(Debug)]
struct Canned(Bytes);

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = StatusCode::try_from(200).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(self.0.clone()))))
    }
}

/// This program again, serving.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(bytes: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child =
            command.args(["--serve", &bytes.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Says its port, and answers every request on every connection with `body`.
fn serve(body: &[u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    std::thread::scope(|scope| {
        for stream in listener.incoming() {
            let (mut stream, head) = (stream.unwrap(), head.as_bytes());
            scope.spawn(move || {
                while let Some(()) = request(&mut stream) {
                    let sent = stream.write_all(head).and_then(|()| stream.write_all(body));
                    if sent.is_err() {
                        break;
                    }
                }
            });
        }
    });
}

/// Reads a request whose body, if it has one, is the last of what arrives; nothing at the end of the connection.
fn request(stream: &mut TcpStream) -> Option<()> {
    let mut text = Vec::new();
    let mut room = [0; 4096];
    loop {
        let length = stream.read(&mut room).ok().filter(|length| *length > 0)?;
        text.extend_from_slice(&room[..length]);
        let all = String::from_utf8_lossy(&text).to_lowercase();
        if let Some((head, body)) = all.split_once("\r\n\r\n") {
            let declared = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let declared = declared.map_or(0, |length| length.trim().parse().unwrap());
            if body.len() >= declared {
                return Some(());
            }
        }
    }
}

/// Reads one answer and drops it: gives the length of its body.
fn drain(port: u16) -> usize {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut reader = BufReader::with_capacity(1 << 18, stream);
    let (mut line, mut left) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
        left =
            line.strip_prefix("content-length: ").map_or(left, |text| text.trim().parse().unwrap());
    }
    let body = left;
    while left > 0 {
        let length = reader.fill_buf().unwrap().len().min(left);
        assert!(length > 0);
        reader.consume(length);
        left -= length;
    }
    body
}
