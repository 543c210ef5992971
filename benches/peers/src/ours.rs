//! flowscout's decoder, as a worker of the pipeline calls it.

use std::sync::Arc;

use bytes::Bytes;
use flowscout::batch::{Batch, BatchId, Content};
use flowscout::decode::{Decoder, Format, Formats, Limits, RecordParser, Records};
use flowscout::flow::Line;

use crate::{Input, Sums, Wrapping};

/// A decoder and its batches.
pub struct Decoding {
    decoder: Decoder,
    parser: RecordParser,
    batches: Vec<Batch>,
}

impl Decoding {
    /// Batches of `input`, cut as sources cut them.
    pub fn new(input: &Input) -> Self {
        let format = Format::new("peers", [input.format]).expect("a format");
        let formats = Arc::new(Formats::of_source(format));
        let decoder = Decoder::new(formats, Limits::default());
        let parser = RecordParser::new(Limits::default());
        let batches = input.payloads.iter().flat_map(|payload| batches(input.wrapping, payload));
        Self { decoder, parser, batches: batches.collect() }
    }

    /// Decodes all.
    pub fn run(&mut self, _input: &Input) -> Sums {
        let mut sums = Sums::default();
        for batch in &self.batches {
            let mut reader = Records::new(&mut self.parser, |line: Line<'_>| {
                let Line::Flow(record) = std::hint::black_box(line) else { return };
                sums.records += 1;
                sums.packets += record.packets;
                sums.bytes += record.bytes;
            });
            let decoded = self.decoder.decode(batch, &mut reader);
            assert_eq!(decoded.refusals.total(), 0);
        }
        sums
    }
}

fn batches(wrapping: Wrapping, payload: &[u8]) -> Vec<Batch> {
    if wrapping == Wrapping::Lines {
        let text = std::str::from_utf8(payload).expect("lines are ASCII");
        return flowscout_benches::traffic::batches(text.as_bytes());
    }
    let id = BatchId::at("peers".into(), 0);
    let payloads = vec![Bytes::copy_from_slice(payload)];
    vec![Batch { id, content: Content::Payloads { first_record: 1, payloads } }]
}
