//! Sketches as bytes, for snapshots, journals and streams that several tasks share while they are upgraded.
//!
//! A frame is self-contained, and frames can stand one after another. All integers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 3 | `FSK` |
//! | 3 | 1 | version of the frame: 1 |
//! | 4 | 1 | [`Kind`] |
//! | 5 | 1 | version of the body, counted for each kind from 1 |
//! | 6 | 4 | [`HashKey::check`] of the secret under which the elements were hashed |
//! | 10 | 4 | length n of the body |
//! | 14 | n | body, see below |
//! | 14 + n | 4 | CRC-32 (IEEE) of all before it |
//!
//! In bodies, *varint* is unsigned LEB128 of at most 64 bits in its shortest form. What the body leaves out at its end is
//! empty: bodies are delimited by their length.
//!
//! | kind | body |
//! |---|---|
//! | [`HyperLogLog`] | `u8` precision p; `u8` form. Form 0, sparse: for each register that is not 0, in order, varint `gap * 64 + value`, where gap counts the zeros since the last one. Form 1, dense: 2^p registers of one byte. The sparse form is taken when it is shorter |
//! | [`CountMin`] | `u8` binary logarithm of the width; varint total; the counters row by row: a varint for each that is not 0; for a run of zeros the byte 0 and varint `length - 1` |
//! | [`Talkers`] | [`EncodeKey::TAG`]; varint number of buckets; varint total; for each bucket that is not empty, in order: varint of the empty ones since the last, `u8` number of keys, varint floor, then each key as its [`EncodeKey`] says with varint `weight - error` and varint error, in the order in which the bucket holds them |
//! | [`Distinct`] | *clock*: varint newest pane, `u8` longest window in panes; `u8` standard error in percent, 4 or 2; `u8` tier and *contents*: 0 and *elements*, or 1 and *bits* |
//! | [`DistinctTable`] | varint number of pages of cells, and of blocks; *clock*; `u64` state of the draws; varints: next page of the hand, failed moves, evicted, most elements evicted, refused, late; for each cell that is held, in order: varint of the others since the last, `u32` tag and kind, *contents* |
//! | [`OpenedAnswered`] | varint newest pane; `u8` tier; tier 0, exact: `u8` number of elements and, for each, in the order of its fingerprint, `u32` fingerprint, `u8` mask, *events*; tier 1, sketch: for each cell that is not empty, in the order of their places, varint `gap * 16 + mask`, where gap counts the places since the last one, and *events* |
//! | [`ConservativeCountMin`] | as [`CountMin`] |
//! | [`Quantiles`] | relative error as the `u64` of a double; unless nothing was counted: varint least value; varint `largest - least`; `u128` sum; varint zeros; for each bin that is not empty, in order: varint of the empty ones since the last, varint count. Bin i starts at `((1 + a) / (1 - a))^i`, where a is the relative error |
//!
//! *Elements* are a `u8` number of them and, for each, in the order of its 24-bit fingerprint, `u32` `fingerprint * 256 + age`.
//!
//! *Bits* are a varint number of them and, for each, in the order of their places, varint `gap * 128 + age`, where gap counts
//! the places since the last one. With r registers in `l = r / 4` lines, 256 at 4 % and 1,024 at 2 %, the bit of register i and
//! z leading zeros has place `i % l * 64 + i / l * 16 + z`.
//!
//! An age is in panes back from the newest one; what is out of the window is left out. The kind of a cell, in the low three
//! bits, is 1 for elements in the cell itself, 2 to 5 for elements in a block of 1, 2, 4 or 8 lines, and 6 for bits.
//!
//! *Events* are what the mask says, in this order: 1, varint age of the last opening; 2, `u16` in which bit i is an opening
//! in the pane `i + 1` before the last; 4 and 8, varint age of the last refusal and answer. Those ages reach beyond the
//! horizon of 2^15 panes, to the last multiple of 2^14 that the newest pane has passed: what is not swept yet is written
//! too. The cell of register i and z leading zeros has place `z * 256 + i`.
//!
//! **Canonical.** Equal sketches give equal bytes; talkers are equal when their buckets also hold the keys in the same order,
//! on which ties depend later, and tables when their keys also stand in the same cells. Decoding gives a sketch equal to the
//! one encoded, which goes on exactly as that one would have; only a table that is full may then evict other keys. Bytes of
//! the newest version that are accepted are the very bytes that encoding the result gives.
//!
//! **Hostile bytes** never panic. They are refused unless they are what some stream could have left, as far as the sketch
//! itself can tell. A checksum and a key check are no signature: whoever can write where frames are kept can lie about
//! counts. The body's length is held against [`Limits`] and the kind's own maximum before it is read, and the sketch's
//! memory before it is allocated, so that decoding a frame allocates [`Limits::memory_bytes_max`] at most.
//!
//! **Upgrades.** A task writes one version of each kind, [`Encode::VERSION`], and reads all from [`Encode::VERSION_OLDEST`] to it.
//! Newer ones are refused with [`DecodeError::UnsupportedVersion`], and nothing is guessed. So a release that reads a version has
//! to run everywhere before one that writes it.
//!
//! [`HyperLogLog`]: crate::hyperloglog::HyperLogLog
//! [`CountMin`]: crate::count_min::CountMin
//! [`Talkers`]: crate::talkers::Talkers
//! [`Distinct`]: crate::distinct::Distinct
//! [`DistinctTable`]: crate::table::DistinctTable
//! [`OpenedAnswered`]: crate::answered::OpenedAnswered
//! [`Quantiles`]: crate::quantiles::Quantiles
//! [`ConservativeCountMin`]: crate::count_min::ConservativeCountMin

mod error;
mod frame;
mod key;
mod reader;

use thiserror::Error;

use crate::hash::HashKey;
pub use error::{Corruption, DecodeError};
pub use key::EncodeKey;
pub(crate) use reader::varint_bytes;
pub use reader::{Reader, put_varint};

/// What a frame holds. Numbers are never given to another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// [`crate::hyperloglog::HyperLogLog`].
    HyperLogLog = 1,
    /// [`crate::count_min::CountMin`].
    CountMin = 2,
    /// [`crate::talkers::Talkers`].
    Talkers = 3,
    /// [`crate::distinct::Distinct`].
    Distinct = 4,
    /// [`crate::table::DistinctTable`].
    DistinctTable = 5,
    /// [`crate::answered::OpenedAnswered`].
    OpenedAnswered = 6,
    /// [`crate::count_min::ConservativeCountMin`].
    ConservativeCountMin = 7,
    /// [`crate::quantiles::Quantiles`].
    Quantiles = 8,
}

/// What a reader is willing to spend on one frame, whatever the frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest body in bytes; [`Kind::body_bytes_max`] holds as well.
    pub body_bytes_max: usize,
    /// The most memory in bytes that a decoded sketch may take; a GiB however high this is.
    pub memory_bytes_max: usize,
}

/// A sketch that can be written and read.
///
/// To add one: a [`Kind`], an `encode.rs` below the sketch's module with this trait, a row in the table of [`crate::encoding`],
/// and, below `tests/encoding`, samples, golden frames, forged bodies, and a line in the checks shared with the fuzzer.
pub trait Encode: Sized {
    /// Its number in the frame.
    const KIND: Kind;

    /// The version of the body that is written.
    const VERSION: u8;

    /// The oldest version of the body that is still read.
    const VERSION_OLDEST: u8 = Self::VERSION;

    /// Whether the sketch can tell that its elements were hashed under another key than `key`.
    fn contradicts(&self, _key: HashKey) -> bool {
        false
    }

    /// Appends the body to `out`.
    fn encode_body(&self, out: &mut Vec<u8>);

    /// Reads the whole body, as version `context.version`, and checks all that the sketch relies on.
    ///
    /// # Errors
    /// The body is not one that [`Self::encode_body`] gives, or the sketch is larger than the context allows.
    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError>;
}

/// What a body is read under.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The version of the body, within what the sketch reads.
    pub version: u8,
    /// The secret; the frame was written under the same one.
    pub key: HashKey,
    memory_bytes_max: usize,
}

/// What cannot be written. Nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// No reader would take it.
    #[error("body of {body_bytes} bytes where {allowed} are allowed")]
    TooLarge {
        /// The length of the body.
        body_bytes: usize,
        /// [`Kind::body_bytes_max`].
        allowed: usize,
    },
    /// The elements were hashed under another secret than the one given.
    #[error("sketch hashed under another secret")]
    WrongKey,
}

/// The frame of `sketch`, whose elements were hashed under `key`.
///
/// # Errors
/// The body exceeds the kind's maximum, or the sketch contradicts the key.
///
/// ```
/// use sketches::encoding::{Limits, decode, encode};
/// use sketches::hash::HashKey;
/// use sketches::hyperloglog::HyperLogLog;
///
/// let key = HashKey::new(1, 2);
/// let mut hosts = HyperLogLog::new(12)?;
/// hosts.insert_hash(key.hash_u64(7));
///
/// let frame = encode(&hosts, key)?;
/// assert_eq!(frame.len(), 23);
/// assert_eq!(decode::<HyperLogLog>(&frame, key, Limits::default())?, hosts);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode<S: Encode>(sketch: &S, key: HashKey) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    encode_into(sketch, key, &mut out)?;
    Ok(out)
}

/// Appends the frame of `sketch` to `out`, as [`encode`] does.
///
/// # Errors
/// The body exceeds the kind's maximum, or the sketch contradicts the key.
pub fn encode_into<S: Encode>(
    sketch: &S,
    key: HashKey,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if sketch.contradicts(key) {
        return Err(EncodeError::WrongKey);
    }
    frame::write(sketch, key, out)
}

/// The sketch of a frame that fills `bytes`.
///
/// # Errors
/// See [`DecodeError`]; nothing may follow the frame.
pub fn decode<S: Encode>(bytes: &[u8], key: HashKey, limits: Limits) -> Result<S, DecodeError> {
    match decode_prefix(bytes, key, limits)? {
        (sketch, []) => Ok(sketch),
        (_, [..]) => Err(DecodeError::Corrupt(Corruption::TrailingBytes)),
    }
}

/// The sketch of the frame at the start of `bytes`, and what follows the frame.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_prefix<S: Encode>(
    bytes: &[u8],
    key: HashKey,
    limits: Limits,
) -> Result<(S, &[u8]), DecodeError> {
    frame::read(bytes, key, limits)
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::HyperLogLog,
        Self::CountMin,
        Self::Talkers,
        Self::Distinct,
        Self::DistinctTable,
        Self::OpenedAnswered,
        Self::ConservativeCountMin,
        Self::Quantiles,
    ];

    /// The number in the frame.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The longest body that is written or read, in bytes.
    #[must_use]
    pub const fn body_bytes_max(self) -> usize {
        match self {
            // Dense, of precision 16.
            Self::HyperLogLog => 2 + (1 << 16),
            // 4 rows of 2^16 counters, none of them 0, of ten bytes each.
            Self::CountMin | Self::ConservativeCountMin => 11 + 10 * (4 << 16),
            // Nothing in the sketch sets this. It is enough for 400,000 keys of 16 bytes, whatever their weights.
            Self::Talkers => 16 << 20,
            // Clock, precision, tier, number of bits, and a byte for each place of the larger sketch.
            Self::Distinct => 6 + 2 + 3 + (16 << 10),
            // A table of a GiB: an inline cell of 32 bytes takes 34 at most, and nothing else takes more than in memory.
            Self::DistinctTable => 17 << 26,
            // Newest pane, tier, and 2^12 cells, each with a mask and three ages; openings before the last make that one short.
            Self::OpenedAnswered => 5 + 1 + (1 + 3 * 3) * (16 << 8),
            // All before the bins, and the 22,182 bins of an error of 0.1 %, with counts below 2^53.
            Self::Quantiles => 8 + 10 + 10 + 16 + 8 + (1 + 8) * 22_182,
        }
    }
}

/// 16 MiB each: above any sketch that one task holds many of.
impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes_max: 16 << 20, memory_bytes_max: 16 << 20 }
    }
}

impl Context {
    /// Refuses a sketch of `bytes`, to be asked before it is allocated.
    ///
    /// # Errors
    /// The limit is lower.
    pub const fn allow_memory(&self, bytes: usize) -> Result<(), DecodeError> {
        // A careless limit must not let a few bytes end the process.
        const MEMORY_BYTES_MAX: usize = 1 << 30;
        let allowed = if self.memory_bytes_max < MEMORY_BYTES_MAX {
            self.memory_bytes_max
        } else {
            MEMORY_BYTES_MAX
        };
        if bytes <= allowed {
            Ok(())
        } else {
            Err(DecodeError::TooLarge { what: "sketch", bytes, allowed })
        }
    }
}
