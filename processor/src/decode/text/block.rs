//! Both passes over a block, and over a single line.

use memchr::memchr;
use pulp::NullaryFnOnce;

use super::instructions::Kernel;
use super::plan::Plan;
use super::record::{Columns, Head};
use super::scan::{Places, STRETCH_BYTES_MAX};
use crate::decode::line::{LINE_BYTES_MAX, parse_line};
use crate::decode::refusal::{Oddities, Refusal};
use crate::decode::split::Splitter;
use crate::flow::{Layout, Line};

/// The second pass need not ask whether a line is too long.
const _: () = assert!(STRETCH_BYTES_MAX <= LINE_BYTES_MAX);

/// Offsets are 32 bits wide: a longer text is read in parts.
const REBASE_BYTES: usize = if cfg!(test) { 40_000 } else { 1 << 30 };

/// A block of lines and who wants them.
pub(super) struct Block<'a, 'p, K, F> {
    pub(super) kernel: K,
    pub(super) text: &'a [u8],
    pub(super) places: &'p mut Places,
    pub(super) careful: Careful<'p>,
    pub(super) each: &'p mut F,
}

/// One line, without its line end.
pub(super) struct Single<'a, 'p, K> {
    pub(super) kernel: K,
    pub(super) line: &'a [u8],
    pub(super) places: &'p mut Places,
    pub(super) careful: Careful<'p>,
}

/// The way for lines that the second pass does not take.
pub(super) struct Careful<'p> {
    pub(super) layout: &'p Layout,
    pub(super) splitter: &'p mut Splitter,
    pub(super) oddities: &'p mut Oddities,
}

impl Careful<'_> {
    #[cold]
    #[inline(never)]
    fn parse<'a>(&mut self, line: &'a [u8]) -> Result<Line<'a>, Refusal> {
        parse_line(line, self.layout, self.splitter, self.oddities)
    }

    /// Gives what the line reads as to `each`: in every case for itself, so that a record is written once, where `each`
    /// wants it.
    #[inline(always)]
    fn read<'a, K: Kernel, R>(
        &mut self,
        kernel: K,
        plan: Plan,
        columns: Option<Columns<'a, '_>>,
        line: &'a [u8],
        each: impl FnOnce(Result<Line<'a>, Refusal>) -> R,
    ) -> R {
        let Some(columns) = columns else { return each(self.parse(line)) };
        if let Some((record, has_milliseconds)) = columns.record(kernel, plan) {
            self.oddities.millisecond_times += u64::from(has_milliseconds);
            return each(Ok(Line::Flow(record)));
        }
        if let Some(times) = columns.silence(plan) {
            self.oddities.millisecond_times += u64::from(times.has_milliseconds);
            return each(Ok(Line::Silence));
        }
        each(self.parse(line))
    }
}

impl<'a, K, F> NullaryFnOnce for Block<'a, '_, K, F>
where
    K: Kernel,
    F: FnMut(u64, &'a [u8], Result<Line<'a>, Refusal>),
{
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let plan = Plan::new(self.careful.layout);
        if plan == Plan::VERSION_2 { self.pass(Plan::VERSION_2) } else { self.pass(plan) }
    }
}

impl<'a, K, F> Block<'a, '_, K, F>
where
    K: Kernel,
    F: FnMut(u64, &'a [u8], Result<Line<'a>, Refusal>),
{
    #[inline(always)]
    fn pass(mut self, plan: Plan) {
        let mut number = 0;
        let mut base = 0;
        while base < self.text.len() {
            if base > REBASE_BYTES {
                self.text = &self.text[base..];
                base = 0;
            }
            (base, number) = self.stretch(plan, base, number);
        }
    }

    /// Reads the lines of a stretch that begins at `base`, the first of which is number `first`; says where the next
    /// stretch begins, and with which number.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "offsets are kept small")]
    fn stretch(&mut self, plan: Plan, base: usize, first: u64) -> (usize, u64) {
        let text = self.text;
        let rest = text.get(base..).unwrap_or_default();
        let scanned = self.places.scan::<K, true>(self.kernel, rest, base as u32);
        if scanned.lines == 0 {
            return (base + self.long_line(rest, first), first + 1);
        }
        let mut slot = 0;
        for number in 0..scanned.lines {
            let last = self.places.line_ends[number] as usize;
            let start = self.places.separators[slot].wrapping_add(1);
            let feed = self.places.separators[last];
            let mut end = feed;
            let mut is_suspect = scanned.has_neighbours;
            if end > start && text.get(end as usize - 1) == Some(&b'\r') {
                // The last column ends before it. For the time of this line, so does the line.
                end -= 1;
                self.places.separators[last] = end;
                is_suspect |= self.places.separators[last - 1].wrapping_add(1) == end;
            }
            let line = text.get(start as usize..end as usize);
            if let Some(line) = line.filter(|line| !line.is_empty()) {
                let columns = self
                    .places
                    .row(slot, last, plan.columns, is_suspect)
                    .map(|row| Columns { text, head: None, row });
                let (number, each) = (first + number as u64, &mut *self.each);
                self.careful
                    .read(self.kernel, plan, columns, line, |read| each(number, line, read));
            }
            self.places.separators[last] = feed;
            slot = last;
        }
        (self.places.separators[slot] as usize + 1, first + scanned.lines as u64)
    }

    /// Reads a line of which no end was found in a stretch, and says how long it is with its end.
    #[cold]
    #[inline(never)]
    fn long_line(&mut self, rest: &'a [u8], number: u64) -> usize {
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            (self.each)(number, line, self.careful.parse(line));
        }
        end + 1
    }
}

impl<'a, K: Kernel> NullaryFnOnce for Single<'a, '_, K> {
    type Output = Result<Line<'a>, Refusal>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { kernel, line, places, mut careful } = self;
        let plan = Plan::new(careful.layout);
        let scanned = places.scan::<K, false>(kernel, line, 0);
        let last = scanned.separators - 1;
        let row = places.row(0, last, plan.columns, scanned.has_neighbours);
        let Some(row) = row.filter(|_| scanned.is_all) else { return careful.parse(line) };
        let columns = Columns { text: line, head: None, row };
        if plan == Plan::VERSION_2 {
            if let Some((record, has_milliseconds)) = columns.record(kernel, Plan::VERSION_2) {
                careful.oddities.millisecond_times += u64::from(has_milliseconds);
                return Ok(Line::Flow(record));
            }
        } else if let Some((record, has_milliseconds)) = columns.record(kernel, plan) {
            careful.oddities.millisecond_times += u64::from(has_milliseconds);
            return Ok(Line::Flow(record));
        }
        // In a block, this way is for the first line only; a line alone is always the first.
        let columns = Columns { head: Some(&Head::new(line)), ..columns };
        careful.read(kernel, plan, Some(columns), line, |read| read)
    }
}
