//! One stream of generated traffic for all benchmarks: a million records of a busy VPC with attacks hidden in it.

use std::collections::BTreeMap;

use flowscout::batch::{Batch, Content};
use flowscout::config::Config;
use flowscout::detect::Detector;
use flowscout::pipeline::Settings;
use flowscout::signal::{Signal, Status};
use flowscout::source::cut::Cutter;
use loadgen::{Generator, LineFormat, Plan, Profile, Scenario};
use sketches::hash::HashKey;

/// Keyed as a deployment would be, but always the same: answers are compared.
pub const KEY: HashKey = HashKey::new(1, 2);

/// How many findings of each kind.
pub type Kinds = BTreeMap<String, u64>;

/// Lines of the default format, and what is hidden in them.
#[derive(Debug)]
pub struct Traffic {
    /// Whole lines.
    pub text: Vec<u8>,
    /// Injected attacks by the kind of finding that they should give.
    pub injected: Kinds,
}

/// The 14 fields of version 2.
pub const DEFAULT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} \
    ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";

/// All 29 fields of versions 2 to 5, in the order in which the AWS console puts them when all are chosen: by name.
pub const ALL_OF_VERSION_5: &str = "${account-id} ${action} ${az-id} ${bytes} ${dstaddr} ${dstport} ${end} \
    ${flow-direction} ${instance-id} ${interface-id} ${log-status} ${packets} ${pkt-dst-aws-service} ${pkt-dstaddr} \
    ${pkt-src-aws-service} ${pkt-srcaddr} ${protocol} ${region} ${srcaddr} ${srcport} ${start} ${sublocation-id} \
    ${sublocation-type} ${subnet-id} ${tcp-flags} ${traffic-path} ${type} ${version} ${vpc-id}";

/// 1,000 s of the `busy` profile at 1,000 records per second, with all attacks that fit: some 112 MB.
#[must_use]
pub fn million() -> Traffic {
    seconds(1_000, LineFormat::default())
}

/// So many seconds of the same traffic in another format.
///
/// # Panics
/// When the generator refuses the plan, which is fixed but for its length.
#[must_use]
#[expect(clippy::expect_used, reason = "a benchmark without its input has no use")]
pub fn seconds(duration_s: u32, format: LineFormat) -> Traffic {
    let plan = Plan {
        profile: Profile::busy(),
        scenarios: Scenario::fitting(duration_s),
        rate_per_s: 1_000,
        duration_s,
        seed: 1,
        start_s: 1_767_225_600,
        format,
    };
    let mut generator = Generator::new(&plan).expect("the plan is valid");
    let mut text = Vec::new();
    while generator.next_chunk(&mut text) {}
    let mut injected = Kinds::new();
    for row in generator.truth() {
        *injected.entry(row.kind.to_string()).or_default() += 1;
    }
    Traffic { text, injected }
}

/// The first `bytes` of `text` and the rest of the line that they end in.
#[must_use]
pub fn head(text: &[u8], bytes: usize) -> &[u8] {
    let cut = bytes.min(text.len());
    let rest = text[cut..].iter().position(|&byte| byte == b'\n');
    &text[..rest.map_or(text.len(), |place| cut + place + 1)]
}

/// `text` in the batches that a file source would cut.
///
/// # Panics
/// Never: reading from memory does not fail.
#[must_use]
#[expect(clippy::expect_used, reason = "reading from memory does not fail")]
pub fn batches(text: &[u8]) -> Vec<Batch> {
    let mut cutter = Cutter::new(text, "memory".into());
    std::iter::from_fn(|| cutter.next_batch().expect("memory can be read")).collect()
}

/// The text of a batch of lines.
///
/// # Panics
/// When it is another batch, or no UTF-8.
#[must_use]
#[expect(clippy::expect_used, reason = "generated lines are ASCII")]
pub fn text(batch: &Batch) -> &str {
    let Content::Lines(lines) = &batch.content else { panic!("a batch of lines") };
    std::str::from_utf8(&lines.bytes).expect("generated lines are ASCII")
}

/// One worker, and all defaults.
#[must_use]
pub fn settings() -> Settings {
    Settings::new(1, KEY, Config::default().window.pane_s)
}

/// A fold with nothing seen, under the default configuration.
///
/// # Panics
/// When a sketch cannot be made, which the constants exclude.
#[must_use]
#[expect(clippy::expect_used, reason = "a benchmark without its subject has no use")]
pub fn detector() -> Detector {
    let Config { network, window, rules, .. } = Config::default();
    Detector::new(rules, network, window, KEY).expect("the default sketches can be made")
}

/// Counts a signal if it opens a finding.
pub fn count_opened(opened: &mut Kinds, signal: &Signal) {
    if signal.status == Status::Open {
        *opened.entry(signal.kind.label().to_owned()).or_default() += 1;
    }
}
