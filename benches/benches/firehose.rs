//! The endpoint of Firehose over loopback: HTTP, gzip, base64, JSON and decode, up to typed records, beside a straightforward
//! program on axum.
//!
//! `cargo bench --bench firehose`. The sender is a process of its own, so that its processor time is not counted; on a machine of two
//! cores it has the other one.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::print_stdout, reason = "a table is the purpose")]

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderMap;
use axum::routing::post;
use flate2::read::MultiGzDecoder;
use flowscout::decode::{Decoder, Limits, RecordParser, Records};
use flowscout::flow::Line;
use flowscout::source::firehose::{Config, Firehose, Parts};
use flowscout::source::inlet;
use flowscout::source::receipts::{Letters, Receipts};
use flowscout::source::stop::Stop;
use flowscout::telemetry::requests::Requests;
use flowscout_benches::meter::{Program, compare};
use flowscout_benches::{enveloped, peer, traffic};
use serde::Deserialize;

/// About what a stream with the smallest buffer sends, and at most so many records.
const BODY_BYTES: usize = 1 << 20;
const RECORDS_MAX: usize = 10_000;
/// Requests of one run.
const REQUESTS: u64 = 64;
const ACCESS_KEY: &str = "key";

/// Flow records, and the sum of their bytes.
#[derive(Debug, Default)]
struct Sums {
    records: AtomicU64,
    bytes: AtomicU64,
}

/// What is sent, again and again.
struct Case {
    name: &'static str,
    body: Vec<u8>,
    is_gzip: bool,
    expected: (u64, u64),
}

fn main() {
    if std::env::args().any(|word| word == "--send") {
        return send();
    }
    let text = traffic::seconds(120, traffic::DEFAULT.parse().unwrap()).text;
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (ours, peers) = (Arc::new(Sums::default()), Arc::new(Sums::default()));
    let (endpoint, plain) = (serve_ours(&ours), serve_peer(&peers));
    for case in cases(&lines) {
        let (bytes, records) = (case.body.len(), case.expected.0);
        for connections in [1, 2] {
            println!(
                "\n{}: {bytes} bytes, {records} flow records a request; {connections} connections",
                case.name
            );
            let sender = Mutex::new(Sender::start(&case));
            let run = |address: SocketAddr, sums: &Sums| {
                let before = sums.read();
                sender.lock().unwrap().send(address, connections);
                let after = sums.read();
                let seen = (after.0 - before.0, after.1 - before.1);
                assert_eq!(seen, (REQUESTS * case.expected.0, REQUESTS * case.expected.1));
                seen.0
            };
            let programs: [Program<'_>; 2] = [
                ("flowscout", &|| run(endpoint, &ours)),
                ("axum, serde_json, base64, split", &|| run(plain, &peers)),
            ];
            compare(&programs);
        }
    }
    // The servers' threads wait for connections.
    std::process::exit(0);
}

fn cases(lines: &[&str]) -> Vec<Case> {
    let case = |name, records: Vec<Vec<u8>>, lines: &[&str], is_gzip| {
        let text = enveloped::request(records.iter());
        let body = if is_gzip { enveloped::gzip(text.as_bytes()) } else { text.into_bytes() };
        let rows: Vec<_> = lines.iter().filter_map(|line| peer::parse(line)).collect();
        let expected = (rows.len() as u64, rows.iter().map(|row| row.bytes).sum());
        Case { name, body, is_gzip, expected }
    };
    let joined = &lines[..(BODY_BYTES * 3 / 4 / (lines[0].len() + 1)) / 50 * 50];
    let joined_records: Vec<Vec<u8>> =
        joined.chunks(50).map(|lines| (lines.join("\n") + "\n").into_bytes()).collect();
    let vended_bytes = (lines[0].len() + 16) * 4 / 3 + 12;
    let vended = &lines[..(BODY_BYTES / vended_bytes).min(RECORDS_MAX)];
    let vended_records: Vec<Vec<u8>> =
        vended.iter().map(|line| enveloped::vended(line).into_bytes()).collect();
    let enveloped = &lines[..100 * enveloped::EVENTS];
    let enveloped_records: Vec<Vec<u8>> = enveloped::envelopes(enveloped)
        .iter()
        .map(|text| enveloped::gzip(text.as_bytes()))
        .collect();
    vec![
        case("50 lines a record, plain", joined_records.clone(), joined, false),
        case("50 lines a record, gzip", joined_records, joined, true),
        case("vended, one line a record, plain", vended_records.clone(), vended, false),
        case("vended, one line a record, gzip", vended_records, vended, true),
        case("CloudWatch envelopes of 300 lines, plain", enveloped_records, enveloped, false),
    ]
}

impl Sums {
    fn add(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.records.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// The endpoint as `flowscout run` has it, and a thread that decodes, in place of the pipeline.
fn serve_ours(sums: &Arc<Sums>) -> SocketAddr {
    let (inlet, batches) = inlet::channel();
    let receipts = Receipts::default();
    let config = Config { listen: "127.0.0.1:0".to_owned(), ..Config::default() };
    let stop = Stop::new();
    let parts = Parts {
        access_keys: Some(ACCESS_KEY.to_owned()),
        inlet,
        receipts: receipts.clone(),
        requests: Requests::default(),
        stopped: stop.stopped(),
    };
    let endpoint = Firehose::start(&config, parts).unwrap();
    let sums = Arc::clone(sums);
    std::thread::spawn(move || {
        let _stop = stop;
        let limits = Limits::default();
        let (mut decoder, mut parser) =
            (Decoder::new(Arc::default(), limits), RecordParser::new(limits));
        for batch in batches {
            let batch = batch.unwrap();
            let (mut records, mut bytes) = (0, 0);
            let mut reader = Records::new(&mut parser, |line: Line<'_>| {
                if let Line::Flow(record) = line {
                    records += 1;
                    bytes += record.bytes;
                }
            });
            let decoded = decoder.decode(&batch, &mut reader);
            assert_eq!(decoded.refusals.total(), 0);
            sums.add(records, bytes);
            receipts.applied(&batch.id, Letters::Kept);
        }
    });
    endpoint.address()
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "requestId", borrow)]
    request_id: Cow<'a, str>,
    #[serde(borrow)]
    records: Vec<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "logEvents", borrow)]
    log_events: Vec<Event<'a>>,
}

/// What one writes first: axum, `serde_json` into typed structs, `base64-simd`, `flate2`, `split(' ')` and `str::parse`.
fn serve_peer(sums: &Arc<Sums>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let sums = Arc::clone(sums);
    let take = async move |headers: HeaderMap, body: Bytes| {
        let mut inflated = Vec::new();
        let is_gzip = headers.contains_key("content-encoding");
        if is_gzip {
            MultiGzDecoder::new(&body[..]).read_to_end(&mut inflated).unwrap();
        }
        let body: Body<'_> =
            serde_json::from_slice(if is_gzip { &inflated } else { &body }).unwrap();
        for record in &body.records {
            add_record(
                &sums,
                &base64_simd::STANDARD.decode_to_vec(record.data.as_bytes()).unwrap(),
            );
        }
        let answer = format!("{{\"requestId\":\"{}\",\"timestamp\":1}}", body.request_id);
        ([("content-type", "application/json")], answer)
    };
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let router = Router::new().route("/", post(take)).layer(DefaultBodyLimit::disable());
            axum::serve(listener, router).await.unwrap();
        });
    });
    address
}

fn add_record(sums: &Sums, data: &[u8]) {
    let add = |line: &str| {
        if let Some(row) = peer::parse(line) {
            sums.add(1, std::hint::black_box(row).bytes);
        }
    };
    match data {
        [0x1f, 0x8b, ..] => {
            let mut text = Vec::new();
            MultiGzDecoder::new(data).read_to_end(&mut text).unwrap();
            let envelope: Envelope<'_> = serde_json::from_slice(&text).unwrap();
            envelope.log_events.iter().for_each(|event| add(&event.message));
        }
        [b'{', ..] => add(&serde_json::from_slice::<Event<'_>>(data).unwrap().message),
        _ => std::str::from_utf8(data).unwrap().lines().for_each(add),
    }
}

/// This program again, sending.
struct Sender {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Sender {
    fn start(case: &Case) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &case.body).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--send").arg(file.path()).arg(case.is_gzip.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, told) =
            (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut sender = Self { child, orders, told };
        // It has read the file.
        sender.wait();
        sender
    }

    fn send(&mut self, address: SocketAddr, connections: u64) {
        writeln!(self.orders, "{address} {connections}").unwrap();
        self.wait();
    }

    fn wait(&mut self) {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n");
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Posts the body as often as it is told.
fn send() {
    let arguments: Vec<String> = std::env::args().skip_while(|word| word != "--send").collect();
    let body = std::fs::read(&arguments[1]).unwrap();
    let encoding = if arguments[2] == "true" { "content-encoding: gzip\r\n" } else { "" };
    // Each connection is a delivery stream of its own, since all send the same.
    let head = |stream: u64| {
        format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-firehose-access-key: {ACCESS_KEY}\r\nx-amz-firehose-source-arn: stream-{stream}\r\n{encoding}content-length: {}\r\n\r\n",
            body.len()
        )
    };
    println!("done");
    for order in std::io::stdin().lines().map(Result::unwrap) {
        let (address, connections) = order.split_once(' ').unwrap();
        let connections: u64 = connections.parse().unwrap();
        std::thread::scope(|scope| {
            for number in 0..connections {
                let (head, body) = (head(number), &body);
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    for _ in 0..REQUESTS / connections {
                        stream.write_all(head.as_bytes()).unwrap();
                        stream.write_all(body).unwrap();
                        await_success(&mut stream);
                    }
                });
            }
        });
        println!("done");
    }
}

fn await_success(stream: &mut TcpStream) {
    let (mut text, mut room) = (Vec::new(), [0; 1024]);
    loop {
        let length = stream.read(&mut room).unwrap();
        assert!(length > 0);
        text.extend_from_slice(&room[..length]);
        let said = String::from_utf8_lossy(&text);
        if let Some((head, body)) = said.split_once("\r\n\r\n") {
            assert!(head.starts_with("HTTP/1.1 200"), "{said}");
            if body.ends_with('}') {
                return;
            }
        }
    }
}
