//! Envelopes of AWS peeled down to their lines, whole and by layer, beside the crates that could do it.
//!
//! `cargo bench --bench envelopes [NAME]…` measures the tables whose names contain one of the words.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::print_stdout, reason = "a table is the purpose")]

use std::cell::RefCell;
use std::hint::black_box;
use std::io::Write;

use base64_simd::Out;
use base64_turbo::STANDARD;
use flate2::{Decompress, FlushDecompress, Status};
use flowscout::decode::{Found, Limits, Peeler, Place, Refusal};
use flowscout_benches::enveloped::{EVENTS, envelopes, gzip};
use flowscout_benches::meter::{Program, compare};
use flowscout_benches::traffic;
use libdeflater::Decompressor;
use serde::Deserialize;
use simd_json::{Buffers, Node, Tape};

const BODY_BYTES: usize = 1 << 20;

/// Counts messages and their bytes: the check of every answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    lines: u64,
    bytes: u64,
}

impl Found for Count {
    fn text(&mut self, _: &Place<'_>, text: &[u8]) {
        self.add(black_box(text).trim_ascii_end());
    }

    fn refuse(&mut self, place: &Place<'_>, refusal: Refusal, _: &[u8]) {
        panic!("{}: {refusal}", place.position);
    }

    fn control_message(&mut self) {
        panic!("there is none");
    }
}

impl Count {
    /// A text of as many lines as its length says: looking for line ends is the reader's business.
    fn add(&mut self, text: &[u8]) {
        self.lines += 1;
        self.bytes += text.len() as u64;
    }

    fn of<'l>(lines: impl IntoIterator<Item = &'l str>) -> Self {
        let mut count = Self::default();
        lines.into_iter().for_each(|line| count.add(line.as_bytes()));
        count
    }
}

fn main() {
    let text = traffic::million().text;
    let text = std::str::from_utf8(traffic::head(&text, 8 << 20)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    type Table = (&'static str, fn(&[&str]));
    let tables: [Table; 5] = [
        ("inflate", inflate),
        ("json", json),
        ("cloudwatch", cloudwatch),
        ("firehose", firehose),
        ("base64", base64),
    ];
    for (name, table) in tables {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            println!("\n{name}");
            table(&lines);
        }
    }
}

fn peel(peeler: &RefCell<Peeler>, payloads: &[impl AsRef<[u8]>]) -> Count {
    let mut count = Count::default();
    for (number, payload) in (1..).zip(payloads) {
        peeler.borrow_mut().peel(payload.as_ref(), number, &mut count);
    }
    count
}

fn peelers() -> [RefCell<Peeler>; 2] {
    let limits = Limits::default();
    [Peeler::new(limits), Peeler::without_fast_paths(limits)].map(RefCell::new)
}

/// Bytes out, in place of records.
fn inflate(lines: &[&str]) {
    let plain = envelopes(lines);
    let members: Vec<Vec<u8>> = plain.iter().map(|text| gzip(text.as_bytes())).collect();
    let total: usize = plain.iter().map(String::len).sum();
    let room = RefCell::new(vec![0; plain.iter().map(String::len).max().unwrap()]);
    println!(
        "{} payloads, {} bytes out, {} in",
        plain.len(),
        total,
        members.iter().map(Vec::len).sum::<usize>()
    );
    let whole = || {
        let mut inflater = Decompressor::new();
        let room = &mut room.borrow_mut()[..];
        let bytes = |member| inflater.gzip_decompress(member, room).unwrap() as u64;
        members.iter().map(Vec::as_slice).map(bytes).sum()
    };
    let stepwise = || {
        let mut inflater = Decompress::new_gzip(15);
        let mut bytes = 0;
        for member in &members {
            inflater.reset(true);
            let room = &mut room.borrow_mut()[..];
            let status = inflater.decompress(member, room, FlushDecompress::Finish).unwrap();
            assert_eq!(status, Status::StreamEnd);
            bytes += inflater.total_out();
        }
        bytes
    };
    let texts: Vec<Vec<u8>> =
        plain.iter().map(|text| gzip(text.replace('{', "[").as_bytes())).collect();
    let [peeler, _] = peelers();
    let ours = || {
        assert_eq!(peel(&peeler, &texts).lines, texts.len() as u64);
        total as u64
    };
    assert_eq!((whole(), stepwise()), (total as u64, total as u64));
    compare(&[("peeler", &ours), ("libdeflate", &whole), ("zlib-rs, at once", &stepwise)]);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'e> {
    #[serde(borrow)]
    log_events: Vec<LogEvent<'e>>,
}

#[derive(Deserialize)]
struct LogEvent<'e> {
    message: &'e str,
}

fn json(lines: &[&str]) {
    let plain = envelopes(lines);
    let total: usize = plain.iter().map(String::len).sum();
    let expected = Count::of(lines[..plain.len() * EVENTS].iter().copied());
    println!(
        "{} envelopes of {} bytes; GB/s is records per second times {:.0}",
        plain.len(),
        total / plain.len(),
        total as f64 / expected.lines as f64
    );
    let [fast, full] = peelers();
    let run = |peeler| {
        assert_eq!(peel(peeler, &plain), expected);
        expected.lines
    };
    // As where a filter pattern names the fields, with the same fields for each event.
    let fields = r#","extractedFields":{"version":"2","account_id":"123456789010","interface_id":"eni-0123456789abcdef0","srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","srcport":"443","dstport":"49152","protocol":"6","packets":"10","bytes":"4000","start":"1767225600","end":"1767225660","action":"ACCEPT","log_status":"OK"}}"#;
    let extracted: Vec<String> =
        plain.iter().map(|text| text.replace("\"}", &format!("\"{fields}"))).collect();
    println!("with extracted fields {} bytes", extracted[0].len());
    let extracted = || {
        assert_eq!(peel(&fast, &extracted), expected);
        expected.lines
    };
    let tape = || {
        let mut copy = Vec::new();
        let mut buffers = Buffers::new(1 << 17);
        let mut count = Count::default();
        let mut tape = Tape(Vec::new());
        for text in &plain {
            copy.clear();
            copy.extend_from_slice(text.as_bytes());
            let mut nodes = tape.reset();
            simd_json::fill_tape(&mut copy, &mut buffers, &mut nodes).unwrap();
            for pair in nodes.0.windows(2) {
                if let [Node::String("message"), Node::String(message)] = pair {
                    count.add(message.as_bytes());
                }
            }
            tape = nodes.reset();
        }
        assert_eq!(count, expected);
        expected.lines
    };
    let serde = || {
        let mut count = Count::default();
        for text in &plain {
            let envelope: Envelope<'_> = serde_json::from_str(text).unwrap();
            envelope.log_events.iter().for_each(|event| count.add(event.message.as_bytes()));
        }
        assert_eq!(count, expected);
        expected.lines
    };
    compare(&[
        ("peeler", &|| run(&fast)),
        ("peeler, full parser", &|| run(&full)),
        ("peeler, extracted fields", &extracted),
        ("simd-json, tape", &tape),
        ("serde_json, typed", &serde),
    ]);
}

/// Base64, gzip, JSON: as Firehose posts what a subscription filter puts, ten envelopes in each request.
fn cloudwatch(lines: &[&str]) {
    let plain = envelopes(lines);
    let plain = &plain[..plain.len() / 10 * 10];
    let members: Vec<Vec<u8>> = plain.iter().map(|text| gzip(text.as_bytes())).collect();
    let requests: Vec<String> = members.chunks(10).map(request).collect();
    let expected = Count::of(lines[..plain.len() * EVENTS].iter().copied());
    let [fast, full] = peelers();
    let run = |peeler: &RefCell<Peeler>, payloads: &dyn Fn(&RefCell<Peeler>) -> Count| {
        assert_eq!(payloads(peeler), expected);
        expected.lines
    };
    let joined: Vec<Vec<u8>> = members.chunks(10).map(<[_]>::concat).collect();
    let ordinary = || {
        let mut count = Count::default();
        for text in &requests {
            let body: Body<'_> = serde_json::from_str(text).unwrap();
            for record in &body.records {
                let member = base64_simd::STANDARD.decode_to_vec(record.data).unwrap();
                let mut json = Vec::new();
                let mut decoder = flate2::write::MultiGzDecoder::new(&mut json);
                decoder.write_all(&member).unwrap();
                decoder.finish().unwrap();
                let envelope: Envelope<'_> = serde_json::from_slice(&json).unwrap();
                envelope.log_events.iter().for_each(|event| count.add(event.message.as_bytes()));
            }
        }
        assert_eq!(count, expected);
        expected.lines
    };
    compare(&[
        ("peeler", &|| run(&fast, &|peeler| peel(peeler, &requests))),
        ("peeler, full parser", &|| run(&full, &|peeler| peel(peeler, &requests))),
        ("peeler, without base64", &|| run(&fast, &|peeler| peel(peeler, &members))),
        ("peeler, ten members in one", &|| run(&fast, &|peeler| peel(peeler, &joined))),
        ("serde_json, flate2, base64", &ordinary),
    ]);
}

#[derive(Deserialize)]
struct Body<'b> {
    #[serde(borrow)]
    records: Vec<BodyRecord<'b>>,
}

#[derive(Deserialize)]
struct BodyRecord<'b> {
    data: &'b str,
}

fn request<T: AsRef<[u8]>>(records: &[T]) -> String {
    let records: Vec<String> = records
        .iter()
        .map(|record| format!(r#"{{"data":"{}"}}"#, STANDARD.encode(record)))
        .collect();
    format!(
        r#"{{"requestId":"ed4acda5-034f-9f42-bba1-f29aea6d7d8f","timestamp":1578090901599,"records":[{}]}}"#,
        records.join(",")
    )
}

/// Requests of about 1 MB. Lines are counted by what their records hold, and are not searched for.
fn firehose(lines: &[&str]) {
    for (name, lines_per_record) in
        [("50 lines per record", 50), ("one line per record, vended", 1)]
    {
        let record = |lines: &[&str]| match lines {
            [line] => format!("{{\"message\":\"{line}\"}}\n"),
            lines => lines.join("\n") + "\n",
        };
        let records: Vec<String> = lines.chunks_exact(lines_per_record).map(record).collect();
        let per_request = BODY_BYTES / (records[0].len() * 4 / 3 + 12);
        let requests: Vec<String> = records.chunks_exact(per_request).map(request).collect();
        let used = &records[..requests.len() * per_request];
        let count = used.len() as u64;
        let flow_records = count * lines_per_record as u64;
        let text = |record: &String| match lines_per_record {
            1 => record.len() - "{\"message\":\"\"}\n".len(),
            _ => record.len() - 1,
        };
        let expected = Count { lines: count, bytes: used.iter().map(text).sum::<usize>() as u64 };
        println!("{name}: {} requests of {} bytes", requests.len(), requests[0].len());
        let [fast, full] = peelers();
        let run = |peeler| {
            assert_eq!(peel(peeler, &requests), expected);
            flow_records
        };
        let ordinary = || {
            let mut count = Count::default();
            for text in &requests {
                let body: Body<'_> = serde_json::from_str(text).unwrap();
                for record in &body.records {
                    let bytes = base64_simd::STANDARD.decode_to_vec(record.data).unwrap();
                    if lines_per_record == 1 {
                        let event: LogEvent<'_> = serde_json::from_slice(&bytes).unwrap();
                        count.add(event.message.as_bytes());
                    } else {
                        count.add(bytes.trim_ascii_end());
                    }
                }
            }
            assert_eq!(count, expected);
            flow_records
        };
        let programs: [Program<'_>; 3] = [
            ("peeler", &|| run(&fast)),
            ("peeler, full parser", &|| run(&full)),
            ("serde_json, base64-simd", &ordinary),
        ];
        compare(&programs);
    }
}

/// Bytes out, in place of records: of one line, of fifty, of a compressed envelope.
fn base64(lines: &[&str]) {
    for bytes in [128, 6_400, 14_000] {
        let plain = lines.join("\n");
        let texts: Vec<String> =
            plain.as_bytes().chunks_exact(bytes).map(|part| STANDARD.encode(part)).collect();
        println!("{bytes} bytes each");
        let room = RefCell::new(vec![0; bytes + 3]);
        let turbo = || {
            let room = &mut room.borrow_mut()[..];
            let decode = |text: &String| STANDARD.decode_slice(text, room).unwrap() as u64;
            texts.iter().map(decode).sum()
        };
        let simd = || {
            let room = &mut room.borrow_mut()[..];
            let decode = |text: &String| {
                let out = Out::from_slice(&mut room[..]);
                base64_simd::STANDARD.decode(text.as_bytes(), out).unwrap().len() as u64
            };
            texts.iter().map(decode).sum()
        };
        assert_eq!((turbo(), simd()), ((bytes * texts.len()) as u64, (bytes * texts.len()) as u64));
        compare(&[("base64-turbo", &turbo), ("base64-simd", &simd)]);
    }
}
