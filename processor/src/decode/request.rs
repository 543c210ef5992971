//! One request of Firehose to an HTTP endpoint: all of its records, or why it is none.
//!
//! The document is checked as a whole before anything of it is used, since a request is applied whole or not at all. What its
//! records hold is for the decoder to say: a record that cannot be read is refused there, and costs no other.
//!
//! Rules: Firehose Developer Guide, "HTTP endpoint delivery request and response specifications".

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::base64::{decode, decoded_bytes_max};
use super::firehose;
use super::gzip::Inflater;
use super::peel::scratch::Scratch;
use super::refusal::Reason;

/// A request may have so many records.
pub const RECORDS_MAX: usize = 10_000;
/// Each may have so many bytes, which is 1,365,336 characters of base64.
pub const RECORD_BYTES_MAX: usize = 1_024_000;

/// A request whose records were decoded.
#[derive(Debug)]
pub struct Request {
    /// As the body has it; the header repeats it.
    pub request_id: Box<str>,
    /// The bytes of all records.
    pub arena: Arena,
    /// Where in the arena each of them stands.
    pub records: Vec<Range<usize>>,
}

impl Request {
    /// Tells it from another request of the same id: of its bytes, and of where records end.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        let mut ends = crc32fast::Hasher::new();
        for record in &self.records {
            ends.update(&record.end.to_le_bytes());
        }
        u64::from(crc32fast::hash(self.arena.as_ref())) << 32 | u64::from(ends.finalize())
    }
}

/// Room for the bytes of records, which can be used again.
#[derive(Debug, Default)]
pub struct Arena {
    room: Scratch,
    filled: usize,
}

/// Why a body is no request: whoever sent it must change it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    /// A gzip member is torn, corrupt, or followed by something else.
    #[error("the body is not gzip, although its Content-Encoding says so")]
    BadGzip,
    /// It has, or decompresses to, more than is taken.
    #[error("the body has more than the {bytes_max} bytes that are taken, after decompression")]
    TooLarge {
        /// How many are taken.
        bytes_max: usize,
    },
    /// No JSON, or not of the shape of a request.
    #[error("the body is no request of Firehose: {0}")]
    BadJson(String),
    /// The array is empty.
    #[error("the body has no record")]
    NoRecords,
    /// The array is too long.
    #[error("the body has more than {RECORDS_MAX} records")]
    TooManyRecords,
    /// One is too long.
    #[error("record {number} has more than {RECORD_BYTES_MAX} bytes")]
    RecordTooLarge {
        /// Counted from 1.
        number: usize,
    },
    /// One is no base64.
    #[error("`data` of record {number} is not base64")]
    BadBase64 {
        /// Counted from 1.
        number: usize,
    },
}

/// Takes bodies apart; keeps its buffers. One per thread.
pub struct Unpacker {
    inflater: Inflater,
    inflated: Scratch,
    bytes_max: usize,
}

impl Unpacker {
    /// Of bodies that have at most `bytes_max`, after decompression, which is what it may hold.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { inflater: Inflater::new(), inflated: Scratch::default(), bytes_max }
    }

    /// All records of a body, decoded into `arena`.
    ///
    /// # Errors
    /// When it is no request; nothing of it is to be used then.
    pub fn unpack(
        &mut self,
        body: &[u8],
        is_gzip: bool,
        arena: Arena,
    ) -> Result<Request, RequestError> {
        let bytes_max = self.bytes_max;
        let document = if is_gzip { self.inflate(body) } else { Ok(body) };
        let request = document.and_then(|document| {
            if document.len() > bytes_max {
                return Err(RequestError::TooLarge { bytes_max });
            }
            exactly(document, arena).unwrap_or_else(|arena| in_any_spelling(document, arena))
        });
        self.inflated.settle(false);
        request
    }

    fn inflate(&mut self, body: &[u8]) -> Result<&[u8], RequestError> {
        let mut budget = self.bytes_max;
        let found = self.inflater.inflate(body, &mut self.inflated, &mut budget);
        match found.refused {
            None => Ok(self.inflated.filled(found.bytes)),
            Some((Reason::TooLarge, _)) => {
                Err(RequestError::TooLarge { bytes_max: self.bytes_max })
            }
            Some(_) => Err(RequestError::BadGzip),
        }
    }
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Unpacker")
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}

impl Arena {
    /// About how many bytes it keeps.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.room.held_bytes()
    }
}

impl AsRef<[u8]> for Arena {
    fn as_ref(&self) -> &[u8] {
        self.room.filled(self.filled)
    }
}

/// If it is spelt as Firehose spells it; otherwise gives the arena back.
fn exactly(document: &[u8], mut arena: Arena) -> Result<Result<Request, RequestError>, Arena> {
    let mut records = Vec::new();
    let body = firehose::body(document, &mut arena.room, &mut records, RECORDS_MAX);
    let whole = body.filter(|body| document[body.end..].trim_ascii().is_empty());
    let request_id = whole.and_then(|body| std::str::from_utf8(&document[body.request_id?]).ok());
    match request_id {
        Some(request_id) => Ok(checked(request_id, arena, records)),
        None => Err(arena),
    }
}

fn in_any_spelling(document: &[u8], mut arena: Arena) -> Result<Request, RequestError> {
    let mut taken = Taken { arena: &mut arena.room, records: Vec::new(), problem: None };
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let read = Body(&mut taken).deserialize(&mut deserializer);
    let read = read.and_then(|request_id| deserializer.end().map(|()| request_id));
    let (records, problem) = (taken.records, taken.problem);
    match (read, problem) {
        (Ok(request_id), _) => checked(&request_id, arena, records),
        (Err(_), Some(problem)) => Err(problem),
        (Err(error), None) => Err(RequestError::BadJson(shown(&error))),
    }
}

/// What the parser says, which may repeat a little of the document, such as a number in place of a string.
fn shown(error: &serde_json::Error) -> String {
    const CHARACTERS_MAX: usize = 200;
    error.to_string().chars().take(CHARACTERS_MAX).flat_map(char::escape_debug).collect()
}

fn checked(
    request_id: &str,
    mut arena: Arena,
    records: Vec<Range<usize>>,
) -> Result<Request, RequestError> {
    let Some(last) = records.last() else { return Err(RequestError::NoRecords) };
    arena.filled = last.end;
    match records.iter().position(|record| record.len() > RECORD_BYTES_MAX) {
        Some(place) => Err(RequestError::RecordTooLarge { number: place + 1 }),
        None => Ok(Request { request_id: request_id.into(), arena, records }),
    }
}

/// What was taken out of a document while it is read, without a copy of it.
struct Taken<'t> {
    arena: &'t mut Scratch,
    records: Vec<Range<usize>>,
    /// What is wrong, where JSON's own words would not say it.
    problem: Option<RequestError>,
}

impl Taken<'_> {
    fn add(&mut self, data: &str) -> Result<(), RequestError> {
        let number = self.records.len() + 1;
        if number > RECORDS_MAX {
            return Err(RequestError::TooManyRecords);
        }
        let (data, start) = (data.as_bytes(), self.records.last().map_or(0, |record| record.end));
        let room = self.arena.room(start + decoded_bytes_max(data));
        let length = decode(data, &mut room[start..]).ok_or(RequestError::BadBase64 { number })?;
        self.records.push(start..start + length);
        Ok(())
    }
}

/// The document; gives its `requestId`.
struct Body<'b, 't>(&'b mut Taken<'t>);

impl<'de> DeserializeSeed<'de> for Body<'_, '_> {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // Asked for a map, the parser itself would say what else stands there.
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `requestId` and `records`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut request_id, mut has_records) = (None, false);
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "requestId" if request_id.is_some() => {
                    return Err(A::Error::duplicate_field("requestId"));
                }
                "requestId" => request_id = Some(map.next_value::<Text<'de>>()?.0),
                "records" if has_records => return Err(A::Error::duplicate_field("records")),
                "records" => {
                    map.next_value_seed(Records(self.0))?;
                    has_records = true;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let request_id = request_id.ok_or_else(|| A::Error::missing_field("requestId"))?;
        if has_records { Ok(request_id) } else { Err(A::Error::missing_field("records")) }
    }

    /// What stands in the document must not come into messages: it is long, and the customer's.
    fn visit_str<E: Error>(self, _text: &str) -> Result<Self::Value, E> {
        Err(E::custom("the document is a string"))
    }
}

/// The array of records.
struct Records<'b, 't>(&'b mut Taken<'t>);

impl<'de> DeserializeSeed<'de> for Records<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Records<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(Record(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E: Error>(self, _text: &str) -> Result<(), E> {
        Err(E::custom("`records` is a string"))
    }
}

/// One record.
struct Record<'b, 't>(&'b mut Taken<'t>);

impl<'de> DeserializeSeed<'de> for Record<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Record<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `data`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut has_data = false;
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "data" if has_data => return Err(A::Error::duplicate_field("data")),
                "data" => {
                    let Text(data) = map.next_value()?;
                    if let Err(problem) = self.0.add(&data) {
                        self.0.problem = Some(problem);
                        return Err(A::Error::custom(""));
                    }
                    has_data = true;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if has_data { Ok(()) } else { Err(A::Error::missing_field("data")) }
    }

    fn visit_str<E: Error>(self, _text: &str) -> Result<(), E> {
        Err(E::custom("a record is a string"))
    }
}

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
