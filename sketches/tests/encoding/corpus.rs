//! Replays the fuzzer's corpus under the checks that the fuzzer makes.

use std::fs;
use std::path::Path;

use crate::check;

#[test]
fn the_corpus_of_the_fuzzer_passes_its_checks() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/decode");
    let inputs =
        fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let inputs: Vec<Vec<u8>> = inputs.collect();
    assert!((100..=400).contains(&inputs.len()), "{} inputs", inputs.len());
    let accepted: usize = inputs.iter().map(|input| check::check_input(input)).sum();
    assert!(accepted > 60, "{accepted} accepted: the others end in the first checks");
}
