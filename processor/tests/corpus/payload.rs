//! Any bytes as a payload, under limits that are soon reached.

use flowscout::decode::{Found, Limits, Peeler, Place, Refusal};

/// Peels `input`, again after something else, and alone: with the same result, and never more bytes than there were.
pub(crate) fn check(input: &[u8]) {
    for limits in [
        Limits { decompressed_bytes_max: 1 << 16, nesting_max: 8 },
        Limits { decompressed_bytes_max: 100, nesting_max: 2 },
    ] {
        let mut peeler = Peeler::new(limits);
        let alone = peeled(&mut peeler, input);
        peeled(&mut peeler, b"{\"message\":\"2 a\"}");
        assert_eq!(peeled(&mut peeler, input), alone);
        assert!(alone.bytes <= input.len() + limits.decompressed_bytes_max);
    }
}

fn peeled(peeler: &mut Peeler, input: &[u8]) -> Sums {
    let mut sums = Sums::default();
    peeler.peel(input, 1, &mut sums);
    sums
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    bytes: usize,
    texts: usize,
    refused: usize,
    control_messages: usize,
}

impl Found for Sums {
    fn text(&mut self, place: &Place<'_>, text: &[u8]) {
        self.texts += 1;
        self.bytes += text.len();
        assert!(!text.trim_ascii().is_empty(), "blank text");
        for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let mut words = line.split(|byte| matches!(byte, b' ' | b'\t'));
            let first = words.find(|word| !word.is_empty()).unwrap_or_default();
            assert!(!first.starts_with(b"{"), "a document within a text");
        }
        if let Some(extracted) = place.extracted {
            let words = |line: &[u8]| line.split(|&byte| byte == b' ').count();
            assert_eq!(words(extracted.header), words(extracted.line));
        }
    }

    fn refuse(&mut self, _: &Place<'_>, _: Refusal, bytes: &[u8]) {
        self.refused += 1;
        self.bytes += bytes.len();
    }

    fn control_message(&mut self) {
        self.control_messages += 1;
    }

    fn dead_letter(&mut self, _: &Place<'_>, format: Option<&str>, data: &[u8]) {
        assert!(format.is_some(), "a letter without a format is peeled");
        self.texts += 1;
        self.bytes += data.len();
    }
}
