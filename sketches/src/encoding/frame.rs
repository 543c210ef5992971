//! The frame around a body: written once, checked field by field before the body is read.

use super::{Context, Corruption, DecodeError, Encode, EncodeError, Kind, Limits, Reader};
use crate::hash::HashKey;

const MAGIC: [u8; 3] = *b"FSK";
const FRAME_VERSION: u8 = 1;
const BODY_LENGTH_AT: usize = 10;
const HEADER_BYTES: usize = 14;
const CHECKSUM_BYTES: usize = 4;

/// The fields after magic and frame version.
struct Header {
    kind: u8,
    version: u8,
    key_check: u32,
    body_bytes: usize,
}

pub(super) fn write<S: Encode>(
    sketch: &S,
    key: HashKey,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend(MAGIC);
    out.extend([FRAME_VERSION, S::KIND.number(), S::VERSION]);
    out.extend(key.check().to_le_bytes());
    out.extend([0; HEADER_BYTES - BODY_LENGTH_AT]);
    sketch.encode_body(out);

    let body_bytes = out.len() - start - HEADER_BYTES;
    let allowed = S::KIND.body_bytes_max();
    let Some(length) = u32::try_from(body_bytes).ok().filter(|_| body_bytes <= allowed) else {
        out.truncate(start);
        return Err(EncodeError::TooLarge { body_bytes, allowed });
    };
    out[start + BODY_LENGTH_AT..start + HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&out[start..]);
    out.extend(checksum.to_le_bytes());
    Ok(())
}

/// Length before checksum, so that no length makes a reader wait for gigabytes; checksum before all that follows, so
/// that damage is told from an honest frame of another kind, version or key.
pub(super) fn read<S: Encode>(
    bytes: &[u8],
    key: HashKey,
    limits: Limits,
) -> Result<(S, &[u8]), DecodeError> {
    let header = Header::read(bytes)?;
    header.check_length(limits)?;
    let checked_bytes = HEADER_BYTES + header.body_bytes;
    let needed = checked_bytes + CHECKSUM_BYTES;
    let Some((frame, rest)) = bytes.split_at_checked(needed) else {
        return Err(DecodeError::Truncated { present: bytes.len(), needed });
    };
    let (checked, checksum) = frame.split_at(checked_bytes);
    if checksum != crc32fast::hash(checked).to_le_bytes() {
        return Err(DecodeError::Corrupt(Corruption::Checksum));
    }
    header.check_identity::<S>(key)?;

    let mut body = Reader::new(&checked[HEADER_BYTES..]);
    let memory_bytes_max = limits.memory_bytes_max;
    let context = Context { version: header.version, key, memory_bytes_max };
    let sketch = S::decode_body(&mut body, &context)?;
    body.finish()?;
    Ok((sketch, rest))
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let start = &bytes[..bytes.len().min(MAGIC.len())];
        if start != &MAGIC[..start.len()] {
            return Err(DecodeError::Corrupt(Corruption::NotAFrame));
        }
        match bytes.get(MAGIC.len()) {
            None | Some(&FRAME_VERSION) => {}
            Some(&found) => return Err(DecodeError::UnsupportedFrame { found }),
        }
        let Some(fields) = bytes.get(MAGIC.len() + 1..HEADER_BYTES) else {
            return Err(DecodeError::Truncated { present: bytes.len(), needed: HEADER_BYTES });
        };
        let mut fields = Reader::new(fields);
        Ok(Self {
            kind: fields.u8()?,
            version: fields.u8()?,
            key_check: fields.u32()?,
            // Where memory has fewer than 32 bits, it is too long all the more.
            body_bytes: usize::try_from(fields.u32()?).unwrap_or(usize::MAX),
        })
    }

    /// The maximum is that of the kind which the frame names, so that a frame of another kind is told as such.
    fn check_length(&self, limits: Limits) -> Result<(), DecodeError> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.number() == self.kind);
        let by_kind = kind.map_or(usize::MAX, Kind::body_bytes_max);
        let allowed = limits.body_bytes_max.min(by_kind);
        if self.body_bytes > allowed {
            return Err(DecodeError::TooLarge { what: "body", bytes: self.body_bytes, allowed });
        }
        Ok(())
    }

    fn check_identity<S: Encode>(&self, key: HashKey) -> Result<(), DecodeError> {
        if self.kind != S::KIND.number() {
            return Err(DecodeError::WrongKind { expected: S::KIND, found: self.kind });
        }
        let (oldest, newest) = (S::VERSION_OLDEST, S::VERSION);
        if !(oldest..=newest).contains(&self.version) {
            let found = self.version;
            return Err(DecodeError::UnsupportedVersion { kind: S::KIND, found, oldest, newest });
        }
        if self.key_check != key.check() {
            return Err(DecodeError::WrongKey);
        }
        Ok(())
    }
}
