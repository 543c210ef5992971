//! `Quantiles` as bytes; the layout is in [`crate::encoding`].

use sketches_ddsketch::Config;

use super::bins::{self, Bin};
use super::{COUNT_MAX, Quantiles};
use crate::encoding::{Context, DecodeError, Encode, Kind, Reader, put_varint};

/// What rounding may add to the relative error: logarithms of up to 64 bits, in double precision.
const ROUNDING: f64 = 1e-9;

/// What the first bins take, which move when there are more.
const FIRST_BINS_BYTES: usize = 128 * size_of::<u64>();

impl Encode for Quantiles {
    const KIND: Kind = Kind::Quantiles;
    const VERSION: u8 = 1;

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.extend(self.relative_error.to_le_bytes());
        if self.count == 0 {
            return;
        }
        let bins = bins::of(&self.sketch);
        put_varint(self.min, out);
        put_varint(self.max - self.min, out);
        out.extend(self.sum.to_le_bytes());
        put_varint(self.count - bins.iter().map(|bin| bin.count).sum::<u64>(), out);
        let mut next = 0;
        for Bin { key, count } in bins {
            put_varint(u64::from(key.abs_diff(next)), out);
            put_varint(count, out);
            next = key + 1;
        }
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        let quantiles = Self::new(f64::from_bits(body.u64()?));
        let mut quantiles =
            quantiles.map_err(|_| DecodeError::structure("relative error outside 0.001 to 0.5"))?;
        context.allow_memory(quantiles.memory_bytes_max() + FIRST_BINS_BYTES)?;
        if body.remaining() > 0 {
            quantiles.min = body.varint()?;
            let max = quantiles.min.checked_add(body.varint()?);
            quantiles.max = max.ok_or(DecodeError::structure("a value past the last"))?;
            quantiles.sum = body.u128()?;
            let middles = quantiles.read_counts(body)?;
            quantiles.check_sum(middles)?;
        }
        Ok(quantiles)
    }
}

impl Quantiles {
    /// Gives the sum of the middles of the bins.
    fn read_counts(&mut self, body: &mut Reader<'_>) -> Result<f64, DecodeError> {
        const EXTREMES: DecodeError = DecodeError::structure("extremes in other bins than values");
        let zeros = body.varint()?;
        self.raise_count(zeros)?;
        self.sketch.add_with_count(0.0, zeros);
        let [lowest, highest] = [self.min, self.max].map(|value| key(&self.config, value));
        // The extremes are values themselves, so that the sketch knows them too.
        let singles = [highest, lowest.filter(|_| self.min < self.max)];
        for (value, key) in [self.max, self.min].into_iter().zip(singles) {
            self.sketch.add_with_count(value as f64, key.is_some().into());
        }
        let (mut first, mut last, mut next, mut middles) = (None, None, 0, 0.0);
        while body.remaining() > 0 {
            let key = i32::try_from(body.varint()?).ok().and_then(|gap| gap.checked_add(next));
            let key = key.filter(|&key| holds_integers(&self.config, key));
            let key = key.ok_or(DecodeError::structure("a bin of no values"))?;
            let count = body.varint()?;
            self.raise_count(count)?;
            let known = singles.iter().filter(|&&single| single == Some(key)).count() as u64;
            let others = count.checked_sub(known).filter(|_| count > 0).ok_or(EXTREMES)?;
            // Whatever the forged bins, none grow beyond those of the extremes.
            if Some(key) > highest {
                return Err(EXTREMES);
            }
            let middle = self.config.value(key);
            self.sketch.add_with_count(middle, others);
            middles += middle * count as f64;
            first = first.or(Some(key));
            (last, next) = (Some(key), key + 1);
        }
        let is_first = if self.min == 0 { zeros > 0 } else { zeros == 0 && first == lowest };
        if is_first && last == highest { Ok(middles) } else { Err(EXTREMES) }
    }

    fn raise_count(&mut self, count: u64) -> Result<(), DecodeError> {
        let raised = self.count.checked_add(count).filter(|&count| count <= COUNT_MAX);
        self.count = raised.ok_or(DecodeError::structure("2^53 values or more"))?;
        Ok(())
    }

    fn check_sum(&self, middles: f64) -> Result<(), DecodeError> {
        let [least, most] = [self.min, self.max].map(u128::from);
        let others = u128::from(self.count) - 1;
        let is_possible = (least * others + most..=most * others + least).contains(&self.sum);
        let sum = self.sum as f64;
        if is_possible && (sum - middles).abs() <= (self.relative_error + ROUNDING) * sum {
            Ok(())
        } else {
            Err(DecodeError::structure("a sum that the values do not have"))
        }
    }
}

/// The bin of a value, if it is not zero.
fn key(config: &Config, value: u64) -> Option<i32> {
    (value > 0).then(|| config.key(value as f64))
}

/// Whether an integer next to the middle of a bin lies in the bin: then one does.
fn holds_integers(config: &Config, key: i32) -> bool {
    let middle = config.value(key);
    middle <= 1.0 || [middle.floor(), middle.ceil()].map(|value| config.key(value)).contains(&key)
}
