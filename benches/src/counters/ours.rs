//! The counters of `sketches`.

#![expect(clippy::expect_used, reason = "a benchmark without its subject has no use")]

use sketches::distinct::{Distinct, EXACT_ELEMENTS_MAX, Precision};
use sketches::hyperloglog::HyperLogLog;

use super::Counter;

/// The longest window, and the pane in which all is seen.
const PANES: u32 = 12;
const PANE: u32 = 1_000;

/// 4 KiB.
pub(super) struct Sliding4Percent(Distinct);

/// 16 KiB.
pub(super) struct Sliding2Percent(Distinct);

/// `2^P` bytes.
pub(super) struct Plain<const P: u8>(HyperLogLog);

macro_rules! sliding {
    ($type:ident, $name:literal, $theory:literal, $precision:expr) => {
        impl Counter for $type {
            type Union = Distinct;
            const NAME: &'static str = $name;
            const THEORY: f64 = $theory;
            const EXACT_MAX: u64 = EXACT_ELEMENTS_MAX as u64;
            const SLIDES: bool = true;

            fn empty() -> Self {
                Self(Distinct::new(PANES, $precision))
            }

            fn insert(&mut self, hash: u64) {
                self.0.update(hash, PANE);
            }

            fn estimate(&mut self) -> f64 {
                self.0.count(PANES).distinct
            }

            fn union(&self) -> Distinct {
                self.0.clone()
            }

            fn merge(union: &mut Distinct, other: &Self) {
                union.merge(&other.0).expect("the precisions are equal");
            }
        }
    };
}

sliding!(Sliding4Percent, "`Distinct`, 4 %", 0.041, Precision::Percent4);
sliding!(Sliding2Percent, "`Distinct`, 2 %", 0.0205, Precision::Percent2);

impl<const P: u8> Counter for Plain<P> {
    type Union = HyperLogLog;
    const NAME: &'static str = match P {
        8 => "`HyperLogLog`, p 8",
        10 => "`HyperLogLog`, p 10",
        _ => "`HyperLogLog`, p 12",
    };
    const THEORY: f64 = match P {
        8 => 1.04 / 16.0,
        10 => 1.04 / 32.0,
        _ => 1.04 / 64.0,
    };

    fn empty() -> Self {
        Self(HyperLogLog::new(P).expect("the precision is valid"))
    }

    fn insert(&mut self, hash: u64) {
        self.0.insert_hash(hash);
    }

    fn estimate(&mut self) -> f64 {
        self.0.estimate()
    }

    fn union(&self) -> HyperLogLog {
        self.0.clone()
    }

    fn merge(union: &mut HyperLogLog, other: &Self) {
        union.merge(&other.0).expect("the precisions are equal");
    }
}
