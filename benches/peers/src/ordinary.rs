//! What a straightforward program does: `serde_json` into typed structs, `base64`, `flate2`, `split(' ')`, `str::parse`.

use std::borrow::Cow;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use flowscout_benches::peer;
use flowscout_benches::traffic::ALL_OF_VERSION_5;
use serde::Deserialize;

use crate::{Input, Sums, Wrapping};

/// How its row is called.
pub fn name(wrapping: Wrapping) -> &'static str {
    match wrapping {
        Wrapping::Lines => "split and parse",
        Wrapping::Vended => "serde_json, split and parse",
        Wrapping::Subscription => "flate2, serde_json, split",
        Wrapping::Request => "serde_json, base64, split",
    }
}

#[derive(Deserialize)]
struct Vended<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    log_events: Vec<Vended<'a>>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    records: Vec<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

/// Reads all records.
pub fn split_and_parse(input: &Input) -> Sums {
    let parse = if input.format == ALL_OF_VERSION_5 { peer::parse_all_of_version_5 } else { peer::parse };
    let mut sums = Sums::default();
    let mut add = |line: &str| {
        let row = std::hint::black_box(parse(line)).expect("a record");
        sums.records += 1;
        sums.packets += row.packets;
        sums.bytes += row.bytes;
    };
    for payload in &input.payloads {
        match input.wrapping {
            Wrapping::Lines => std::str::from_utf8(payload).expect("ASCII").lines().for_each(&mut add),
            Wrapping::Vended => {
                for line in std::str::from_utf8(payload).expect("ASCII").lines() {
                    let document: Vended<'_> = serde_json::from_str(line).expect("a document");
                    add(&document.message);
                }
            }
            Wrapping::Subscription => {
                let mut text = Vec::new();
                MultiGzDecoder::new(&payload[..]).read_to_end(&mut text).expect("gzip");
                let envelope: Envelope<'_> = serde_json::from_slice(&text).expect("an envelope");
                envelope.log_events.iter().for_each(|event| add(&event.message));
            }
            Wrapping::Request => {
                let request: Request<'_> = serde_json::from_slice(payload).expect("a request");
                for record in &request.records {
                    let data = STANDARD.decode(record.data.as_bytes()).expect("base64");
                    let document: Vended<'_> = serde_json::from_slice(&data).expect("a document");
                    add(&document.message);
                }
            }
        }
    }
    sums
}
