//! Text to lines: whole blocks at once, or one line after the other.
//!
//! [`TextParser`] looks at a block twice. The first pass compares 64 bytes at a time with the separators and writes down
//! where they stand, without a branch that depends on the text. The second goes from line to line: if a line has as many
//! columns as the layout, the place of each value is known, and the values are loaded with the bytes before them and
//! worked on side by side, numbers and addresses alike, without a loop over their bytes. Whatever is unusual about a line
//! (runs of spaces, a value that cannot be read, `SKIPDATA`) sends it to [`parse_line`](super::parse_line), which reads
//! byte by byte and knows the reasons for refusal; it is also the oracle of the tests.
//!
//! Both passes are compiled once per instruction set and chosen when the parser is made.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod block;
mod instructions;
mod plan;
mod portable;
mod record;
mod scan;
#[cfg(target_arch = "x86_64")]
mod shapes;
#[cfg(test)]
mod tests;

use std::fmt;

use memchr::memchr;
use pulp::NullaryFnOnce;

#[cfg(target_arch = "x86_64")]
use self::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use self::avx512::Avx512;
use self::block::{Block, Careful, Single};
pub use self::instructions::Instructions;
use self::portable::Portable;
use self::scan::Places;
use super::refusal::{Oddities, Refusal};
use super::split::Splitter;
use crate::flow::{Layout, Line};

/// Reads blocks of lines, or single lines; keeps its scratch between them so that nothing is allocated per record. One
/// per worker.
pub struct TextParser {
    kernel: Detected,
    places: Box<Places>,
    splitter: Splitter,
}

#[derive(Clone, Copy)]
enum Detected {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
}

impl fmt::Debug for TextParser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kernel {
            Detected::Portable => "Portable",
            #[cfg(target_arch = "x86_64")]
            Detected::Avx2(_) => "Avx2",
            #[cfg(target_arch = "x86_64")]
            Detected::Avx512(_) => "Avx512",
        };
        formatter.debug_struct("TextParser").field("kernel", &name).finish_non_exhaustive()
    }
}

impl Default for TextParser {
    fn default() -> Self {
        Self::new()
    }
}

impl TextParser {
    /// With the best instruction set of this machine.
    #[must_use]
    pub fn new() -> Self {
        let best = Instructions::ALL.into_iter().rev().find_map(Detected::new);
        Self::with_kernel(best.unwrap_or(Detected::Portable))
    }

    /// With a certain instruction set, for tests and benchmarks; `None` if the machine lacks it.
    #[must_use]
    pub fn with_instructions(instructions: Instructions) -> Option<Self> {
        Detected::new(instructions).map(Self::with_kernel)
    }

    fn with_kernel(kernel: Detected) -> Self {
        Self { kernel, places: Places::new(), splitter: Splitter::default() }
    }

    /// Gives every line of `text` that is not empty to `each`, with its number and what it reads as: line ends (`\n` or
    /// `\r\n`) are cut off, and lines are counted from 0, the empty ones too. The last line may lack its line end.
    pub fn parse<'a>(
        &mut self,
        text: &'a [u8],
        layout: &Layout,
        oddities: &mut Oddities,
        each: &mut impl FnMut(u64, &'a [u8], Result<Line<'a>, Refusal>),
    ) {
        let Self { kernel, places, splitter } = self;
        let careful = Careful { layout, splitter, oddities };
        match *kernel {
            Detected::Portable => Block { kernel: Portable, text, places, careful, each }.call(),
            #[cfg(target_arch = "x86_64")]
            Detected::Avx2(simd) => {
                simd.vectorize(Block { kernel: Avx2(simd), text, places, careful, each });
            }
            #[cfg(target_arch = "x86_64")]
            Detected::Avx512(simd) => {
                simd.vectorize(Block { kernel: Avx512(simd), text, places, careful, each });
            }
        }
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The reason and field for which the line is refused.
    pub fn parse_line<'a>(
        &mut self,
        line: &'a [u8],
        layout: &Layout,
        oddities: &mut Oddities,
    ) -> Result<Line<'a>, Refusal> {
        let Self { kernel, places, splitter } = self;
        let careful = Careful { layout, splitter, oddities };
        match *kernel {
            Detected::Portable => Single { kernel: Portable, line, places, careful }.call(),
            #[cfg(target_arch = "x86_64")]
            Detected::Avx2(simd) => {
                simd.vectorize(Single { kernel: Avx2(simd), line, places, careful })
            }
            #[cfg(target_arch = "x86_64")]
            Detected::Avx512(simd) => {
                simd.vectorize(Single { kernel: Avx512(simd), line, places, careful })
            }
        }
    }
}

impl Detected {
    fn new(instructions: Instructions) -> Option<Self> {
        match instructions {
            Instructions::Portable => Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => pulp::x86::V3::try_new().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => pulp::x86::V4::try_new().map(Self::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Instructions::Avx2 | Instructions::Avx512 => None,
        }
    }
}

/// The lines of `text` that are not empty, without their line ends (`\n` or `\r\n`), each with its number; the first line
/// is number `first_line`.
pub fn lines(text: &[u8], first_line: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = text;
    let mut number = first_line;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
            number += 1;
            if !line.is_empty() {
                return Some((number - 1, line));
            }
        }
        None
    })
}
