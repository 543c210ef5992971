//! The maximum-likelihood estimate over all bits of a rank-by-register bitmap.
//!
//! The bitmap is that of Flajolet & Martin 1985, "Probabilistic counting algorithms for data base
//! applications" (PCSA). An estimate from the highest rank of each register (`HyperLogLog`) has an
//! error of 1.04 / sqrt(m); all bits know more: 0.65 / sqrt(m), from the information below with ever
//! more ranks. The likelihood is that of Poissonised bits, as in O. Ertl 2017, "New cardinality
//! estimation algorithms for HyperLogLog sketches", section 4: a cell that each element hits with
//! probability q is still unset after n elements with probability exp(-n q).

/// An estimated number of distinct elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Distinct elements; exactly 0 if no bit is set.
    pub(crate) distinct: f64,
    /// One sigma of `distinct`, in elements.
    pub(crate) standard_error: f64,
    /// Probability that one more element sets another bit.
    pub(crate) fresh: f64,
}

impl Estimate {
    /// The elements of this set that are not in `part`, whose bits are all among this set's.
    ///
    /// To the first order, an estimate is off by its score over its information. Given the larger
    /// set's bits, those of the smaller one say nothing more about the larger: the covariance of the
    /// scores is the information of the larger set, that of the estimates is the variance of the smaller
    /// one's, and the variance of the difference is the difference of the variances.
    ///
    /// That holds for many bits. Few that differ are as good as Poisson, and where none does, elements
    /// may still hide behind the bits of `part`: two bits more give an interval of two sigma that holds
    /// there too, to the nearest element.
    pub(crate) fn without(self, part: Self) -> Self {
        let variance = self.standard_error.powi(2) - part.standard_error.powi(2);
        let hidden = 2.0 * (1.0 - self.fresh) / self.fresh.powi(2);
        Self {
            distinct: (self.distinct - part.distinct).max(0.0),
            standard_error: (variance.max(0.0) + hidden).sqrt(),
            fresh: self.fresh,
        }
    }
}

/// Distinct elements, from how many cells of each rank have their bit set.
///
/// `set[i]` = how many of the `registers` cells of rank i + 1 are set. An element falls in rank r < R
/// with probability 2^-r, in the last rank R with 2^-(R-1), and in each register with the same
/// probability.
///
/// If all bits are set, half a cell of the last rank is taken to be unset: the result is then about
/// `registers * 2^(R-1) * ln(4 * registers)`, the largest there is.
///
/// The error is that of a fixed number of elements: the inverse of the Fisher information, which
/// holds for a random number with a Poisson distribution, less the variance of that number.
pub(crate) fn estimate(set: &[u32], registers: u32) -> Estimate {
    let bitmap = Bitmap::new(set, registers);
    if bitmap.cells_set <= 0.0 {
        return Estimate { distinct: 0.0, standard_error: 0.0, fresh: 1.0 };
    }
    let (mut low, mut high) = bitmap.bounds();
    let mut distinct = bitmap.guess().clamp(low, high);
    let mut information = 0.0;
    for _ in 0..ITERATIONS_MAX {
        let sums = bitmap.sums(distinct);
        information = sums.information;
        // Newton's step for 1 / hits = 1 / misses: without rank limits 1 / hits is linear in n.
        let step = (sums.hits - bitmap.misses) * sums.hits / (sums.slope * bitmap.misses);
        if step.abs() <= PRECISION * distinct {
            distinct += step;
            break;
        }
        (low, high) = if step > 0.0 { (distinct, high) } else { (low, distinct) };
        // Where the last rank fills up, 1 / hits is exponential: a step from the left can go far astray.
        let next = distinct + step.min(distinct);
        let is_within = low < next && next < high;
        distinct = if is_within { next } else { (low * high).sqrt() };
    }
    let variance = information.recip() - distinct;
    Estimate { distinct, standard_error: variance.max(0.0).sqrt(), fresh: bitmap.misses }
}

/// Where the last step is this small, what it leaves is its square.
const PRECISION: f64 = 1e-5;

/// Never reached: at most one doubling per rank, and then a few steps back.
const ITERATIONS_MAX: u32 = 60;

/// The counts, and what of the likelihood does not depend on the estimate.
struct Bitmap<'s> {
    set: &'s [u32],
    registers: f64,
    /// Probability that an element hits one given cell of the last rank.
    hit_last: f64,
    cells_set: f64,
    /// Probability that an element hits any of the cells that are not set.
    misses: f64,
}

/// Sums over ranks at an estimate n, with q the probability of a cell and k the cells set.
struct Sums {
    /// Sum of k q / (exp(n q) - 1): equals `Bitmap::misses` where the likelihood is largest.
    hits: f64,
    /// By how much `hits` falls per element.
    slope: f64,
    /// Expected Fisher information: sum of m q^2 / (exp(n q) - 1).
    information: f64,
}

impl<'s> Bitmap<'s> {
    fn new(set: &'s [u32], registers: u32) -> Self {
        let registers = f64::from(registers);
        let hit_first = registers.recip();
        let hit_last = set.iter().skip(1).fold(hit_first, |hit, _| hit * 0.5);
        let (mut hit, mut misses) = (hit_first, 0.0);
        for &count in set {
            hit = (hit * 0.5).max(hit_last);
            misses += (registers - f64::from(count)) * hit;
        }
        let cells_set = set.iter().copied().map(f64::from).sum();
        Self { set, registers, hit_last, cells_set, misses: misses.max(0.5 * hit_last) }
    }

    /// Since 1 - x / 2 <= x / (exp(x) - 1) <= 1.
    fn bounds(&self) -> (f64, f64) {
        let probability_set = (1.0 - self.misses).max(0.0);
        (self.cells_set / (self.misses + 0.5 * probability_set), self.cells_set / self.misses)
    }

    /// Linear counting in the first rank that is not nearly full: within some 10 %.
    fn guess(&self) -> f64 {
        let (mut hit, mut filled) = (self.registers.recip(), 1.0);
        for &count in self.set {
            hit = (hit * 0.5).max(self.hit_last);
            filled = f64::from(count) / self.registers;
            if filled <= 0.6 {
                break;
            }
        }
        // A Pade approximant of -ln(1 - filled).
        filled * (6.0 - filled) / ((6.0 - 4.0 * filled) * hit)
    }

    fn sums(&self, distinct: f64) -> Sums {
        let mut sums = Sums { hits: 0.0, slope: 0.0, information: 0.0 };
        let mut hit = self.hit_last;
        let mut growth = exponential_less_one(distinct * hit);
        let mut add = |count: u32, hit: f64, growth: f64| {
            let odds = hit / growth;
            let share = f64::from(count) * odds;
            sums.hits += share;
            sums.slope += share * (odds + hit);
            sums.information += self.registers * hit * odds;
        };
        let Some((&last, ranks)) = self.set.split_last() else { return sums };
        add(last, hit, growth);
        for &count in ranks.iter().rev() {
            add(count, hit, growth);
            // The rank before is twice as likely, and exp(2x) - 1 = (exp(x) - 1) (exp(x) + 1).
            hit *= 2.0;
            growth *= growth + 2.0;
        }
        sums
    }
}

/// exp(x) - 1 for x >= 0 without loss of digits at small x, the same on every platform.
///
/// Within 1e-12 of the value up to x = 8, which is beyond where a bitmap is full.
fn exponential_less_one(x: f64) -> f64 {
    const HALVINGS: u32 = 6;
    let y = x * (1.0 / 64.0);
    let tail = 1.0 + y * (1.0 / 5.0) * (1.0 + y * (1.0 / 6.0) * (1.0 + y * (1.0 / 7.0)));
    let series = y * (1.0 + y * 0.5 * (1.0 + y * (1.0 / 3.0) * (1.0 + y * 0.25 * tail)));
    (0..HALVINGS).fold(series, |growth, _| growth * (growth + 2.0))
}

#[cfg(test)]
mod tests;
