//! One core, a million lines in memory, by stage: up to the partial, the fold, up to the signals, beside a plain group-by.

#![expect(clippy::print_stdout, reason = "a table is the purpose")]

use flowscout::batch::Batch;
use flowscout::combine::Partial;
use flowscout::decode::{Decoder, RecordParser, Records};
use flowscout::detect::Detector;
use flowscout::flow::Line;
use flowscout::pipeline::Worker;
use flowscout_benches::meter::compare;
use flowscout_benches::peer::{self, GroupBy};
use flowscout_benches::traffic::{self, Kinds};

fn main() {
    let traffic = traffic::million();
    let batches = traffic::batches(&traffic.text);
    // What the peer counted is the truth for all.
    let GroupBy { records, bytes, .. } = group_by(&batches);
    let mut ready = Vec::new();
    combine(&batches, |partial| ready.push(partial));
    let rows: usize = ready.iter().map(|partial| partial.conversations.len()).sum();
    println!("{records} records in memory, {rows} rows of partials, one thread");
    let check = |mut detector: Detector, mut opened: Kinds| {
        detector.finish(&mut |signal| traffic::count_opened(&mut opened, &signal));
        let totals = detector.totals();
        assert_eq!((totals.records, totals.bytes), (records, bytes));
        assert_eq!(opened, traffic.injected);
        totals.records
    };
    let decode = || {
        assert_eq!(decode(&batches), (records, bytes));
        records
    };
    let up_to_partials = || {
        let (mut seen, mut sum) = (0, 0);
        combine(&batches, |partial| {
            seen += partial.records;
            let rows = partial.conversations.iter();
            sum += rows.map(|(_, row)| row.bytes_up + row.bytes_down).sum::<u64>();
        });
        assert_eq!((seen, sum), (records, bytes));
        records
    };
    let fold_alone = || {
        let (mut detector, mut opened) = (traffic::detector(), Kinds::new());
        for partial in &ready {
            detector.apply(partial, &mut |signal| traffic::count_opened(&mut opened, &signal));
        }
        check(detector, opened)
    };
    let up_to_signals = || {
        let (mut detector, mut opened) = (traffic::detector(), Kinds::new());
        combine(&batches, |partial| {
            detector.apply(&partial, &mut |signal| traffic::count_opened(&mut opened, &signal));
        });
        check(detector, opened)
    };
    let peer_group_by = || {
        let groups = group_by(&batches);
        assert_eq!((groups.records, groups.bytes), (records, bytes));
        assert!(groups.ports_max > 400, "a vertical scan of more than 400 ports is in there");
        records
    };
    compare(&[
        ("decode", &decode),
        ("decode, observe, combine", &up_to_partials),
        ("window and rules alone", &fold_alone),
        ("whole, up to signals", &up_to_signals),
        ("peer: split, parse, group by", &peer_group_by),
    ]);
}

fn decode(batches: &[Batch]) -> (u64, u64) {
    let (mut decoder, mut parser) = (
        Decoder::new(Default::default(), Default::default()),
        RecordParser::new(Default::default()),
    );
    let (mut records, mut bytes) = (0, 0);
    for batch in batches {
        let mut reader = Records::new(&mut parser, |line: Line<'_>| {
            if let Line::Flow(record) = divan::black_box(line) {
                records += 1;
                bytes += record.bytes;
            }
        });
        decoder.decode(batch, &mut reader);
    }
    (records, bytes)
}

fn combine(batches: &[Batch], mut take: impl FnMut(Partial)) {
    let mut worker = Worker::new(&traffic::settings());
    for batch in batches {
        let (partial, decoded) = worker.combine(batch);
        assert_eq!(decoded.refusals.total(), 0);
        take(partial);
    }
}

fn group_by(batches: &[Batch]) -> GroupBy {
    let mut groups = GroupBy::default();
    for batch in batches {
        let text = traffic::text(batch);
        text.lines().filter_map(peer::parse).for_each(|row| groups.add(&row));
    }
    groups.close();
    groups
}
