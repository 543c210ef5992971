//! The counters of other crates.

#![expect(clippy::expect_used, reason = "a benchmark without its peers has no use")]

use sketches::hash::AsIs;
use std::hash::DefaultHasher;

use cardinality_estimator::CardinalityEstimator;
use datasketches::cpc::{CpcSketch, CpcUnion};
use datasketches::hll::{HllSketch, HllType, HllUnion};
use hyperloglogplus::{HyperLogLog as _, HyperLogLogPlus};

use super::Counter;

/// `hyperloglog`. It takes ln where log2 is meant: 0.02 asked gives p = 8, 0.003 gives p = 12.
pub(super) struct HyperLogLogCrate<const P: u8>(hyperloglog::HyperLogLog);

impl<const P: u8> Counter for HyperLogLogCrate<P> {
    type Union = hyperloglog::HyperLogLog;
    const NAME: &'static str =
        if P == 8 { "`hyperloglog` 1.0, p 8" } else { "`hyperloglog` 1.0, p 12" };
    const THEORY: f64 = if P == 8 { 1.04 / 16.0 } else { 1.04 / 64.0 };

    fn empty() -> Self {
        let asked = if P == 8 { 0.02 } else { 0.003 };
        Self(hyperloglog::HyperLogLog::new_deterministic(asked, 1))
    }

    fn insert(&mut self, hash: u64) {
        self.0.insert_by_hash_value(hash);
    }

    fn estimate(&mut self) -> f64 {
        self.0.len()
    }

    fn union(&self) -> Self::Union {
        self.0.clone()
    }

    fn merge(union: &mut Self::Union, other: &Self) {
        union.merge(&other.0);
    }
}

/// `hyperloglogplus`: sparse, then 2^12 registers of 6 bits.
pub(super) struct PlusPlus(HyperLogLogPlus<u64, AsIs>);

impl Counter for PlusPlus {
    type Union = HyperLogLogPlus<u64, AsIs>;
    const NAME: &'static str = "`hyperloglogplus` 0.4, p 12";
    const THEORY: f64 = 1.04 / 64.0;

    fn empty() -> Self {
        Self(HyperLogLogPlus::new(12, AsIs::default()).expect("the precision is valid"))
    }

    fn insert(&mut self, hash: u64) {
        self.0.insert(&hash);
    }

    fn estimate(&mut self) -> f64 {
        self.0.count()
    }

    fn union(&self) -> Self::Union {
        self.0.clone()
    }

    fn merge(union: &mut Self::Union, other: &Self) {
        union.merge(&other.0).expect("the precisions are equal");
    }
}

/// `cardinality-estimator`: up to 128 elements as they are, then 2^P registers of 6 bits.
pub(super) struct Estimator<const P: usize>(CardinalityEstimator<u64, DefaultHasher, P, 6>);

impl<const P: usize> Counter for Estimator<P> {
    type Union = CardinalityEstimator<u64, DefaultHasher, P, 6>;
    const NAME: &'static str = if P == 10 {
        "`cardinality-estimator` 1.0, p 10"
    } else {
        "`cardinality-estimator` 1.0, p 12"
    };
    const THEORY: f64 = if P == 10 { 1.04 / 32.0 } else { 1.04 / 64.0 };
    const EXACT_MAX: u64 = 128;

    fn empty() -> Self {
        Self(CardinalityEstimator::new())
    }

    fn insert(&mut self, hash: u64) {
        self.0.insert_hash(hash);
    }

    fn estimate(&mut self) -> f64 {
        self.0.estimate() as f64
    }

    fn union(&self) -> Self::Union {
        self.0.clone()
    }

    fn merge(union: &mut Self::Union, other: &Self) {
        union.merge(&other.0);
    }
}

/// `datasketches`: 2^12 registers of 8 bits, with the estimate from the order of arrival, which has less error until the first
/// merge. Hashes by itself.
pub(super) struct ApacheHll(HllSketch);

impl Counter for ApacheHll {
    type Union = HllUnion;
    const NAME: &'static str = "`datasketches` 0.6, HLL8 lgk 12";
    /// sqrt(ln 2 / m).
    const THEORY: f64 = 0.8326 / 64.0;

    fn empty() -> Self {
        Self(HllSketch::new(12, HllType::Hll8).expect("the size is valid"))
    }

    fn insert(&mut self, hash: u64) {
        self.0.update(hash);
    }

    fn estimate(&mut self) -> f64 {
        self.0.estimate()
    }

    fn union(&self) -> HllUnion {
        let mut union = HllUnion::new(12).expect("the size is valid");
        union.update(&self.0);
        union
    }

    fn merge(union: &mut HllUnion, other: &Self) {
        union.update(&other.0);
    }
}

/// `datasketches`: compressed probabilistic counting over 2^10 rows, with the estimate from the order of arrival. Hashes by
/// itself.
pub(super) struct ApacheCpc(CpcSketch);

impl Counter for ApacheCpc {
    type Union = CpcUnion;
    const NAME: &'static str = "`datasketches` 0.6, CPC lgk 10";
    /// sqrt(ln 2 / 2 m).
    const THEORY: f64 = 0.5887 / 32.0;

    fn empty() -> Self {
        Self(CpcSketch::new(10).expect("the size is valid"))
    }

    fn insert(&mut self, hash: u64) {
        self.0.update(hash);
    }

    fn estimate(&mut self) -> f64 {
        self.0.estimate()
    }

    fn union(&self) -> CpcUnion {
        let mut union = CpcUnion::new(10).expect("the size is valid");
        union.update(&self.0).expect("the seeds are equal");
        union
    }

    fn merge(union: &mut CpcUnion, other: &Self) {
        union.update(&other.0).expect("the seeds are equal");
    }
}
