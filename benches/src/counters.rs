//! Distinct counters behind one face: ours and those of other crates, each as its own documentation advises.
//!
//! All take the same 64-bit hashes. Where a crate has no way in for a hash, it hashes the hash once more, which is then part of
//! its time.

mod ours;
mod peers;

use std::any::Any;
use std::hint::black_box;

use sketches::hash::HashKey;

use crate::meter::thread_ns;

/// A distinct counter.
trait Counter: Sized + 'static {
    /// What counters are merged into.
    type Union;
    /// As in the tables.
    const NAME: &'static str;
    /// The relative standard error that its documentation or its paper gives.
    const THEORY: f64;
    /// Up to so many elements its theory has no error; few may still share a fingerprint.
    const EXACT_MAX: u64 = 0;
    /// Whether one counter answers for every window up to its longest.
    const SLIDES: bool = false;

    fn empty() -> Self;
    fn insert(&mut self, hash: u64);
    /// Some settle what they have put off.
    fn estimate(&mut self) -> f64;
    fn union(&self) -> Self::Union;
    fn merge(union: &mut Self::Union, other: &Self);

    fn filled(hashes: &[u64]) -> Self {
        let mut counter = Self::empty();
        hashes.iter().for_each(|&hash| counter.insert(hash));
        counter
    }
}

/// One counter, for a table.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Crate, type, size.
    pub name: &'static str,
    /// Whether it is of another crate.
    pub is_peer: bool,
    /// Relative standard error that it claims.
    pub theory: f64,
    /// Up to so many elements it claims to be exact.
    pub exact_max: u64,
    /// Whether one counter answers for every window up to its longest.
    pub slides: bool,
    /// Processor time to fill so many empty counters, in nanoseconds per element.
    pub insert_ns: fn(&[u64], usize) -> f64,
    /// Processor time of one of so many estimates, in nanoseconds.
    pub estimate_ns: fn(&[u64], usize) -> f64,
    /// Processor time of one of so many merges of the second into the first, in nanoseconds.
    pub merge_ns: fn([&[u64]; 2], usize) -> f64,
    /// A filled counter on the heap: what it holds is what an allocator counts.
    pub hold: fn(&[u64]) -> Box<dyn Any>,
    /// Estimates after the first so many hashes, for each of these numbers, which rise.
    pub estimates: fn(&[u64], &[usize]) -> Vec<f64>,
}

impl Subject {
    fn ours<C: Counter>() -> Self {
        Self {
            name: C::NAME,
            is_peer: false,
            theory: C::THEORY,
            exact_max: C::EXACT_MAX,
            slides: C::SLIDES,
            insert_ns: insert_ns::<C>,
            estimate_ns: estimate_ns::<C>,
            merge_ns: merge_ns::<C>,
            hold: |hashes| Box::new(C::filled(hashes)),
            estimates: estimates::<C>,
        }
    }

    fn peer<C: Counter>() -> Self {
        Self { is_peer: true, ..Self::ours::<C>() }
    }

    /// The root mean square error that a correct counter exceeds in less than one of ten thousand measurements.
    ///
    /// Of a root mean square over n seeds, the standard error is 1 / sqrt(2 n): four of these. An exact counter may have
    /// taken two elements for one, once.
    #[must_use]
    pub fn error_max(&self, distinct: usize, seeds: u64) -> f64 {
        let (distinct, seeds) = (distinct as f64, seeds as f64);
        if distinct <= self.exact_max as f64 {
            return 1.5 / (distinct * seeds.sqrt());
        }
        self.theory * (1.0 + 4.0 / (2.0 * seeds).sqrt())
    }
}

/// Ours, then the peers.
#[must_use]
pub fn all() -> Vec<Subject> {
    vec![
        Subject::ours::<ours::Sliding4Percent>(),
        Subject::ours::<ours::Sliding2Percent>(),
        Subject::ours::<ours::Plain<8>>(),
        Subject::ours::<ours::Plain<10>>(),
        Subject::ours::<ours::Plain<12>>(),
        Subject::peer::<peers::HyperLogLogCrate<8>>(),
        Subject::peer::<peers::HyperLogLogCrate<12>>(),
        Subject::peer::<peers::PlusPlus>(),
        Subject::peer::<peers::Estimator<10>>(),
        Subject::peer::<peers::Estimator<12>>(),
        Subject::peer::<peers::ApacheHll>(),
        Subject::peer::<peers::ApacheCpc>(),
    ]
}

/// The keyed hashes of so many different elements.
#[must_use]
pub fn hashes(seed: u64, first: u64, elements: u64) -> Vec<u64> {
    let key = HashKey::new(seed, 0x5eed);
    (first..first + elements).map(|element| key.hash_u64(element)).collect()
}

fn insert_ns<C: Counter>(hashes: &[u64], runs: usize) -> f64 {
    let before = thread_ns();
    for _ in 0..runs {
        black_box(C::filled(black_box(hashes)));
    }
    (thread_ns() - before) / (runs * hashes.len()) as f64
}

fn estimate_ns<C: Counter>(hashes: &[u64], runs: usize) -> f64 {
    let mut counter = C::filled(hashes);
    let before = thread_ns();
    for _ in 0..runs {
        black_box(black_box(&mut counter).estimate());
    }
    (thread_ns() - before) / runs as f64
}

fn merge_ns<C: Counter>(hashes: [&[u64]; 2], runs: usize) -> f64 {
    let [ours, theirs] = hashes.map(C::filled);
    let mut union = ours.union();
    let before = thread_ns();
    for _ in 0..runs {
        C::merge(black_box(&mut union), black_box(&theirs));
    }
    (thread_ns() - before) / runs as f64
}

fn estimates<C: Counter>(hashes: &[u64], sizes: &[usize]) -> Vec<f64> {
    let (mut counter, mut filled) = (C::empty(), 0);
    let estimate = |&size: &usize| {
        hashes[filled..size].iter().for_each(|&hash| counter.insert(hash));
        filled = size;
        counter.estimate()
    };
    sizes.iter().map(estimate).collect()
}
