//! One face for ours and the peers, and the quality of what they answer.

use std::collections::BTreeMap;

use super::{TOP, TRUTH};

/// Something that takes a weighted stream and answers about its keys.
pub(crate) trait Summary: Sized + 'static {
    const NAME: &'static str;
    const PROMISE: Promise;

    fn new() -> Self;
    fn add_all(&mut self, stream: &[(u64, u64)]);
    fn bytes(&self) -> usize;
    fn answers(&self) -> Answers<'_>;

    fn quality(&self) -> Quality {
        Quality::of(&self.answers())
    }
}

/// What a summary tells.
pub(crate) enum Answers<'s> {
    /// Its heaviest thousand keys and their weights.
    Top(BTreeMap<u64, u64>),
    /// A weight for any key.
    Any(Box<dyn Fn(u64) -> u64 + 's>),
}

/// What its authors say; a benchmark fails when it is not kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    pub(crate) recall_min: f64,
    pub(crate) error_max: f64,
    pub(crate) underestimated_max: f64,
}

/// Nothing that could be asserted: what it does is only shown.
pub(crate) const NOTHING: Promise =
    Promise { recall_min: 0.0, error_max: f64::INFINITY, underestimated_max: 1.0 };
/// An upper bound of each weight.
pub(crate) const UPPER: Promise = Promise { underestimated_max: 0.0, ..NOTHING };

/// How right the answers are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quality {
    /// Share of the heaviest thousand that stand among the thousand named; none are named by some.
    pub(crate) recall: Option<f64>,
    /// Mean relative error of the weights of those of the heaviest thousand that were found.
    pub(crate) error: f64,
    /// Share of the weights told, of a thousand keys or of all, that are below the truth.
    pub(crate) underestimated: f64,
}

impl Quality {
    fn of(answers: &Answers<'_>) -> Self {
        let (recall, told): (_, Vec<(u64, u64)>) = match answers {
            Answers::Top(top) => {
                let found = TRUTH.keys().take(TOP).filter(|key| top.contains_key(*key)).count();
                let told = top.iter().map(|(&key, &weight)| (key, weight));
                (Some(found as f64 / TOP as f64), told.collect())
            }
            Answers::Any(weight) => (None, TRUTH.keys().map(|&key| (key, weight(key))).collect()),
        };
        let (mut heavy, mut error_sum, mut underestimated) = (0.0, 0.0, 0.0);
        for &(key, weight) in &told {
            let (rank, _, &truth) = TRUTH.get_full(&key).unwrap();
            if rank < TOP {
                heavy += 1.0;
                error_sum += weight.abs_diff(truth) as f64 / truth as f64;
            }
            underestimated += f64::from(u8::from(weight < truth));
        }
        let underestimated = underestimated / told.len() as f64;
        Self { recall, error: error_sum / heavy, underestimated }
    }

    /// Asserts what was promised.
    pub(crate) fn check(&self, name: &str, promise: &Promise) {
        let Promise { recall_min, error_max, underestimated_max } = *promise;
        assert!(self.recall.is_none_or(|recall| recall >= recall_min), "{name}: {self:?}");
        assert!(self.error <= error_max, "{name}: {self:?}");
        assert!(self.underestimated <= underestimated_max, "{name}: {self:?}");
    }
}
