//! Replays the corpora of `processor/fuzz` under the checks that the fuzzer makes.

#![expect(clippy::expect_used, reason = "a test that cannot read its corpus has failed")]

use std::path::Path;

/// Gives every input of a target's corpus to `check`.
#[expect(dead_code, reason = "the first target brings its check")]
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
