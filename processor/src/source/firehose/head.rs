//! What the head of a request says, checked before its body is read.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use serde::Deserialize;

use super::refusal::Refusal;

/// What of the head is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// Repeated in the body. `None`: another client than Firehose, which says it in the body alone.
    pub(super) request_id: Option<Box<str>>,
    /// The delivery stream, as batches and messages call it.
    pub(super) source: Arc<str>,
    pub(super) is_gzip: bool,
    /// `None` when the body comes in chunks.
    pub(super) content_length: Option<u64>,
}

pub(super) const ACCESS_KEY: &str = "x-amz-firehose-access-key";
pub(super) const REQUEST_ID: &str = "x-amz-firehose-request-id";
const PROTOCOL_VERSION: &str = "x-amz-firehose-protocol-version";
const SOURCE_ARN: &str = "x-amz-firehose-source-arn";
const COMMON_ATTRIBUTES: &str = "x-amz-firehose-common-attributes";

/// A delivery stream that does not say its name.
const NAMELESS: &str = "firehose";
/// Request ids and ARNs stand in answers, logs and letters. Those of AWS have 36 and at most 2048.
const NAME_BYTES_MAX: usize = 2_048;
const ATTRIBUTES_MAX: usize = 50;
const ATTRIBUTE_KEY_CHARACTERS_MAX: usize = 256;
const ATTRIBUTE_VALUE_CHARACTERS_MAX: usize = 1_024;

impl Head {
    /// Reads the headers of a request.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        if let Some(version) = headers.get(PROTOCOL_VERSION)
            && version != "1.0"
        {
            return Err(Refusal::ProtocolVersion);
        }
        check_attributes(headers)?;
        let source = name(headers, SOURCE_ARN)?;
        let content_length =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Self {
            request_id: name(headers, REQUEST_ID)?.map(Into::into),
            source: source.unwrap_or(NAMELESS).into(),
            is_gzip: is_gzip(headers)?,
            content_length,
        })
    }
}

/// The request's id, where it can be repeated in an answer whatever else is wrong.
pub(super) fn request_id(headers: &HeaderMap) -> &str {
    name(headers, REQUEST_ID).ok().flatten().unwrap_or_default()
}

/// A name of printable ASCII, and not empty.
fn name<'h>(headers: &'h HeaderMap, header: &'static str) -> Result<Option<&'h str>, Refusal> {
    let Some(value) = headers.get(header) else { return Ok(None) };
    if value.is_empty() {
        return Ok(None);
    }
    let text = value.to_str().ok().filter(|text| is_name(text));
    text.map(Some).ok_or(Refusal::BadHeader(header))
}

/// Whether a text may stand in answers, logs and letters.
pub(super) fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    match headers
        .get(CONTENT_ENCODING)
        .map(|value| value.as_bytes().to_ascii_lowercase())
        .as_deref()
    {
        None | Some(b"" | b"identity") => Ok(false),
        Some(b"gzip" | b"x-gzip") => Ok(true),
        Some(_) => Err(Refusal::ContentEncoding),
    }
}

/// They describe the delivery stream and change nothing; what breaks their bounds does not come from Firehose.
fn check_attributes(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(COMMON_ATTRIBUTES) else { return Ok(()) };
    let attributes: Option<CommonAttributes<'_>> = serde_json::from_slice(value.as_bytes()).ok();
    let within =
        |text: &str, least: usize, most: usize| (least..=most).contains(&text.chars().count());
    let is_fine =
        attributes.is_some_and(|CommonAttributes { common_attributes: Attributes(all) }| {
            all.len() <= ATTRIBUTES_MAX
                && all.iter().all(|(key, value)| {
                    within(key, 1, ATTRIBUTE_KEY_CHARACTERS_MAX)
                        && within(value, 0, ATTRIBUTE_VALUE_CHARACTERS_MAX)
                })
        });
    if is_fine { Ok(()) } else { Err(Refusal::BadHeader(COMMON_ATTRIBUTES)) }
}

#[derive(Deserialize)]
struct CommonAttributes<'h> {
    #[serde(rename = "commonAttributes", borrow)]
    common_attributes: Attributes<'h>,
}

#[derive(Deserialize)]
struct Attributes<'h>(#[serde(borrow)] std::collections::BTreeMap<Cow<'h, str>, Cow<'h, str>>);

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn head(headers: &[(&'static str, &str)]) -> Result<Head, Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Head::read(&map)
    }

    #[test]
    fn the_head_of_firehose_is_read() {
        let arn = "arn:aws:firehose:us-east-1:123456789012:deliverystream/flow-logs";
        let id = "ed4acda5-034f-9f42-bba1-f29aea6d7d8f";
        let read = head(&[
            (PROTOCOL_VERSION, "1.0"),
            (REQUEST_ID, id),
            (SOURCE_ARN, arn),
            (COMMON_ATTRIBUTES, r#"{"commonAttributes":{"environment":"prod","empty":""}}"#),
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
            ("content-length", "1929"),
        ]);
        let expected = Head {
            request_id: Some(id.into()),
            source: arn.into(),
            is_gzip: true,
            content_length: Some(1_929),
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn a_client_that_sends_no_header_of_firehose_is_understood() {
        let nameless = Head {
            request_id: None,
            source: NAMELESS.into(),
            is_gzip: false,
            content_length: None,
        };
        assert_eq!(head(&[]), Ok(nameless.clone()));
        assert_eq!(
            head(&[(REQUEST_ID, ""), (SOURCE_ARN, ""), ("content-encoding", "identity")]),
            Ok(nameless)
        );
    }

    #[test]
    fn what_firehose_never_sends_is_refused() {
        assert_eq!(head(&[(PROTOCOL_VERSION, "2.0")]), Err(Refusal::ProtocolVersion));
        assert_eq!(head(&[("content-encoding", "deflate")]), Err(Refusal::ContentEncoding));
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for value in ["a b", "a\u{e9}", &long] {
            assert_eq!(head(&[(REQUEST_ID, value)]), Err(Refusal::BadHeader(REQUEST_ID)));
            assert_eq!(head(&[(SOURCE_ARN, value)]), Err(Refusal::BadHeader(SOURCE_ARN)));
        }
    }

    #[test]
    fn common_attributes_are_held_to_their_bounds() {
        let of = |pairs: &[(String, String)]| {
            let all: serde_json::Map<String, serde_json::Value> =
                pairs.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
            let text = serde_json::json!({ "commonAttributes": all }).to_string();
            head(&[(COMMON_ATTRIBUTES, text.as_str())]).map(drop)
        };
        let many = |count: usize| {
            (0..count).map(|key| (format!("k{key}"), String::new())).collect::<Vec<_>>()
        };
        let refused = Err(Refusal::BadHeader(COMMON_ATTRIBUTES));
        assert_eq!((of(&many(50)), of(&many(51))), (Ok(()), refused.clone()));
        let pair = |key: usize, value: usize| [("k".repeat(key), "v".repeat(value))];
        assert_eq!((of(&pair(256, 1_024)), of(&pair(257, 0))), (Ok(()), refused.clone()));
        assert_eq!((of(&pair(1, 1_025)), of(&pair(0, 1))), (refused.clone(), refused.clone()));
        for text in ["", "{}", "[]", r#"{"commonAttributes":{"a":1}}"#] {
            assert_eq!(head(&[(COMMON_ATTRIBUTES, text)]).map(drop), refused, "{text}");
        }
    }
}
