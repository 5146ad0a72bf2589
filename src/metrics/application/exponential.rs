//! A distribution over exponential bounds, and how two of different scale and zero threshold become
//! one (OpenTelemetry metrics data model, "ExponentialHistogram").
//!
//! The bucket with index `i` holds what is above `base^i` and at most `base^(i+1)`, where `base` is
//! `2^(2^-scale)`. One step down in scale makes one bucket of two, exactly.

use super::value::finite;

/// Buckets on each side at most; SDKs have 160. Where a sum of two needs more, its scale goes down.
pub(super) const MAX_BUCKETS: usize = 320;

/// An exponential histogram's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exponential {
    pub(super) scale: i32,
    pub(super) zero_threshold: f64,
    pub(super) zero_count: u64,
    pub(super) positive: Side,
    pub(super) negative: Side,
    pub(super) sum: Option<f64>,
}

/// The buckets on one side of zero.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Side {
    /// The index of the first bucket.
    pub(super) offset: i32,
    pub(super) counts: Vec<u64>,
}

impl Exponential {
    /// How many values there are.
    pub(super) fn count(&self) -> u64 {
        self.zero_count.saturating_add(self.positive.count()).saturating_add(self.negative.count())
    }

    /// Adds another one, at the scale and with the zero threshold that do for both.
    pub(super) fn add(&mut self, other: &Exponential) {
        let mut other = other.clone();
        self.meet(&mut other);
        self.positive.add(&other.positive);
        self.negative.add(&other.negative);
        self.zero_count = self.zero_count.saturating_add(other.zero_count);
        self.sum = self.sum.zip(other.sum).map(|(a, b)| finite(a + b));
    }

    /// What came after `earlier`; `None` if this does not go on from there.
    pub(super) fn since(&self, earlier: &Exponential) -> Option<Exponential> {
        let (mut now, mut then) = (self.clone(), earlier.clone());
        now.meet(&mut then);
        now.positive.subtract(&then.positive)?;
        now.negative.subtract(&then.negative)?;
        now.zero_count = now.zero_count.checked_sub(then.zero_count)?;
        now.sum = now.sum.zip(then.sum).map(|(now, then)| now - then);
        Some(now)
    }

    /// Brings both to one zero threshold and one scale, at which their buckets together are not too many.
    fn meet(&mut self, other: &mut Exponential) {
        // One that has something below its own threshold says it in two ways; here it has one.
        if self.zero_threshold > 0.0 || other.zero_threshold > 0.0 {
            let mut threshold = self.zero_threshold.max(other.zero_threshold);
            loop {
                let wider = self.widen(threshold).max(other.widen(threshold));
                if wider <= threshold {
                    break;
                }
                threshold = wider;
            }
            self.zero_threshold = threshold;
            other.zero_threshold = threshold;
        }
        for side in [&mut self.positive, &mut self.negative, &mut other.positive, &mut other.negative] {
            side.trim();
        }
        let scale = self.scale.min(other.scale);
        self.downscale_to(scale);
        other.downscale_to(scale);
        while self.positive.span(&other.positive).max(self.negative.span(&other.negative)) > MAX_BUCKETS as i64 {
            let Some(scale) = self.scale.checked_sub(1) else { break };
            self.downscale_to(scale);
            other.downscale_to(scale);
        }
    }

    fn downscale_to(&mut self, scale: i32) {
        let by = u32::try_from(i64::from(self.scale) - i64::from(scale)).unwrap_or(0);
        if by > 0 {
            self.positive.downscale(by);
            self.negative.downscale(by);
            self.scale = scale;
        }
    }

    /// Gives buckets that begin below a threshold to the zero bucket. Returns the threshold that
    /// does not cut through what was given: at least that, or the upper bound of the last such bucket.
    fn widen(&mut self, threshold: f64) -> f64 {
        let mut wider = threshold;
        let scale = self.scale;
        for side in [&mut self.positive, &mut self.negative] {
            let below = |place: usize| bound(scale, i64::from(side.offset) + place as i64) < threshold;
            let ends = (0..side.counts.len()).take_while(|place| below(*place)).count();
            let given: Vec<u64> = side.counts.drain(..ends).collect();
            if let Some(last) = given.iter().rposition(|count| *count > 0) {
                wider = wider.max(bound(scale, i64::from(side.offset) + last as i64 + 1));
            }
            self.zero_count = given.iter().fold(self.zero_count, |sum, count| sum.saturating_add(*count));
            side.offset = offset(i64::from(side.offset) + ends as i64);
        }
        wider
    }
}

/// The lower bound of the bucket with an index.
fn bound(scale: i32, index: i64) -> f64 {
    (index as f64 * (-f64::from(scale)).exp2()).exp2()
}

fn offset(index: i64) -> i32 {
    i32::try_from(index).unwrap_or(if index < 0 { i32::MIN } else { i32::MAX })
}

impl Side {
    fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The index behind the last bucket.
    fn end(&self) -> i64 {
        i64::from(self.offset) + self.counts.len() as i64
    }

    /// Empty buckets on both ends go.
    fn trim(&mut self) {
        let kept = self.counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        self.counts.truncate(kept);
        let first = self.counts.iter().position(|count| *count > 0).unwrap_or(0);
        self.counts.drain(..first);
        self.offset = if self.counts.is_empty() { 0 } else { offset(i64::from(self.offset) + first as i64) };
    }

    /// How many buckets the two take together.
    fn span(&self, other: &Side) -> i64 {
        match (self.counts.is_empty(), other.counts.is_empty()) {
            (true, _) => other.counts.len() as i64,
            (_, true) => self.counts.len() as i64,
            _ => self.end().max(other.end()) - i64::from(self.offset.min(other.offset)),
        }
    }

    fn downscale(&mut self, by: u32) {
        let down = |index: i64| index >> by.min(62);
        let first = down(i64::from(self.offset));
        let mut counts: Vec<u64> = Vec::new();
        for (place, count) in self.counts.iter().enumerate() {
            let at = usize::try_from(down(i64::from(self.offset) + place as i64) - first).unwrap_or(0);
            if at >= counts.len() {
                counts.push(0);
            }
            if let Some(sum) = counts.last_mut() {
                *sum = sum.saturating_add(*count);
            }
        }
        *self = Side { offset: offset(first), counts };
    }

    /// Adds buckets of the same scale.
    fn add(&mut self, other: &Side) {
        if other.counts.is_empty() {
            return;
        }
        if self.counts.is_empty() {
            return *self = other.clone();
        }
        let first = self.offset.min(other.offset);
        let place = |side: &Side| usize::try_from(i64::from(side.offset) - i64::from(first)).unwrap_or(0);
        let length = usize::try_from(self.span(other)).unwrap_or(0);
        let mut counts = vec![0_u64; length];
        for side in [&*self, other] {
            for (sum, count) in counts.iter_mut().skip(place(side)).zip(&side.counts) {
                *sum = sum.saturating_add(*count);
            }
        }
        *self = Side { offset: first, counts };
    }

    /// Takes buckets of the same scale away; `None` if there are not so many.
    fn subtract(&mut self, other: &Side) -> Option<()> {
        for (place, count) in other.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let at = usize::try_from(i64::from(other.offset) + place as i64 - i64::from(self.offset)).ok()?;
            let mine = self.counts.get_mut(at)?;
            *mine = mine.checked_sub(*count)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(scale: i32, offset: i32, counts: &[u64]) -> Exponential {
        let positive = Side { offset, counts: counts.to_vec() };
        Exponential {
            scale,
            zero_threshold: 0.0,
            zero_count: 0,
            positive,
            negative: Side::default(),
            sum: Some(counts.iter().sum::<u64>() as f64),
        }
    }

    #[test]
    fn two_scales_meet_at_the_lower_one() {
        // Scale 1 has bounds 1, 1.41, 2, 2.83, 4; scale 0 has 1, 2, 4.
        let mut both = of(1, 0, &[1, 2, 3, 4]);
        both.add(&of(0, 1, &[10]));
        assert_eq!(both, Exponential { sum: Some(20.0), ..of(0, 0, &[3, 17]) });
    }

    #[test]
    fn indices_below_zero_go_down_towards_the_smaller() {
        let mut both = of(1, -3, &[1, 2, 4]);
        both.add(&of(0, 0, &[]));
        // -3 and -4 are of bucket -2, -1 and -2 of -1.
        assert_eq!(both.positive, Side { offset: -2, counts: vec![1, 6] });
    }

    #[test]
    fn the_larger_zero_threshold_takes_what_is_below_it_and_cuts_through_nothing() {
        // Bounds 1, 2, 4, 8.
        let mut both = of(0, 0, &[1, 2, 4]);
        both.add(&Exponential { zero_threshold: 3.0, zero_count: 8, ..of(0, 3, &[16]) });
        assert_eq!((both.zero_threshold, both.zero_count), (4.0, 11));
        assert_eq!(both.positive, Side { offset: 2, counts: vec![4, 16] });
        assert_eq!(both.count(), 31);
    }

    #[test]
    fn what_is_far_apart_has_a_lower_scale_and_not_more_buckets() {
        let mut both = of(20, i32::MIN, &[1]);
        both.add(&of(20, i32::MAX, &[2]));
        assert!(both.positive.counts.len() <= MAX_BUCKETS, "{both:?}");
        assert_eq!(both.count(), 3);
    }

    #[test]
    fn what_came_after_is_found_at_another_scale_too() {
        let earlier = of(1, 0, &[1, 1, 0, 2]);
        let now = of(0, 0, &[3, 2]);
        assert_eq!(now.since(&earlier).unwrap().positive.counts, [1, 0]);
        assert_eq!(of(0, 0, &[1, 9]).since(&earlier), None);
    }

    fn any_histogram() -> impl Strategy<Value = Exponential> {
        let counts = || proptest::collection::vec(0..5_u64, 0..40);
        let threshold = prop_oneof![Just(0.0), Just(1e-3), Just(0.5), Just(7.0)];
        (-3..8_i32, -60..60_i32, counts(), counts(), threshold).prop_map(|(scale, offset, up, down, zero_threshold)| {
            Exponential { zero_threshold, negative: Side { offset: -offset, counts: down }, ..of(scale, offset, &up) }
        })
    }

    proptest! {
        #[test]
        fn no_value_is_lost_and_the_order_does_not_matter(all in proptest::collection::vec(any_histogram(), 1..6)) {
            let sum = |all: &mut dyn Iterator<Item = &Exponential>| {
                let mut sum = all.next().unwrap().clone();
                all.for_each(|one| sum.add(one));
                sum
            };
            let (forth, back) = (sum(&mut all.iter()), sum(&mut all.iter().rev()));
            prop_assert_eq!(forth.count(), all.iter().map(Exponential::count).sum::<u64>());
            prop_assert_eq!(forth.count(), back.count());
            prop_assert!(forth.positive.counts.len() <= MAX_BUCKETS && forth.negative.counts.len() <= MAX_BUCKETS);
            let since = forth.since(&all[0]).map(|rest| rest.count() + all[0].count());
            prop_assert_eq!(since, Some(forth.count()));
        }
    }
}
