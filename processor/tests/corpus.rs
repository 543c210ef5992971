//! Replays the corpora of `processor/fuzz` under the checks that the fuzzer makes.

#![expect(clippy::expect_used, reason = "a test that cannot read its corpus has failed")]

#[path = "corpus/aggregate.rs"]
mod aggregate;
#[path = "corpus/documents.rs"]
mod documents;
#[path = "corpus/parquet.rs"]
mod parquet;
#[path = "corpus/payload.rs"]
mod payload;
#[path = "corpus/text.rs"]
mod text;

use std::path::Path;

/// Gives every input of a target's corpus to `check`.
fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).expect("the corpus is committed");
    let mut inputs = 0;
    for entry in entries {
        check(&std::fs::read(entry.expect("an entry").path()).expect("readable"));
        inputs += 1;
    }
    assert!(inputs > 10, "{target}: the corpus is lost");
}

#[test]
fn parquet_files_and_pages_are_read_to_an_end() {
    replay("parquet", parquet::check);
}

#[test]
fn lines_are_read_as_the_slow_way_reads_them() {
    replay("text", text::check);
}

#[test]
fn payloads_give_the_same_each_time_and_no_more_bytes_than_there_are() {
    replay("payload", payload::check);
}

#[test]
fn documents_are_read_alike_by_the_fast_paths_and_the_full_parser() {
    replay("documents", documents::check);
}

#[test]
fn aggregates_give_what_a_slow_reading_gives() {
    replay("aggregate", aggregate::check);
}
