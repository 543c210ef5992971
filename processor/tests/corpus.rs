//! Replays the corpora of `processor/fuzz` under the checks that the fuzzer makes.

#![expect(clippy::expect_used, reason = "a test that cannot read its corpus has failed")]

#[path = "corpus/parquet.rs"]
mod parquet;

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
