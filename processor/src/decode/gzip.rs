//! Inflates gzip of any number of members (RFC 1952), whole members only, within a budget of bytes.
//!
//! libdeflate is the fastest but does not say where a member ended. So it is tried where the next member's magic, or the
//! end of the input, says where this one must end, and its answer is taken only if the checksum and the size that stand
//! there agree. Everything else goes through zlib-rs, which counts what it consumes.

use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::{Decompressor, crc32};
use memchr::memmem;

use super::peel::scratch::Scratch;
use super::refusal::Reason;

/// Magic, and deflate, the only method.
const MEMBER_START: [u8; 3] = [0x1f, 0x8b, 8];
/// CRC-32 and size of what was compressed, little endian.
const TRAILER_BYTES: usize = 8;
/// Deflate cannot compress further (zlib's technical notes): a size beyond it is a lie.
const RATIO_MAX: usize = 1032;
const CHUNK_BYTES: usize = 64 << 10;

/// Both decompressors, with their tables and windows.
pub(super) struct Inflater {
    whole: Decompressor,
    stepwise: Decompress,
    next_member: memmem::Finder<'static>,
}

/// What came out of an input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inflated {
    /// Bytes of all whole members, at the beginning of the buffer.
    pub(super) bytes: usize,
    /// Why the rest of the input was not inflated, and where that rest begins.
    pub(super) refused: Option<(Reason, usize)>,
}

/// A member that was inflated: bytes of input behind its header, trailer included, and bytes of output.
struct Member {
    consumed: usize,
    produced: usize,
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self {
            whole: Decompressor::new(),
            stepwise: Decompress::new(false),
            next_member: memmem::Finder::new(&MEMBER_START),
        }
    }

    /// Inflates all members of `input` one behind the other into `output`. What they give, or gave before they were
    /// found to be torn, is taken from `budget`.
    pub(super) fn inflate(
        &mut self,
        input: &[u8],
        output: &mut Scratch,
        budget: &mut usize,
    ) -> Inflated {
        let (mut at, mut filled) = (0, 0);
        loop {
            let rest = &input[at..];
            if rest.iter().all(|&byte| byte == 0) {
                // Padding, or nothing.
                return Inflated { bytes: filled, refused: None };
            }
            let member = match header_bytes(rest) {
                Some(header) => self
                    .member(&rest[header..], output, filled, budget)
                    .map(|member| (header + member.consumed, member.produced)),
                None => Err(Reason::BadGzip),
            };
            match member {
                Ok((consumed, produced)) => {
                    at += consumed;
                    filled += produced;
                }
                Err(reason) => return Inflated { bytes: filled, refused: Some((reason, at)) },
            }
        }
    }

    fn member(
        &mut self,
        body: &[u8],
        output: &mut Scratch,
        filled: usize,
        budget: &mut usize,
    ) -> Result<Member, Reason> {
        if let Some(member) = self.at_once(body, output, filled, *budget) {
            *budget -= member.produced;
            return Ok(member);
        }
        self.by_steps(body, output, filled, budget)
    }

    /// `None` where it cannot be told that the member ends where it seems to.
    fn at_once(
        &mut self,
        body: &[u8],
        output: &mut Scratch,
        filled: usize,
        budget: usize,
    ) -> Option<Member> {
        let consumed = self.next_member.find(body).unwrap_or(body.len());
        let deflated = body.get(..consumed.checked_sub(TRAILER_BYTES)?)?;
        let (checksum, size) = trailer(&body[deflated.len()..])?;
        let size = usize::try_from(size).ok()?;
        if size > budget || size > deflated.len().saturating_mul(RATIO_MAX) {
            return None;
        }
        let room = &mut output.room(filled + size)[filled..];
        let produced = self.whole.deflate_decompress(deflated, room).ok()?;
        let is_whole = produced == size && crc32(room) == checksum;
        is_whole.then_some(Member { consumed, produced })
    }

    fn by_steps(
        &mut self,
        body: &[u8],
        output: &mut Scratch,
        filled: usize,
        budget: &mut usize,
    ) -> Result<Member, Reason> {
        self.stepwise.reset(false);
        let (mut consumed, mut produced, mut is_end) = (0, 0, false);
        while !is_end {
            // One byte more than allowed shows that the member would give more.
            let allowed = (*budget - produced).saturating_add(1);
            let chunk = CHUNK_BYTES.max(produced).min(allowed);
            let room = &mut output.room(filled + produced + chunk)[filled + produced..];
            let status = self.stepwise.decompress(&body[consumed..], room, FlushDecompress::None);
            let given = count(self.stepwise.total_out()) - produced;
            let taken = count(self.stepwise.total_in()) - consumed;
            (consumed, produced) = (consumed + taken, produced + given);
            if produced > *budget {
                *budget = 0;
                return Err(Reason::TooLarge);
            }
            is_end = matches!(status, Ok(Status::StreamEnd));
            if !is_end && (status.is_err() || taken + given == 0) {
                *budget -= produced;
                return Err(Reason::BadGzip);
            }
        }
        *budget -= produced;
        let inflated = &output.filled(filled + produced)[filled..];
        let (checksum, size) = trailer(&body[consumed..]).ok_or(Reason::BadGzip)?;
        if checksum != crc32(inflated) || u64::from(size) != produced as u64 & 0xffff_ffff {
            return Err(Reason::BadGzip);
        }
        Ok(Member { consumed: consumed + TRAILER_BYTES, produced })
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// Bytes of the header of the member that `input` begins with; `None` if it is none.
fn header_bytes(input: &[u8]) -> Option<usize> {
    const FIXED_BYTES: usize = 10;
    const CHECKSUM: u8 = 0x02;
    const EXTRA: u8 = 0x04;
    const NAME: u8 = 0x08;
    const COMMENT: u8 = 0x10;
    const RESERVED: u8 = 0xe0;
    let flags = *input.strip_prefix(&MEMBER_START)?.first()?;
    if flags & RESERVED != 0 {
        return None;
    }
    let mut at = FIXED_BYTES;
    if flags & EXTRA != 0 {
        let [low, high] = *input.get(at..)?.first_chunk()?;
        at += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            at += memchr::memchr(0, input.get(at..)?)? + 1;
        }
    }
    if flags & CHECKSUM != 0 {
        at += 2;
    }
    (at <= input.len()).then_some(at)
}

fn trailer(bytes: &[u8]) -> Option<(u32, u32)> {
    let (checksum, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*checksum), u32::from_le_bytes(*rest.first_chunk()?)))
}

/// Of bytes in memory, which their address space can count.
fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
