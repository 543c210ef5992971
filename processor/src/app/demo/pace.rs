//! Event time tied to the clock on the wall, so that a generated run can be watched: an iterator between the generator and
//! the pipeline that cuts batches at each second of event time and holds each back until it is due.
//!
//! The lines, their order and their positions stay as they are; only batch boundaries move. The core sees no clock.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::batch::{Batch, BatchId, Content, Extent, Lines};
use crate::decode::sections::line_length;
use crate::decode::{Oddities, Splitter, parse_line};
use crate::flow::{Layout, Line};

/// Batches of `inner`, in their time.
pub(super) struct Paced<I> {
    inner: I,
    /// Event seconds per second on the wall; 0 lets everything through as it comes.
    pace: u32,
    started: Instant,
    /// What is left of the batch that is being cut.
    rest: Option<Batch>,
    splitter: Splitter,
    /// Event time of the first line and of the latest.
    span: Option<(u64, u64)>,
}

impl<I> Paced<I> {
    pub(super) fn new(inner: I, pace: u32, started: Instant) -> Self {
        Self { inner, pace, started, rest: None, splitter: Splitter::default(), span: None }
    }

    /// Takes the lines up to the end of the present second off `batch`; what is left waits in `rest`.
    fn cut(&mut self, batch: Batch) -> Batch {
        // The generator writes lines under a layout of its own; anything else passes whole.
        let Extent::Offset(offset_bytes) = batch.id.extent else { return batch };
        let Content::Lines(Lines { first_line, mut bytes, layout: Some(layout) }) = batch.content
        else {
            return batch;
        };
        let (at, lines) = self.present_second(&bytes, &layout);
        let rest = bytes.split_off(at);
        if !rest.is_empty() {
            let id = BatchId::at(Arc::clone(&batch.id.source), offset_bytes + at as u64);
            let layout = Some(Arc::clone(&layout));
            let rest = Lines { first_line: first_line + lines, bytes: rest, layout };
            self.rest = Some(Batch { id, content: Content::Lines(rest) });
        }
        let lines = Lines { first_line, bytes, layout: Some(layout) };
        Batch { id: batch.id, content: Content::Lines(lines) }
    }

    /// Bytes and lines at the beginning of `text` that end in one second of event time.
    fn present_second(&mut self, text: &[u8], layout: &Layout) -> (usize, u64) {
        let mut at = 0;
        let mut lines = 0;
        let mut reached_s = None;
        while at < text.len() {
            let tail = &text[at..];
            let length = line_length(tail);
            if let Some(end_s) = end_s(tail[..length].trim_ascii_end(), layout, &mut self.splitter)
            {
                if reached_s.is_some_and(|reached_s| end_s > reached_s) {
                    break;
                }
                reached_s = reached_s.or(Some(end_s));
            }
            at += length;
            lines += 1;
        }
        if let Some(reached_s) = reached_s {
            let (first_s, latest_s) = self.span.unwrap_or((reached_s, reached_s));
            self.span = Some((first_s, latest_s.max(reached_s)));
        }
        (at, lines)
    }
}

impl<E, I: Iterator<Item = Result<Batch, E>>> Iterator for Paced<I> {
    type Item = Result<Batch, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.inner.next()? {
                Ok(batch) if self.pace > 0 => batch,
                other => return Some(other),
            },
        };
        let batch = self.cut(batch);
        if let Some(span) = self.span {
            thread::sleep(due(span, self.pace).saturating_sub(self.started.elapsed()));
        }
        Some(Ok(batch))
    }
}

/// When the latest event is due, counted from the start.
fn due((first_s, latest_s): (u64, u64), pace: u32) -> Duration {
    let passed_ms = latest_s.saturating_sub(first_s).saturating_mul(1000);
    Duration::from_millis(passed_ms / u64::from(pace.max(1)))
}

/// Event time of a line, if it is a record.
fn end_s(line: &[u8], layout: &Layout, splitter: &mut Splitter) -> Option<u64> {
    match parse_line(line, layout, splitter, &mut Oddities::default()).ok()? {
        Line::Flow(record) => Some(record.end_s),
        Line::Blind { end_s, .. } => Some(end_s),
        Line::Silence => None,
    }
}

#[cfg(test)]
mod tests {
    use loadgen::{LineFormat, Plan, Profile};

    use super::*;
    use crate::app::replay::now;
    use crate::source::{SourceError, generator::Generated};

    fn generated() -> Generated {
        let plan = Plan {
            profile: Profile::ordinary(),
            scenarios: Vec::new(),
            rate_per_s: 50,
            duration_s: 120,
            seed: 3,
            start_s: 1_767_225_600,
            format: LineFormat::recommended(),
        };
        Generated::new(&plan).unwrap()
    }

    fn all(source: impl Iterator<Item = Result<Batch, SourceError>>) -> Vec<Batch> {
        source.map(Result::unwrap).collect()
    }

    fn lines(batch: &Batch) -> &Lines {
        let Content::Lines(lines) = &batch.content else { panic!("{batch:?}") };
        lines
    }

    #[test]
    fn pieces_are_the_same_lines_at_the_same_positions() {
        let whole = all(generated());
        let pieces = all(Paced::new(generated(), u32::MAX, now()));
        assert!(pieces.len() >= 60, "{} pieces", pieces.len());
        let text =
            |batches: &[Batch]| batches.iter().flat_map(|b| lines(b).bytes.clone()).collect();
        let (whole, joined): (Vec<u8>, Vec<u8>) = (text(&whole), text(&pieces));
        assert_eq!(whole, joined);
        let mut position = (0, 1);
        for piece in &pieces {
            let Lines { first_line, bytes, .. } = lines(piece);
            assert_eq!(
                (piece.id.extent.clone(), *first_line),
                (Extent::Offset(position.0), position.1)
            );
            let line_count = memchr::memchr_iter(b'\n', bytes).count() as u64;
            position = (position.0 + bytes.len() as u64, position.1 + line_count);
        }
    }

    #[test]
    fn without_a_pace_batches_pass_as_they_are() {
        let (whole, passed) = (all(generated()), all(Paced::new(generated(), 0, now())));
        let ids = |batches: &[Batch]| batches.iter().map(|b| b.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&whole), ids(&passed));
    }

    #[test]
    fn an_event_is_due_when_its_share_of_time_has_passed() {
        assert_eq!(due((100, 100), 240), Duration::ZERO);
        assert_eq!(due((100, 7300), 240), Duration::from_secs(30));
        assert_eq!(due((100, 0), 240), Duration::ZERO);
    }
}
