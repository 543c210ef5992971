//! Ertl's improved raw estimator for `HyperLogLog` registers.
//!
//! O. Ertl 2017, "New cardinality estimation algorithms for HyperLogLog sketches", Algorithm 6. It
//! needs only how many registers hold each value, has no bias table and no switch between ranges,
//! and its error is the usual 1.04 / sqrt(m) from one element up to the limit of the registers.

use std::f64::consts::LN_2;

/// Relative standard error of an estimate over `registers` registers.
pub(crate) fn standard_error(registers: f64) -> f64 {
    1.04 / registers.sqrt()
}

/// Distinct elements, from `histogram[v]` = number of registers that hold `v`.
///
/// The last value means "this rank or more" (`q + 1` in the paper).
pub(crate) fn estimate(histogram: &[u32]) -> f64 {
    let [empty, ranks @ .., saturated] = histogram else { return 0.0 };
    let registers: f64 = histogram.iter().map(|&count| f64::from(count)).sum();
    let mut z = registers * tau(1.0 - f64::from(*saturated) / registers);
    for &count in ranks.iter().rev() {
        z = 0.5 * (z + f64::from(count));
    }
    z += registers * sigma(f64::from(*empty) / registers);
    let raw = registers * registers / (2.0 * LN_2 * z);
    // All registers saturated gives infinity; the last rank says at most about this much.
    let limit = ranks.iter().fold(2.0 * registers, |limit, _| limit * 2.0);
    raw.min(limit)
}

/// Correction for empty registers: x + sum of x^(2^k) 2^(k-1).
fn sigma(fraction_empty: f64) -> f64 {
    if fraction_empty >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (fraction_empty, 1.0, fraction_empty);
    loop {
        x *= x;
        let previous = z;
        z += x * y;
        y += y;
        if z <= previous {
            return z;
        }
    }
}

/// Correction for saturated registers: (1 - x - sum of (1 - x^(2^-k))^2 2^-k) / 3.
fn tau(fraction_below: f64) -> f64 {
    if fraction_below <= 0.0 || fraction_below >= 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (fraction_below, 1.0, 1.0 - fraction_below);
    loop {
        x = x.sqrt();
        let previous = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= previous {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_element_is_exactly_zero() {
        assert!(estimate(&[256, 0, 0, 0]) <= 0.0);
        assert!(estimate(&[]) <= 0.0);
    }

    #[test]
    fn one_element_is_about_one() {
        let mut histogram = [0; 18];
        (histogram[0], histogram[1]) = (255, 1);
        let estimate = estimate(&histogram);
        assert!((0.9..1.1).contains(&estimate), "{estimate}");
    }

    #[test]
    fn saturation_is_finite_and_the_largest_value() {
        let full = estimate(&[0, 0, 0, 256]);
        assert!(full.is_finite());
        assert!(full >= estimate(&[0, 0, 1, 255]));
    }
}
