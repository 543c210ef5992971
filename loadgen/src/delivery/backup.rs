//! What Firehose puts into its backup bucket when it gives a request up (facts/firehose.md, 3, 10):
//! one JSON object a record, one a line.

use serde_json::json;

use super::{Failure, Request};
use crate::date::Utc;

/// A request that was given up.
#[derive(Debug, Clone, Copy)]
pub struct GivenUp<'a> {
    /// What was in it.
    pub request: &'a Request,
    /// How often it was sent.
    pub attempts: u32,
    /// The last of the reasons.
    pub failure: &'a Failure,
    /// Epoch milliseconds at which its records came.
    pub arrived_ms: u64,
    /// Epoch milliseconds at which the last attempt ended.
    pub ended_ms: u64,
}

/// Every backup of ours is of the first version of the stream.
const STREAM_VERSION: u32 = 1;

impl GivenUp<'_> {
    /// The object.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        for (number, data) in self.request.encoded().enumerate() {
            let record = json!({
                "attemptsMade": self.attempts,
                "arrivalTimestamp": self.arrived_ms,
                "errorCode": self.failure.code.to_string(),
                "errorMessage": self.failure.message,
                "attemptEndingTimestamp": self.ended_ms,
                "rawData": data,
                "subsequenceNumber": number,
                "dataId": format!("{}.{number}", self.request.id),
            });
            lines += &format!("{record}\n");
        }
        lines
    }
}

/// The key of such an object of this stream, below `http-endpoint-failed/`; `id` makes it unique.
#[must_use]
pub fn object_key(stream: &str, ended_ms: u64, id: &str) -> String {
    let Utc { year, month, day, hour, minute, second } = Utc::new(ended_ms / 1_000);
    let folder = format!("http-endpoint-failed/{year}/{month}/{day}/{hour}");
    format!("{folder}/{stream}-{STREAM_VERSION}-{year}-{month}-{day}-{hour}-{minute}-{second}-{id}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::{Buffer, ErrorCode};
    use super::*;
    use crate::records::Record;

    #[test]
    fn each_record_is_a_line_with_what_firehose_says_of_it() {
        let mut buffer = Buffer::new(1 << 20);
        for data in [&b"2 a"[..], b""] {
            let record = Record { key: String::new(), data: data.to_vec(), lines: 1 };
            assert!(buffer.push(&record).is_none());
        }
        let request = &buffer.finish().unwrap().request("id".to_owned(), 1);
        let message = "the endpoint answered 500".to_owned();
        let failure = &Failure { code: ErrorCode::DestinationException, message };
        let (arrived_ms, ended_ms) = (1_594_265_943_615, 1_594_266_081_318);
        let given_up = GivenUp { request, attempts: 5, failure, arrived_ms, ended_ms };
        let lines = given_up.lines();
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = |number: u32, data: &str| {
            json!({
                "attemptsMade": 5, "arrivalTimestamp": arrived_ms, "attemptEndingTimestamp": ended_ms,
                "errorCode": "HttpEndpoint.DestinationException",
                "errorMessage": "the endpoint answered 500", "rawData": data,
                "subsequenceNumber": number, "dataId": format!("id.{number}"),
            })
        };
        assert_eq!(lines, [expected(0, "MiBh"), expected(1, "")]);
    }

    #[test]
    fn an_object_lies_in_the_hour_of_its_end() {
        assert_eq!(
            object_key("flows", 1_767_225_600_999, "0f"),
            "http-endpoint-failed/2026/01/01/00/flows-1-2026-01-01-00-00-00-0f"
        );
    }
}
