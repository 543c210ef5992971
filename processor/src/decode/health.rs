//! Notices that a format is wrong: when too many of the last lines of an origin are refused.
//!
//! Whoever configures a format by hand gets it wrong silently: the lines keep coming and nothing is found. So refusals are
//! counted per configured format and log group, and above a ratio they are a [`Problem`] that names the setting, the field, and
//! what was seen instead. Old lines lose half of their weight at a time, so that a format that was mended clears its problem.

use std::fmt;
use std::sync::Arc;

use super::refusal::{Reason, Refusal};

/// When refusals are a problem.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Threshold {
    /// Refused share of the last lines of one origin, from 0 to 1.
    pub refusal_ratio_max: f64,
    /// Lines that must have been seen before a ratio means anything.
    pub lines_min: u64,
}

/// Whose lines are counted together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The setting that says how they are read.
    pub key: Arc<str>,
    /// `logGroup` of their envelopes; empty without one.
    pub log_group: Box<str>,
}

/// What was read and refused in one batch, by origin.
#[derive(Clone, Debug, Default)]
pub struct Tallies {
    rows: Vec<Tally>,
    /// The row that was used last: messages of one log group stand together.
    last: usize,
}

#[derive(Clone, Debug)]
struct Tally {
    origin: Origin,
    lines: u64,
    blames: Vec<Blame>,
}

/// Lines refused for one reason and field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Blame {
    refusal: Refusal,
    lines: u64,
    /// Fields that the format has, and values that one of the lines had.
    fields: usize,
    values: usize,
}

/// An origin of which too many lines are refused.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    /// Whose lines.
    pub origin: Origin,
    /// Lines that were looked at; the older ones with less weight.
    pub lines: u64,
    /// Of these, how many were refused.
    pub refused: u64,
    /// The most frequent reason and field.
    pub refusal: Refusal,
    fields: usize,
    values: usize,
}

/// Refusal ratios of all origins over time.
#[derive(Clone, Debug)]
pub struct Health {
    threshold: Threshold,
    origins: Vec<State>,
}

#[derive(Clone, Debug)]
struct State {
    tally: Tally,
    is_raised: bool,
}

/// What changed by a batch.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// Too many lines are refused.
    Raised(Problem),
    /// No longer.
    Cleared(Origin),
}

/// The key of lines whose fields are named beside them, by a header line or in Parquet.
pub const SELF_DESCRIBED: &str = "header";
/// Origins that are told apart; those that come later are counted with the last.
pub const ORIGINS_MAX: usize = 256;
/// Reasons and fields that are told apart per origin.
const BLAMES_MAX: usize = 16;
/// Lines after which what was counted before weighs half: some minutes of a quiet log group, a second of a busy one.
pub const HALF_LIFE_LINES: u64 = 20_000;

impl Tallies {
    /// Counts lines of an origin, refused ones included.
    pub fn lines(&mut self, key: &Arc<str>, log_group: &str, lines: u64) {
        self.row(key, log_group).lines += lines;
    }

    /// Says why one of them was refused: the format has `fields`, the line `values`.
    pub fn refused(
        &mut self,
        key: &Arc<str>,
        log_group: &str,
        refusal: Refusal,
        (fields, values): (usize, usize),
    ) {
        self.row(key, log_group).blame(Blame { refusal, lines: 1, fields, values });
    }

    fn row(&mut self, key: &Arc<str>, log_group: &str) -> &mut Tally {
        let is = |tally: &Tally| {
            is_same(&tally.origin.log_group, log_group) && is_same(&tally.origin.key, key)
        };
        if !self.rows.get(self.last).is_some_and(is) {
            self.last =
                self.rows.iter().position(is).unwrap_or(self.rows.len()).min(ORIGINS_MAX - 1);
        }
        if self.last == self.rows.len() {
            let origin = Origin { key: Arc::clone(key), log_group: log_group.into() };
            self.rows.push(Tally { origin, lines: 0, blames: Vec::new() });
        }
        &mut self.rows[self.last]
    }
}

/// Whether two names are the same. Empty ones are not compared: comparing no bytes at an address where there are none, as
/// empty strings have it, takes some processors longer than reading a line.
#[must_use]
pub fn is_same(left: &str, right: &str) -> bool {
    left.len() == right.len() && (left.is_empty() || left == right)
}

impl Tally {
    fn blame(&mut self, blame: Blame) {
        let known = self.blames.iter().position(|known| known.refusal == blame.refusal);
        match known {
            Some(place) => self.blames[place].lines += blame.lines,
            None if self.blames.len() < BLAMES_MAX => self.blames.push(blame),
            // More than any one wrong format causes: they still count as refused.
            None => self.blames[BLAMES_MAX - 1].lines += blame.lines,
        }
    }

    fn refused(&self) -> u64 {
        self.blames.iter().map(|blame| blame.lines).sum()
    }

    fn add(&mut self, later: &Self) {
        self.lines += later.lines;
        later.blames.iter().for_each(|blame| self.blame(*blame));
        while self.lines > 2 * HALF_LIFE_LINES {
            self.lines /= 2;
            self.blames.iter_mut().for_each(|blame| blame.lines /= 2);
        }
        self.blames.retain(|blame| blame.lines > 0);
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of some ten thousand lines")]
    fn ratio(&self) -> f64 {
        self.refused() as f64 / self.lines.max(1) as f64
    }
}

impl Health {
    /// Nothing seen yet.
    #[must_use]
    pub const fn new(threshold: Threshold) -> Self {
        Self { threshold, origins: Vec::new() }
    }

    /// Takes what one batch showed; says what is a problem since then, and what no longer.
    pub fn apply(&mut self, tallies: &Tallies) -> Vec<Change> {
        let mut changes = Vec::new();
        for tally in &tallies.rows {
            let state = Self::state(&mut self.origins, &tally.origin);
            state.tally.add(tally);
            let ratio = state.tally.ratio();
            let is_enough = state.tally.lines >= self.threshold.lines_min;
            if !state.is_raised && is_enough && ratio > self.threshold.refusal_ratio_max {
                state.is_raised = true;
                changes.extend(state.problem().map(Change::Raised));
            } else if state.is_raised && ratio <= self.threshold.refusal_ratio_max / 2.0 {
                state.is_raised = false;
                changes.push(Change::Cleared(tally.origin.clone()));
            }
        }
        changes
    }

    /// What is wrong now.
    pub fn problems(&self) -> impl Iterator<Item = Problem> {
        self.origins.iter().filter(|state| state.is_raised).filter_map(State::problem)
    }

    fn state<'s>(origins: &'s mut Vec<State>, origin: &Origin) -> &'s mut State {
        let known = origins.iter().position(|state| state.tally.origin == *origin);
        let place = known.unwrap_or(origins.len()).min(ORIGINS_MAX - 1);
        if place == origins.len() {
            let tally = Tally { origin: origin.clone(), lines: 0, blames: Vec::new() };
            origins.push(State { tally, is_raised: false });
        }
        &mut origins[place]
    }
}

impl State {
    fn problem(&self) -> Option<Problem> {
        let worst = self.tally.blames.iter().max_by_key(|blame| blame.lines)?;
        Some(Problem {
            origin: self.tally.origin.clone(),
            lines: self.tally.lines,
            refused: self.tally.refused(),
            refusal: worst.refusal,
            fields: worst.fields,
            values: worst.values,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, lines, refused, refusal, fields, values } = self;
        write!(
            formatter,
            "{}: {}% of the last {lines} lines",
            origin.key,
            refused * 100 / (*lines).max(1)
        )?;
        if !origin.log_group.is_empty() {
            write!(formatter, " of log group {}", origin.log_group.escape_debug())?;
        }
        write!(formatter, " were refused, most as {refusal}")?;
        if *origin.key == *SELF_DESCRIBED {
            return formatter
                .write_str(": they do not fit the header line above them, or their columns");
        }
        match refusal.reason {
            Reason::FieldCount => {
                write!(formatter, ": the format has {fields} fields and the lines {values}.")?;
            }
            Reason::UnknownJson | Reason::BadJson | Reason::BadGzip | Reason::BadBase64 => {
                return formatter.write_str(": is this a stream of flow logs?");
            }
            _ => formatter.write_str(": do its fields stand in this order?")?,
        }
        formatter.write_str(" It must be the flow log's LogFormat, as DescribeFlowLogs gives it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLD: Threshold = Threshold { refusal_ratio_max: 0.1, lines_min: 100 };
    const WRONG: Refusal = Refusal { reason: Reason::FieldCount, field: None };

    fn batch(log_group: &str, lines: u64, refused: u64) -> Tallies {
        let key: Arc<str> = "decode.format".into();
        let mut tallies = Tallies::default();
        tallies.lines(&key, log_group, lines);
        (0..refused).for_each(|_| tallies.refused(&key, log_group, WRONG, (14, 29)));
        tallies
    }

    #[test]
    fn a_wrong_format_is_a_problem_that_names_setting_group_and_what_was_seen() {
        let mut health = Health::new(THRESHOLD);
        assert_eq!(health.apply(&batch("/vpc", 99, 99)), [], "too few lines to tell");
        let changes = health.apply(&batch("/vpc", 1, 0));
        let [Change::Raised(problem)] = &changes[..] else { panic!("{changes:?}") };
        let text = problem.to_string();
        assert!(
            text.starts_with("decode.format: 99% of the last 100 lines of log group /vpc were")
        );
        assert!(text.contains("field_count: the format has 14 fields and the lines 29"), "{text}");
        assert_eq!(health.apply(&batch("/vpc", 50, 50)), [], "told once");
        assert_eq!(health.problems().count(), 1);
    }

    #[test]
    fn one_bad_line_in_ten_is_no_problem_and_origins_are_told_apart() {
        let mut health = Health::new(THRESHOLD);
        assert_eq!(health.apply(&batch("a", 1000, 100)), []);
        assert_eq!(health.apply(&batch("b", 1000, 101)).len(), 1);
        assert_eq!(health.problems().next().unwrap().origin.log_group.as_ref(), "b");
    }

    #[test]
    fn a_mended_format_clears_its_problem_whatever_was_refused_before() {
        let mut health = Health::new(THRESHOLD);
        for _ in 0..1000 {
            health.apply(&batch("a", 10_000, 10_000));
        }
        let mut batches = 0;
        while health.problems().count() > 0 {
            health.apply(&batch("a", 10_000, 0));
            batches += 1;
        }
        assert!((3..=20).contains(&batches), "cleared after {batches} batches");
    }

    #[test]
    fn many_log_groups_are_bounded_and_their_lines_still_counted() {
        let mut health = Health::new(THRESHOLD);
        for group in 0..10 * ORIGINS_MAX {
            health.apply(&batch(&group.to_string(), 200, 200));
        }
        assert_eq!(health.origins.len(), ORIGINS_MAX);
        assert_eq!(health.problems().count(), ORIGINS_MAX);
    }
}
