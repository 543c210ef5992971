use super::*;
use crate::hash::HashKey;
use proptest::prelude::*;

const RANKS: usize = 16;

fn probabilities(ranks: usize, registers: u32) -> Vec<f64> {
    let exponent = |rank: usize| -(rank.min(ranks - 1) as f64);
    (1..=ranks).map(|rank| exponent(rank).exp2() / f64::from(registers)).collect()
}

/// Bisects the derivative of the log-likelihood, with the library's exponential.
fn oracle(set: &[u32], registers: u32) -> f64 {
    let cells = probabilities(set.len(), registers).into_iter().zip(set.iter().copied());
    let derivative = |n: f64| -> f64 {
        let of_rank = |(q, k): (f64, u32)| {
            let unset = f64::from(registers - k);
            let hits = if k == 0 { 0.0 } else { f64::from(k) * q / (n * q).exp_m1() };
            hits - unset * q
        };
        cells.clone().map(of_rank).sum()
    };
    let (mut low, mut high) = (1e-3_f64, 1e15_f64);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        (low, high) = if derivative(middle) > 0.0 { (middle, high) } else { (low, middle) };
    }
    low
}

/// A bitmap that elements fall into, one bit per step: those that set none are skipped, as many as
/// chance would have it. What it is at any size is distributed as if each had been hashed.
struct Filling {
    set: Vec<u32>,
    registers: u32,
    probabilities: Vec<f64>,
    /// The element that sets the next bit.
    next: f64,
    key: HashKey,
    draws: u64,
}

impl Filling {
    fn new(registers: u32, seed: u64) -> Self {
        let key = HashKey::new(seed, 99);
        let (set, probabilities) = (vec![0; RANKS], probabilities(RANKS, registers));
        let mut filling = Self { set, registers, probabilities, next: 0.0, key, draws: 0 };
        filling.skip();
        filling
    }

    /// The bits after `elements` in all.
    fn at(&mut self, elements: f64) -> &[u32] {
        while self.next <= elements {
            let mut target = self.draw() * self.misses().sum::<f64>();
            let rank = self.misses().position(|miss| {
                target -= miss;
                target < 0.0
            });
            self.set[rank.unwrap_or(0)] += 1;
            self.skip();
        }
        &self.set
    }

    /// Per rank, the probability that the next element sets a bit of it.
    fn misses(&self) -> impl Iterator<Item = f64> + '_ {
        let unset = self.set.iter().map(|&k| f64::from(self.registers - k));
        unset.zip(&self.probabilities).map(|(unset, q)| unset * q)
    }

    fn skip(&mut self) {
        let hit: f64 = self.misses().sum();
        let draw = self.draw();
        self.next += if hit >= 1.0 { 1.0 } else { (draw.ln() / (-hit).ln_1p()).floor() + 1.0 };
    }

    /// Uniform in (0, 1).
    fn draw(&mut self) -> f64 {
        self.draws += 1;
        ((self.key.hash_u64(self.draws) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}

fn assert_equals_oracle(set: &[u32], registers: u32) {
    let (fast, slow) = (estimate(set, registers).distinct, oracle(set, registers));
    assert!((fast / slow - 1.0).abs() < 1e-9, "{fast} is not {slow} of {set:?}");
}

#[test]
fn every_size_gives_the_maximum_of_the_likelihood() {
    for (seed, registers) in [(1, 256), (2, 1_024)] {
        let mut filling = Filling::new(registers, seed);
        let mut size = 1.0_f64;
        while size <= 1e7 {
            assert_equals_oracle(filling.at(size.floor()), registers);
            size *= 1.03;
        }
    }
}

proptest! {
    #[test]
    fn any_bitmap_gives_the_maximum_of_its_likelihood(
        mut set in prop::collection::vec(prop_oneof![0..=64_u32, Just(0), Just(64)], 1..24),
        last in 1..64_u32,
    ) {
        // Neither none nor all.
        set.push(last);
        assert_equals_oracle(&set, 64);
    }
}

#[test]
fn no_bit_is_exactly_zero() {
    for set in [&[][..], &[0], &[0; 16]] {
        let Estimate { distinct, standard_error, .. } = estimate(set, 256);
        assert_eq!((distinct.to_bits(), standard_error.to_bits()), (0, 0));
    }
}

#[test]
fn all_bits_are_the_largest_estimate_and_finite() {
    let full = estimate(&[256; 16], 256);
    let limit = 256.0 * f64::from(1 << 15) * 1_024_f64.ln();
    assert!((full.distinct / limit - 1.0).abs() < 0.01, "{full:?} of {limit}");
    assert!(full.standard_error.is_finite() && full.standard_error > 0.0);
    let mut less = [256; 16];
    less[15] = 255;
    assert!(estimate(&less, 256).distinct < full.distinct);
    assert!(estimate(&[7], 7).distinct.is_finite());
}

#[test]
fn one_element_is_about_one_with_hardly_an_error() {
    for rank in 0..RANKS {
        let mut set = [0; RANKS];
        set[rank] = 1;
        let Estimate { distinct, standard_error, .. } = estimate(&set, 256);
        assert!((distinct - 1.0).abs() < 0.002 && standard_error < 0.05, "{distinct}");
    }
}

/// What was measured at one size over seeds.
struct Errors {
    /// Relative to the size.
    bias: f64,
    /// Relative to the size.
    root_mean_square: f64,
    /// Root mean square of the stated errors, relative to the size.
    stated: f64,
    /// Share of seeds whose size is within two stated errors of the estimate.
    covered: f64,
}

fn errors_over_seeds(registers: u32, seeds: u32, sizes: &[f64]) -> Vec<Errors> {
    let mut sums = vec![[0.0; 4]; sizes.len()];
    for seed in 0..seeds {
        let mut filling = Filling::new(registers, seed.into());
        for (sums, &size) in sums.iter_mut().zip(sizes) {
            let Estimate { distinct, standard_error, .. } = estimate(filling.at(size), registers);
            let (error, stated) = (distinct / size - 1.0, standard_error / size);
            let is_covered = f64::from(u8::from(error.abs() <= 2.0 * stated));
            let terms = [error, error * error, stated * stated, is_covered];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
    }
    let mean = |sum: f64| sum / f64::from(seeds);
    let errors = |[error, square, stated, covered]: [f64; 4]| Errors {
        bias: mean(error),
        root_mean_square: mean(square).sqrt(),
        stated: mean(stated).sqrt(),
        covered: mean(covered),
    };
    sums.into_iter().map(errors).collect()
}

/// Sizes between which the errors hold.
const SIZES: [f64; 7] = [200.0, 500.0, 1_000.0, 5_000.0, 20_000.0, 100_000.0, 1_000_000.0];

#[test]
fn the_error_is_as_small_as_stated_and_covers_the_truth() {
    for (registers, seeds, limit) in [(256, 1_000, 0.045), (1_024, 600, 0.022)] {
        for (errors, size) in errors_over_seeds(registers, seeds, &SIZES).iter().zip(SIZES) {
            let Errors { bias, root_mean_square, stated, covered } = *errors;
            let context = format!(
                "{size} in {registers}: {root_mean_square:.4}, stated {stated:.4}, bias {bias:.4}, covered {covered:.3}"
            );
            assert!(root_mean_square <= limit, "{context}");
            assert!((root_mean_square / stated - 1.0).abs() <= 0.15, "{context}");
            assert!(bias.abs() <= 0.1 * limit, "{context}");
            assert!(covered >= 0.93, "{context}");
        }
    }
}

/// Share of seeds where the difference to each larger set, with so many `more` elements, is within two stated errors,
/// to the nearest element.
fn difference_covered(registers: u32, part: f64, more: &[f64], seeds: u32) -> Vec<f64> {
    let mut covered = vec![0.0; more.len()];
    for seed in 0..seeds {
        let mut filling = Filling::new(registers, seed.into());
        let of_part = estimate(filling.at(part), registers);
        for (covered, more) in covered.iter_mut().zip(more) {
            let all = estimate(filling.at(part + more), registers);
            let Estimate { distinct, standard_error, .. } = all.without(of_part);
            let is_covered = (distinct - more).abs() <= 2.0 * standard_error + 0.5;
            *covered += f64::from(u8::from(is_covered)) / f64::from(seeds);
        }
    }
    covered
}

#[test]
fn the_error_of_a_difference_covers_the_truth_whatever_its_share() {
    let shares = [0.0, 0.0001, 0.0003, 0.001, 0.002, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
    for (registers, seeds) in [(256, 1_500), (1_024, 1_000)] {
        for part in [300.0, 3_000.0, 50_000.0, 400_000.0] {
            let more = shares.map(|share| f64::ceil(part * share));
            for (covered, more) in
                difference_covered(registers, part, &more, seeds).iter().zip(more)
            {
                assert!(*covered >= 0.93, "{more} over {part} in {registers}: {covered}");
            }
        }
    }
}

#[test]
fn few_elements_are_covered_too() {
    let few: Vec<f64> = (1..200).map(f64::from).collect();
    for (covered, elements) in difference_covered(256, 0.0, &few, 1_500).into_iter().zip(few) {
        assert!(covered >= 0.93, "{elements}: {covered}");
    }
}
