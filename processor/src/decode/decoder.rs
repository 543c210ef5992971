//! One batch to whatever reads its lines: chooses the layout of each line, and keeps account of what was refused.
//!
//! The layout of a line is, in this order: what a header line above it said; the first format of its log group, or else of
//! its source, that fits it; what CloudWatch Logs extracted from it by name. A line is refused for what is wrong with it
//! under the format that has as many fields as it has values.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use memchr::{memchr, memchr_iter};

use super::format::{Format, Formats};
use super::health::{SELF_DESCRIBED, Tallies, is_same};
use super::letter::Letters;
use super::limits::Limits;
use super::peel::{Found, Peeler};
use super::place::Place;
use super::refusal::{Oddities, Reason, Refusal, Refusals};
use super::sections::{Section, header, sections};
use super::text::lines;
use crate::batch::{Batch, Content, Lines, RowGroup};
use crate::flow::Layout;

/// Takes lines for what they are worth to it: the pipeline as records, `flowscout decode` as all of their fields.
pub trait Reader {
    /// Takes one line, without its end.
    ///
    /// # Errors
    /// When it is no record in `layout`; it may be one in another.
    fn line(
        &mut self,
        line: &[u8],
        layout: &Layout,
        oddities: &mut Oddities,
    ) -> Result<(), Refusal>;

    /// Takes every line of `text` that is not empty, and gives their number. Those it cannot take it gives to `refused`, in
    /// their order, at once or after the others.
    fn block<'t>(
        &mut self,
        text: &'t [u8],
        layout: &Layout,
        oddities: &mut Oddities,
        refused: &mut impl FnMut(&mut Self, Refused<'t>),
    ) -> u64 {
        let mut seen = 0;
        for (number, line) in lines(text, 0) {
            seen += 1;
            if let Err(refusal) = self.line(line, layout, oddities) {
                refused(self, Refused { number, line, refusal });
            }
        }
        seen
    }

    /// Takes every row of a row group, and gives their number; `refused` hears of those it could not take, by their number
    /// in the row group, from 0.
    ///
    /// # Errors
    /// When the row group cannot be read further; the rows before were taken.
    fn rows(
        &mut self,
        group: &RowGroup,
        oddities: &mut Oddities,
        refused: &mut impl FnMut(u64, Refusal),
    ) -> (u64, Result<(), Refusal>);

    /// The text of some rows, whose numbers rise.
    fn row_texts(&mut self, group: &RowGroup, numbers: &[u64], each: &mut impl FnMut(u64, &[u8]));
}

/// A line that its reader could not take.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'t> {
    /// Its number in the text, from 0.
    pub number: u64,
    /// Itself.
    pub line: &'t [u8],
    /// Why.
    pub refusal: Refusal,
}

/// What remains of a batch beside its lines.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// How much was refused, and examples.
    pub refusals: Refusals,
    /// The same by origin, for [`super::health::Health`].
    pub tallies: Tallies,
    /// What was refused.
    pub letters: Letters,
}

/// Decodes batches. One per worker: it keeps buffers.
#[derive(Debug)]
pub struct Decoder {
    formats: Arc<Formats>,
    peeler: Peeler,
    memory: Memory,
}

/// What was true of the last line and is likely true of the next.
#[derive(Debug, Default)]
struct Memory {
    /// Its log group, and the place of that one's format.
    log_group: (String, usize),
    /// The layout of the format that took it: tried first where the order cannot matter.
    lead: usize,
}

impl Decoder {
    /// Lines without a header are read by `formats`; payloads are peeled within `limits`.
    #[must_use]
    pub fn new(formats: Arc<Formats>, limits: Limits) -> Self {
        Self { formats, peeler: Peeler::new(limits), memory: Memory::default() }
    }

    /// Gives every line of `batch` to `reader`.
    pub fn decode(&mut self, batch: &Batch, reader: &mut impl Reader) -> Decoded {
        let mut decoded = Decoded::default();
        let source = &batch.id.origin();
        // A batch decodes alike whatever its worker decoded before.
        self.memory.lead = 0;
        let (formats, memory) = (&*self.formats, &mut self.memory);
        let mut walk = Walk { formats, memory, source, decoded: &mut decoded };
        match &batch.content {
            Content::Lines(Lines { first_line, bytes, layout }) => {
                let section =
                    Section { layout: layout.clone(), lines_before: *first_line, text: bytes };
                walk.section(reader, &Place::default(), formats.of(""), &section);
            }
            Content::Payloads { first_record, payloads } => {
                let mut peeled = Peeled { walk, reader };
                self.peeler.begin(payloads.iter().map(Bytes::len).sum());
                for (record, payload) in (*first_record..).zip(payloads) {
                    self.peeler.peel(payload, record, &mut peeled);
                }
            }
            Content::Rows(group) => walk.rows(reader, group),
            Content::Unreadable(bytes) => walk.unreadable(bytes),
        }
        decoded
    }
}

/// The way through one batch.
struct Walk<'w> {
    formats: &'w Formats,
    memory: &'w mut Memory,
    source: &'w Arc<str>,
    decoded: &'w mut Decoded,
}

impl<'w> Walk<'w> {
    fn text(
        &mut self,
        reader: &mut impl Reader,
        place: &Place<'_>,
        layout: Option<&Arc<Layout>>,
        text: &[u8],
    ) {
        let format = self.format_of(place.log_group);
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if memchr(b'\n', line).is_none() && header(line).is_none() {
            self.message(reader, place, format, layout, line);
            return;
        }
        // Lines of a message that is one line need no number; these do.
        let first_line = place.position.line.max(1);
        for mut section in sections(text) {
            section.lines_before += first_line;
            section.layout = section.layout.or_else(|| layout.cloned());
            self.section(reader, place, format, &section);
        }
    }

    /// A text that is one line, as the messages of log events are: they come one by one, so this way is short.
    fn message(
        &mut self,
        reader: &mut impl Reader,
        place: &Place<'_>,
        format: &'w Format,
        header: Option<&Arc<Layout>>,
        line: &[u8],
    ) {
        if line.is_empty() {
            return;
        }
        let layout = header.unwrap_or_else(|| self.leading(format));
        let mut oddities = Oddities::default();
        let read = reader.line(line, layout, &mut oddities);
        self.decoded.refusals.oddities.add(oddities);
        let account = Account { format, header, layout, first_line: place.position.line };
        if let Err(refusal) = read {
            let refused = Refused { number: 0, line, refusal };
            self.refused(reader, place, &account, &refused);
        }
        self.decoded.tallies.lines(account.key(), place.log_group, 1);
    }

    fn format_of(&mut self, log_group: &str) -> &'w Format {
        let (known, place) = &mut self.memory.log_group;
        if !is_same(known, log_group) {
            known.clear();
            known.push_str(log_group);
            *place = self.formats.place_of(log_group);
        }
        self.formats.get(*place)
    }

    /// `section.lines_before` is the number of its first line.
    fn section(
        &mut self,
        reader: &mut impl Reader,
        place: &Place<'_>,
        format: &'w Format,
        section: &Section<'_>,
    ) {
        let header = section.layout.as_ref();
        let layout = header.unwrap_or_else(|| self.leading(format));
        let mut account = Account { format, header, layout, first_line: section.lines_before };
        // What was extracted from a message is one record, not one for each of its lines.
        let place = &Place { extracted: None, ..*place };
        // A reader may hold what it could not take to the end of a block.
        for stretch in stretches(section.text) {
            let mut oddities = Oddities::default();
            let lines = reader.block(stretch, layout, &mut oddities, &mut |reader, line| {
                self.refused(reader, place, &account, &line);
            });
            self.decoded.refusals.oddities.add(oddities);
            self.decoded.tallies.lines(account.key(), place.log_group, lines);
            if stretch.len() < section.text.len() {
                account.first_line += memchr_iter(b'\n', stretch).count() as u64;
            }
        }
    }

    /// A line that the layout did not fit: another may, or else it is refused.
    fn refused(
        &mut self,
        reader: &mut impl Reader,
        place: &Place<'_>,
        account: &Account<'_>,
        line: &Refused<'_>,
    ) {
        let Err(refusal) = self.otherwise(reader, place, account.others(), line) else { return };
        let mut place = *place;
        place.position.line = account.first_line + line.number;
        let counts = (account.expected().columns().len(), values(line.line));
        self.decoded.tallies.refused(account.key(), place.log_group, refusal, counts);
        self.refuse(&place, account.header, refusal, line.line);
    }

    /// Rows need no format: their columns have names. A place names their row group as a record.
    fn rows(&mut self, reader: &mut impl Reader, group: &RowGroup) {
        let mut place = Place::default();
        place.position.record = group.index as u64 + 1;
        let layout = group.layout().map(Arc::new);
        let (mut kept, mut oddities) = (Vec::new(), Oddities::default());
        let (rows, end) = reader.rows(group, &mut oddities, &mut |number, refusal| {
            self.decoded.tallies.refused(self_described(), "", refusal, (0, 0));
            if kept.len() < ROWS_KEPT_MAX {
                kept.push((number, refusal));
            } else {
                place.position.line = number + 1;
                self.decoded.refusals.count(refusal, self.source, place.position, b"");
                self.decoded.letters.leave_out();
            }
        });
        self.decoded.refusals.oddities.add(oddities);
        self.decoded.tallies.lines(self_described(), "", rows);
        let numbers: Vec<u64> = kept.iter().map(|(number, _)| *number).collect();
        let mut kept = kept.into_iter().peekable();
        reader.row_texts(group, &numbers, &mut |number, text| {
            while let Some((_, refusal)) = kept.next_if(|(refused, _)| *refused <= number) {
                place.position.line = number + 1;
                self.refuse(&place, layout.as_ref(), refusal, text);
            }
        });
        // What could not be read twice is counted without its text.
        for (number, refusal) in kept {
            place.position.line = number + 1;
            self.refuse(&place, layout.as_ref(), refusal, b"");
        }
        if let Err(refusal) = end {
            place.position.line = rows + 1;
            self.decoded.tallies.lines(self_described(), "", 1);
            self.decoded.tallies.refused(self_described(), "", refusal, (0, 0));
            self.refuse(&place, layout.as_ref(), refusal, b"");
        }
    }

    fn unreadable(&mut self, bytes: &[u8]) {
        let refusal = Refusal { reason: Reason::UnreadableObject, field: None };
        // It is no line, and says nothing of any format.
        self.refuse(&Place::default(), None, refusal, bytes);
    }

    fn leading(&self, format: &'w Format) -> &'w Arc<Layout> {
        let lead = if format.is_unambiguous() { self.memory.lead } else { 0 };
        format.layouts().get(lead).unwrap_or(&format.layouts()[0])
    }

    /// Tries a line that the leading format refused under the others, and by what was extracted from it.
    fn otherwise(
        &mut self,
        reader: &mut impl Reader,
        place: &Place<'_>,
        layouts: &[Arc<Layout>],
        refused: &Refused<'_>,
    ) -> Result<(), Refusal> {
        let mut refusal = refused.refusal;
        if refusal.reason == Reason::LineTooLong {
            return Err(refusal);
        }
        for (number, layout) in layouts.iter().enumerate().filter(|_| layouts.len() > 1) {
            match self.attempt(reader, refused.line, layout) {
                Ok(()) => {
                    self.memory.lead = number;
                    return Ok(());
                }
                // It has as many values as this format has fields: this is what is wrong with it.
                Err(other) if refusal.reason == Reason::FieldCount => refusal = other,
                Err(_) => {}
            }
        }
        if let Some(extracted) = place.extracted
            && let Some(layout) = Layout::from_header(extracted.header)
            && self.attempt(reader, extracted.line, &layout).is_ok()
        {
            return Ok(());
        }
        Err(refusal)
    }

    /// Oddities count only if the line is taken.
    fn attempt(
        &mut self,
        reader: &mut impl Reader,
        line: &[u8],
        layout: &Layout,
    ) -> Result<(), Refusal> {
        let mut oddities = Oddities::default();
        reader.line(line, layout, &mut oddities)?;
        self.decoded.refusals.oddities.add(oddities);
        Ok(())
    }

    fn refuse(
        &mut self,
        place: &Place<'_>,
        layout: Option<&Arc<Layout>>,
        refusal: Refusal,
        bytes: &[u8],
    ) {
        self.decoded.refusals.count(refusal, self.source, place.position, bytes);
        self.decoded.letters.add(refusal, self.source, place, layout, bytes);
    }
}

/// What is found within payloads, on its way to the reader.
struct Peeled<'w, 'r, R> {
    walk: Walk<'w>,
    reader: &'r mut R,
}

impl<R: Reader> Found for Peeled<'_, '_, R> {
    fn text(&mut self, place: &Place<'_>, text: &[u8]) {
        self.walk.text(self.reader, place, None, text);
    }

    fn refuse(&mut self, place: &Place<'_>, refusal: Refusal, bytes: &[u8]) {
        let key = self.walk.format_of(place.log_group).key();
        let tallies = &mut self.walk.decoded.tallies;
        tallies.lines(key, place.log_group, 1);
        tallies.refused(key, place.log_group, refusal, (0, 0));
        self.walk.refuse(place, None, refusal, bytes);
    }

    fn control_message(&mut self) {
        self.walk.decoded.refusals.oddities.control_messages += 1;
    }

    fn dead_letter(&mut self, place: &Place<'_>, format: Option<&str>, data: &[u8]) {
        let layout = format.and_then(|format| Layout::from_format(format).ok()).map(Arc::new);
        self.walk.text(self.reader, place, layout.as_ref(), data);
    }
}

/// What is on record about the lines of a text.
struct Account<'a> {
    format: &'a Format,
    /// What a header line above them said, or a dead letter.
    header: Option<&'a Arc<Layout>>,
    /// The layout that is tried first.
    layout: &'a Arc<Layout>,
    /// The number of the first line; 0 for a message that is one line.
    first_line: u64,
}

impl<'a> Account<'a> {
    fn key(&self) -> &'a Arc<str> {
        if self.header.is_some() { self_described() } else { self.format.key() }
    }

    /// What the lines should be, as messages have it.
    fn expected(&self) -> &'a Arc<Layout> {
        self.header.or(self.format.layouts().first()).unwrap_or(self.layout)
    }

    fn others(&self) -> &'a [Arc<Layout>] {
        if self.header.is_some() { &[] } else { self.format.layouts() }
    }
}

/// Stands for the setting of what names its own fields, below a header line or in Parquet: it is nobody's mistake.
fn self_described() -> &'static Arc<str> {
    static KEY: LazyLock<Arc<str>> = LazyLock::new(|| SELF_DESCRIBED.into());
    &KEY
}

/// Refused rows of a row group that are kept as letters; a batch of text seldom has more lines.
const ROWS_KEPT_MAX: usize = 10_000;
/// As long as a batch of a file.
const STRETCH_BYTES: usize = 512 * 1024;

/// `text` cut at line ends into pieces of about [`STRETCH_BYTES`].
fn stretches(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let behind = rest.get(STRETCH_BYTES..).and_then(|behind| memchr(b'\n', behind));
        let (stretch, behind) =
            rest.split_at(behind.map_or(rest.len(), |feed| STRETCH_BYTES + feed + 1));
        rest = behind;
        Some(stretch)
    })
}

fn values(line: &[u8]) -> usize {
    line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count()
}

#[cfg(test)]
mod tests;
