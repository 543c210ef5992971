//! Sequence numbers: 56 digits, growing along a shard, with gaps, as Kinesis gives them out. Three digits that are always the
//! same, nine for the shard, six for the stream, 38 for the place in the shard.

/// The text of place `number` of a shard.
pub(super) fn text(stream: u32, shard: u32, number: u64) -> String {
    format!("496{shard:09}{stream:06}{number:038}")
}

/// The place that `text` names; `None` if it is of another shard or of none.
pub(super) fn number(stream: u32, shard: u32, text: &str) -> Option<u64> {
    let is_digits = text.len() == 56 && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = text.strip_prefix("496").filter(|_| is_digits)?;
    let is_here = rest[..9].parse() == Ok(shard) && rest[9..15].parse() == Ok(stream);
    rest[15..].parse().ok().filter(|_number| is_here)
}

#[cfg(test)]
mod tests {
    use super::{number, text};

    #[test]
    fn a_number_is_read_back_only_for_its_own_shard_and_stream() {
        let written = text(3, 12, u64::MAX);
        assert_eq!(written.len(), 56);
        assert_eq!(number(3, 12, &written), Some(u64::MAX));
        assert_eq!((number(4, 12, &written), number(3, 13, &written)), (None, None));
        assert_eq!((number(3, 12, "0"), number(3, 12, &"x".repeat(56))), (None, None));
        assert!(text(1, 2, 3) > text(1, 1, u64::MAX) && text(1, 1, 2) > text(1, 1, 1));
    }
}
