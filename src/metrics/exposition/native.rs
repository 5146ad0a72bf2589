//! Exponential histograms for Prometheus: as native histograms (protobuf), and as classic buckets
//! for the text formats, which have no others.
//!
//! The classic bounds are powers of two. At every scale from 0 up each of them is a bound of the
//! exponential buckets too, so the counts are exact, and they stay where they are when an SDK halves
//! its resolution. See docs/decisions/0018-the-scraped-page.md.

use crate::metrics::snapshot::{Buckets, NativeDistribution};

use super::page::LeftOut;

/// The schemas that Prometheus has: no coarser than this ...
const COARSEST: i32 = -4;

/// ... and no finer.
const FINEST: i32 = 8;

/// For a threshold that was not said ("Prometheus and OpenMetrics Compatibility", Exponential
/// Histograms).
const ZERO_THRESHOLD: f64 = 1e-128;

/// Empty buckets that are cheaper to write than a new span.
const GAP: i64 = 2;

/// Powers of two on each side of zero at most.
const MOST_BOUNDS: i64 = 64;

/// The range of bounds grows by so many powers of two at once, to grow seldom.
const BLOCK: i64 = 8;

/// The exponents that a double can have.
const EXPONENTS: std::ops::RangeInclusive<i64> = -1074..=1023;

/// What Prometheus would refuse is refused here: it would refuse the whole page.
pub(super) fn check(native: &NativeDistribution) -> Result<(), LeftOut> {
    if native.scale < COARSEST {
        return Err(LeftOut::ScaleTooCoarse);
    }
    let sides = [&native.positive, &native.negative];
    let counted = sides
        .iter()
        .flat_map(|side| side.counts.iter())
        .fold(native.zero_count, |sum, count| sum.saturating_add(*count));
    // Values that are no numbers are in the count and in no bucket; the sum says so.
    let complete = if native.sum.is_some_and(f64::is_nan) { counted <= native.count } else { counted == native.count };
    let threshold = native.zero_threshold;
    let possible = |side: &Buckets| {
        filled(side).all(|(index, _)| {
            octave_below(index, native.scale) >= *EXPONENTS.start() - 1
                && octave_below(index, native.scale) <= *EXPONENTS.end()
        })
    };
    if complete && threshold.is_finite() && threshold >= 0.0 && sides.into_iter().all(possible) {
        Ok(())
    } else {
        Err(LeftOut::InvalidValue)
    }
}

/// The buckets that hold something, with their indexes.
fn filled(side: &Buckets) -> impl DoubleEndedIterator<Item = (i64, u64)> + Clone + '_ {
    let offset = i64::from(side.offset);
    let numbered = side.counts.iter().enumerate().filter(|(_, count)| **count > 0);
    numbered.map(move |(at, count)| (offset.saturating_add(i64::try_from(at).unwrap_or(i64::MAX)), *count))
}

/// The largest `k` such that `2^k` is no larger than the bucket's lower bound, `2^(index / 2^scale)`.
fn octave_below(index: i64, scale: i32) -> i64 {
    match u32::try_from(scale) {
        Ok(scale) => index >> scale.min(63),
        // No scale below -4 gets here.
        Err(_) => index.saturating_mul(1 << scale.unsigned_abs().min(32)),
    }
}

/// The smallest `k` such that `2^k` is no smaller than the bucket's upper bound.
fn octave_above(index: i64, scale: i32) -> i64 {
    // The upper bound is the next bucket's lower one; it is rounded up.
    -octave_below(-(index.saturating_add(1)), scale)
}

/// The schema of a native histogram: the scale, or the finest that there is.
pub(super) fn schema(native: &NativeDistribution) -> i32 {
    native.scale.min(FINEST)
}

/// Where its zero bucket ends.
pub(super) fn zero_threshold(native: &NativeDistribution) -> f64 {
    if native.zero_threshold > 0.0 { native.zero_threshold } else { ZERO_THRESHOLD }
}

/// One side of a native histogram.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sparse {
    /// The gap to the span before, or the first index; and a length.
    pub(super) spans: Vec<(i32, u32)>,
    /// Each bucket's count, less that of the bucket before.
    pub(super) deltas: Vec<i64>,
}

/// Writes a side as spans and deltas, at the schema's resolution. Prometheus counts a bucket by its
/// upper bound, OTLP by its lower: indexes move by one.
pub(super) fn sparse(side: &Buckets, scale: i32) -> Sparse {
    let coarser = u32::try_from(scale.saturating_sub(FINEST)).unwrap_or(0).min(63);
    let mut merged: Vec<(i64, u64)> = Vec::new();
    for (index, count) in filled(side) {
        let index = (index >> coarser) + 1;
        match merged.last_mut() {
            Some((last, sum)) if *last == index => *sum = sum.saturating_add(count),
            _ => merged.push((index, count)),
        }
    }
    let mut out = Sparse::default();
    let (mut next, mut before) = (0_i64, 0_i64);
    for (index, count) in merged {
        let gap = index - next;
        match out.spans.last_mut() {
            Some((_, length)) if gap <= GAP => {
                for _ in 0..gap {
                    *length = length.saturating_add(1);
                    out.deltas.push(-before);
                    before = 0;
                }
                *length = length.saturating_add(1);
            }
            // What was checked fits: an index is below 2^19.
            _ => out.spans.push((i32::try_from(gap).unwrap_or(i32::MAX), 1)),
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        out.deltas.push(count - before);
        (before, next) = (count, index + 1);
    }
    out
}

/// A histogram in classic buckets.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Classic {
    /// Upper bounds, ascending, without infinity.
    pub(super) bounds: Vec<f64>,
    /// How many values are no larger than each bound.
    pub(super) cumulative: Vec<u64>,
}

impl Classic {
    fn push(&mut self, bound: f64, count: u64) {
        self.bounds.push(bound);
        self.cumulative.push(count);
    }

    /// Reads an exponential histogram, in place of what was here.
    ///
    /// A value that is exactly `-2^k` is in the exponential bucket above it, so it counts as larger
    /// than the bound. Everything else is on its side.
    pub(super) fn read(&mut self, native: &NativeDistribution) {
        self.bounds.clear();
        self.cumulative.clear();
        let (scale, zero) = (native.scale, native.zero_threshold);
        let mut count = 0_u64;

        let mut below = filled(&native.negative).rev().peekable();
        for k in octaves(&native.negative, scale).into_iter().rev() {
            while let Some((_, more)) = below.next_if(|(index, _)| octave_below(*index, scale) >= k) {
                count = count.saturating_add(more);
            }
            if power(k) > zero && power(k).is_finite() {
                self.push(-power(k), count);
            }
        }
        count = below.fold(count, |sum, (_, more)| sum.saturating_add(more)).saturating_add(native.zero_count);

        let mut above = filled(&native.positive).peekable();
        while let Some((_, more)) = above.next_if(|(index, _)| power(octave_above(*index, scale)) <= zero) {
            count = count.saturating_add(more);
        }
        self.push(zero, count);
        for k in octaves(&native.positive, scale) {
            while let Some((_, more)) = above.next_if(|(index, _)| octave_above(*index, scale) <= k) {
                count = count.saturating_add(more);
            }
            if power(k) > zero && power(k).is_finite() {
                self.push(power(k), count);
            }
        }
    }
}

/// The powers of two between which a side's values are, with some room. The range of a histogram
/// that accumulates only grows, so a bound that was there once stays.
fn octaves(side: &Buckets, scale: i32) -> Vec<i64> {
    let mut buckets = filled(side).map(|(index, _)| index);
    let Some(first) = buckets.next() else { return Vec::new() };
    let last = buckets.next_back().unwrap_or(first);
    // Below scale 0 only every second, fourth ... power is a bound.
    let mut step = 1_i64 << scale.min(0).unsigned_abs().min(32);
    let range = |step: i64, block: i64| {
        let low = octave_below(first, scale).div_euclid(block).saturating_mul(block);
        let high = -((-octave_above(last, scale)).div_euclid(block).saturating_mul(block));
        (low, high, (high - low) / step + 1)
    };
    let (mut low, mut high, mut number) = range(step, BLOCK.max(step));
    while number > MOST_BOUNDS {
        step *= 2;
        (low, high, number) = range(step, BLOCK.max(step));
    }
    let step = usize::try_from(step).unwrap_or(1);
    (low..=high).step_by(step).filter(|k| EXPONENTS.contains(k)).collect()
}

/// `2^exponent`, exactly; the smallest ones are subnormal, which multiplying would round to zero.
fn power(exponent: i64) -> f64 {
    match exponent {
        ..-1074 => 0.0,
        -1074..-1022 => f64::from_bits(1 << (exponent + 1074)),
        -1022..=1023 => f64::from_bits(u64::try_from(exponent + 1023).unwrap_or_default() << 52),
        1024.. => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn side(offset: i32, counts: &[u64]) -> Buckets {
        Buckets { offset, counts: counts.into() }
    }

    fn distribution(scale: i32, positive: Buckets, negative: Buckets, zero_count: u64) -> NativeDistribution {
        let count = positive.counts.iter().chain(&negative.counts).sum::<u64>() + zero_count;
        NativeDistribution {
            scale,
            zero_threshold: 0.0,
            zero_count,
            positive,
            negative,
            count,
            sum: None,
            exemplars: Vec::new(),
        }
    }

    fn classic(native: &NativeDistribution) -> Vec<(f64, u64)> {
        let mut classic = Classic::default();
        classic.read(native);
        classic.bounds.into_iter().zip(classic.cumulative).collect()
    }

    #[test]
    fn spans_and_deltas() {
        // Prometheus counts by the upper bound: OTLP's bucket -3 is its bucket -2.
        let found = sparse(&side(-3, &[1, 4, 0, 2, 0, 0, 0, 5]), 3);
        assert_eq!(found.spans, [(-2, 4), (3, 1)]);
        assert_eq!(found.deltas, [1, 3, -4, 2, 3]);
        assert_eq!(sparse(&side(7, &[0, 0]), 3), Sparse::default());
    }

    #[test]
    fn what_is_finer_than_prometheus_is_merged() {
        // At scale 10, four buckets are one of scale 8: 4..8 is bucket 1, and 2 as Prometheus counts.
        let found = sparse(&side(3, &[1, 1, 1, 1, 1, 1]), 10);
        assert_eq!((found.spans, found.deltas), (vec![(1, 3)], vec![1, 3, -3]));
        let found = sparse(&side(-5, &[1, 1, 1, 1, 1, 1]), 10);
        assert_eq!((found.spans, found.deltas), (vec![(-1, 3)], vec![1, 3, -3]));
        assert_eq!(schema(&distribution(10, side(0, &[]), side(0, &[]), 0)), 8);
        // At the finest scale that OTLP can say everything is next to 1.
        assert_eq!(sparse(&side(-1, &[1, 1]), i32::MAX).spans, [(0, 2)]);
    }

    #[test]
    fn the_bounds_are_powers_of_two_and_do_not_move() {
        let powers = |range: std::ops::RangeInclusive<i32>| range.map(|k| 2.0_f64.powi(k)).collect::<Vec<_>>();
        let bounds = |native: &NativeDistribution| {
            classic(native).into_iter().map(|(bound, _)| bound).skip(1).collect::<Vec<_>>()
        };
        let none = || side(0, &[]);
        // (2, 2.18]: in the eight powers from 1 to 256, at whatever scale, wherever in the block.
        for (scale, offset) in [(3, 8), (20, 1 << 20), (0, 1), (0, 7), (-2, 0)] {
            assert_eq!(bounds(&distribution(scale, side(offset, &[1]), none(), 0)).last(), Some(&256.0), "{scale}");
        }
        assert_eq!(bounds(&distribution(0, side(1, &[1]), none(), 0)), powers(0..=8));
        assert_eq!(bounds(&distribution(0, side(1, &[1, 1]), none(), 0)), powers(0..=8));
        assert_eq!(bounds(&distribution(0, side(-1, &[1]), none(), 0)), powers(-8..=0));
        // Never more than 64, however wide.
        let wide = distribution(0, side(-1074, &[1; 2000]), none(), 0);
        assert!((32..=64).contains(&bounds(&wide).len()), "{}", bounds(&wide).len());
        // At scale -2, only every fourth power is exact.
        assert_eq!(bounds(&distribution(-2, side(0, &[1]), none(), 0)), [1.0, 16.0, 256.0]);
        assert_eq!(classic(&distribution(5, none(), none(), 3)), [(0.0, 3)]);
    }

    #[test]
    fn what_prometheus_would_refuse_is_refused() {
        let good = || distribution(3, side(-4, &[1, 2]), side(2, &[3]), 1);
        assert_eq!(check(&good()), Ok(()));
        assert_eq!(check(&NativeDistribution { scale: -5, ..good() }), Err(LeftOut::ScaleTooCoarse));
        for bad in [
            NativeDistribution { count: 8, ..good() },
            NativeDistribution { count: 6, sum: Some(f64::NAN), ..good() },
            NativeDistribution { zero_threshold: f64::NAN, ..good() },
            NativeDistribution { zero_threshold: -1.0, ..good() },
            NativeDistribution { positive: side(i32::MAX, &[1, 2]), ..good() },
            NativeDistribution { positive: side(i32::MIN, &[1, 2]), ..good() },
        ] {
            assert_eq!(check(&bad), Err(LeftOut::InvalidValue), "{bad:?}");
        }
        // What was no number is counted and in no bucket.
        assert_eq!(check(&NativeDistribution { count: 8, sum: Some(f64::NAN), ..good() }), Ok(()));
    }

    proptest! {
        /// The oracle is the definition: a bucket's values are known by its middle, and a bound's
        /// count is that of the values no larger.
        #[test]
        fn classic_counts_are_exact(
            scale in -4..9_i32,
            positive in (-40..40_i32, proptest::collection::vec(0..5_u64, 0..30)),
            negative in (-40..40_i32, proptest::collection::vec(0..5_u64, 0..30)),
            zeros in 0..5_u64,
        ) {
            // Coarse buckets far away hold what no double is.
            let [positive, negative] =
                [positive, negative].map(|(offset, counts)| (offset >> (-scale).max(0), counts));
            let middle = |index: i32| ((f64::from(index) + 0.5) * 2.0_f64.powi(-scale)).exp2();
            let mut values: Vec<(f64, u64)> = vec![(0.0, zeros)];
            for (sign, (offset, counts)) in [(1.0, &positive), (-1.0, &negative)] {
                values.extend((*offset..).zip(counts).map(|(index, count)| (sign * middle(index), *count)));
            }
            let native =
                distribution(scale, side(positive.0, &positive.1), side(negative.0, &negative.1), zeros);
            prop_assert_eq!(check(&native), Ok(()));
            let classic = classic(&native);
            prop_assert!(classic.is_sorted_by(|(a, _), (b, _)| a < b), "{:?}", classic);
            for (bound, count) in &classic {
                let exact: u64 = values.iter().filter(|(value, _)| value <= bound).map(|(_, count)| count).sum();
                prop_assert_eq!(*count, exact, "{}", bound);
            }
            // What is above the last bound is above everything that a double can be.
            let last = classic.last().copied().unwrap_or_default();
            prop_assert!(last.1 == native.count || last.0 >= 2.0_f64.powi(1008), "{:?}", last);
        }
    }
}
