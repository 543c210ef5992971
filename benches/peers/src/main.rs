//! Decoding to typed records beside Vector's `parse_aws_vpc_flow_log`, `serde_json`, and a plain split and parse, on the same
//! bytes in one run on one core.
//!
//! Every program sums packets and bytes of all records, and must agree with the others.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml [NAME]…` measures the inputs whose names contain a word.

mod ordinary;
mod ours;
mod vector;

use flowscout_benches::enveloped::{EVENTS, envelopes, gzip, request, vended};
use flowscout_benches::meter::{Program, compare};
use flowscout_benches::traffic::{self, ALL_OF_VERSION_5};

/// What is read of each record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    records: u64,
    packets: u64,
    bytes: u64,
}

/// Bytes as a source delivers them.
pub struct Input {
    /// Payloads; the lines of one payload stand together.
    payloads: Vec<Vec<u8>>,
    /// What is around the lines.
    wrapping: Wrapping,
    /// The format of the lines.
    format: &'static str,
}

/// What is around the lines of a payload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Nothing.
    Lines,
    /// `{"message": …}`, one to a line.
    Vended,
    /// gzip of an envelope of CloudWatch Logs.
    Subscription,
    /// The body of a Firehose request, of vended records.
    Request,
}

const SECONDS: u32 = 100;
const RECORDS_PER_REQUEST: usize = 5_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let version_2 = text(traffic::DEFAULT);
    let lines: Vec<&str> = version_2.lines().collect();
    let inputs: [(&str, &dyn Fn() -> Input); 5] = [
        ("text, default version 2", &|| input(Wrapping::Lines, traffic::DEFAULT, vec![version_2.clone().into()])),
        ("text, 29 fields of version 5", &|| {
            input(Wrapping::Lines, ALL_OF_VERSION_5, vec![text(ALL_OF_VERSION_5).into()])
        }),
        ("json, one message to a line", &|| {
            let documents: String = lines.iter().map(|line| vended(line)).collect();
            input(Wrapping::Vended, traffic::DEFAULT, vec![documents.into()])
        }),
        ("cloudwatch, gzip of 300 events", &|| {
            let payloads = envelopes(&lines).iter().map(|text| gzip(text.as_bytes())).collect();
            input(Wrapping::Subscription, traffic::DEFAULT, payloads)
        }),
        ("firehose request, one line to a record", &|| {
            let requests = lines.chunks_exact(RECORDS_PER_REQUEST);
            let payloads = requests.map(|lines| request(lines.iter().map(|line| vended(line))).into());
            input(Wrapping::Request, traffic::DEFAULT, payloads.collect())
        }),
    ];
    for (name, input) in inputs.into_iter().filter(|(name, _)| chosen(name)) {
        measure(name, &input());
    }
    const { assert!(RECORDS_PER_REQUEST > EVENTS) }
}

fn text(format: &str) -> String {
    let format = format.parse().expect("a format of the generator");
    // Heartbeats carry nothing that could be summed.
    let text = String::from_utf8(traffic::seconds(SECONDS, format).text).expect("lines are ASCII");
    text.lines().filter(|line| !line.contains("NODATA") && !line.contains("SKIPDATA")).map(|line| line.to_owned() + "\n").collect()
}

fn input(wrapping: Wrapping, format: &'static str, payloads: Vec<Vec<u8>>) -> Input {
    Input { payloads, wrapping, format }
}

fn measure(name: &str, input: &Input) {
    let bytes: usize = input.payloads.iter().map(Vec::len).sum();
    let truth = ordinary::split_and_parse(input);
    let per_record = bytes as f64 / truth.records as f64;
    println!("\n{name}: {} records, {bytes} bytes, {per_record:.0} a record", truth.records);
    let check = |sums: Sums| {
        assert_eq!(sums, truth);
        sums.records
    };
    let decoder = std::cell::RefCell::new(ours::Decoding::new(input));
    let flowscout = || check(decoder.borrow_mut().run(input));
    let plain = || check(ordinary::split_and_parse(input));
    let vector = std::cell::RefCell::new(vector::Program::new(input));
    let vrl = || check(vector.borrow_mut().run(input));
    let programs: [Program<'_>; 3] = [
        ("flowscout", &flowscout),
        (ordinary::name(input.wrapping), &plain),
        ("vrl, parse_aws_vpc_flow_log", &vrl),
    ];
    let speeds = compare(&programs);
    for ((name, _), millions) in programs.iter().zip(speeds) {
        let (ns, gigabytes) = (1e3 / millions, millions * per_record / 1e3);
        println!("{name:<30} {ns:>8.1} ns a record {gigabytes:>8.2} GB/s");
    }
}
