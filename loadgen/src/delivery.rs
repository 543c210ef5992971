//! How Amazon Data Firehose delivers to an HTTP endpoint: requests, what an answer means, when the
//! same request is sent again, and what is kept of those that are given up.
//!
//! In the order in which a record passes: `buffer` fills requests, `headers` go with them, `answer`
//! judges what comes back, `retries` says how long to wait, `backup` writes what was given up. All of
//! it is pure: the caller sends, sleeps, and draws jitter and identifiers.
//!
//! Source: facts/firehose.md (2, 3, 4, 10).

mod answer;
mod backup;
mod buffer;
mod headers;
mod retries;

pub use answer::{ANSWER_BYTES_MAX, Answer, ErrorCode, Failure, Outcome, judge};
pub use backup::{GivenUp, object_key};
pub use buffer::{BODY_BYTES_MAX, BUFFER_BYTES, Buffer, Filled, RECORDS_MAX, Request};
pub use headers::{AccessKey, Attributes, HeaderError, is_stream_arn, stream_name};
pub use retries::{FIRST_DELAY, RETRIES_FOR_MAX_S, RETRIES_FOR_S, Retries};

/// An identifier in the form of a GUID, of random bits.
#[must_use]
pub fn guid(random: u128) -> String {
    // Version 4, variant 1 (RFC 9562, 5.4).
    let bits = random & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let digits = format!("{bits:032x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_its_version_and_its_variant() {
        assert_eq!(guid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(guid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
