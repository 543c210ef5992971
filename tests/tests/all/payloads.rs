//! What loadgen puts into a stream, decoded: each payload gives the lines of `--target stdout`.

use flowscout::decode::{Found, Limits, Peeler, Place, Refusal};
use flowscout_tests::loadgen;
use loadgen::payload::Payload;
use loadgen::records::{Joined, PartitionKey, Record, Shape, Shaper};
use loadgen::{Generator, LineFormat, Plan, Profile};

const SEED: u64 = 7;

/// The lines of every text, in their order.
#[derive(Default)]
struct Lines(Vec<String>);

impl Found for Lines {
    fn text(&mut self, _: &Place<'_>, text: &[u8]) {
        let text = std::str::from_utf8(text).unwrap();
        self.0.extend(text.lines().map(str::to_owned));
    }

    fn refuse(&mut self, place: &Place<'_>, refusal: Refusal, _: &[u8]) {
        panic!("{}: {refusal}", place.position);
    }

    fn control_message(&mut self) {
        panic!("there is none");
    }
}

fn written() -> Vec<String> {
    let run = loadgen().args(["run", "--profile", "quiet", "--scenario", "none", "--rate", "50"]);
    let run = run.args(["--seconds", "600", "--seed", "7", "--format", "recommended"]);
    let run = run.args(["--target", "stdout"]).succeed();
    run.stdout.lines().map(str::to_owned).collect()
}

fn records(shape: Shape) -> Vec<Record> {
    let plan = Plan {
        profile: Profile::quiet(),
        scenarios: Vec::new(),
        rate_per_s: 50,
        duration_s: 600,
        seed: SEED,
        start_s: 1_767_225_600,
        format: LineFormat::recommended(),
    };
    let (mut generator, mut shaper) = (Generator::new(&plan).unwrap(), Shaper::new(shape));
    let (mut line, mut records) = (Vec::new(), Vec::new());
    while let Some(origin) = generator.next_line(&mut line) {
        shaper.push(line.trim_ascii_end(), origin, &mut records);
        line.clear();
    }
    shaper.finish(&mut records);
    records
}

fn decoded(records: &[Record]) -> Vec<String> {
    let (mut peeler, mut lines) = (Peeler::new(Limits::default()), Lines::default());
    for (number, record) in (1..).zip(records) {
        let before = lines.0.len();
        peeler.peel(&record.data, number, &mut lines);
        assert_eq!((lines.0.len() - before) as u64, record.lines, "record {number}");
    }
    lines.0
}

#[test]
fn every_payload_decodes_to_the_lines_that_standard_output_gets() {
    let mut expected = written();
    assert!(expected.len() > 10_000);
    let random_plain = Shape {
        payload: Payload::Plain,
        lines_per_payload: 7,
        joined: Joined::Aggregate,
        key: PartitionKey::Random,
        seed: SEED,
    };
    assert!(decoded(&records(random_plain)) == expected, "not in their order");
    expected.sort();
    let back_to_back = Joined::BackToBack { payloads_max: 3 };
    let all = [
        Payload::Plain,
        Payload::Message,
        Payload::Cloudwatch,
        Payload::Envelope,
        Payload::Extracted,
    ];
    for payload in all {
        for key in [PartitionKey::Interface, PartitionKey::Random, PartitionKey::Absent] {
            for joined in [Joined::No, Joined::Aggregate, back_to_back] {
                for lines_per_payload in [1, 40] {
                    let shape = Shape { payload, lines_per_payload, joined, key, seed: SEED };
                    let records = records(shape);
                    let is_aggregate =
                        |record: &Record| record.data.starts_with(&[0xf3, 0x89, 0x9a, 0xc2]);
                    let aggregated = joined == Joined::Aggregate;
                    assert!(records.iter().all(|record| is_aggregate(record) == aggregated));
                    let mut lines = decoded(&records);
                    lines.sort();
                    assert!(lines == expected, "{shape:?}");
                }
            }
        }
    }
}
