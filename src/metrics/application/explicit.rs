//! A distribution over explicit bounds.

use std::sync::Arc;

use super::value::finite;

/// A histogram's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Explicit {
    /// Inclusive upper bounds, ascending, without infinity.
    pub(super) bounds: Arc<[f64]>,
    /// One more than there are bounds.
    pub(super) counts: Box<[u64]>,
    /// Not said if values below zero were measured.
    pub(super) sum: Option<f64>,
}

impl Explicit {
    /// Adds another one. Of different bounds those remain that both have: the counts between them are
    /// exact, whatever else the bounds were.
    pub(super) fn add(&mut self, other: &Explicit) {
        if self.bounds == other.bounds {
            add_counts(&mut self.counts, &other.counts);
        } else {
            let common: Arc<[f64]> =
                self.bounds.iter().copied().filter(|bound| other.bounds.iter().any(|there| there == bound)).collect();
            self.counts = self.over(&common);
            add_counts(&mut self.counts, &other.over(&common));
            self.bounds = common;
        }
        self.sum = self.sum.zip(other.sum).map(|(a, b)| finite(a + b));
    }

    /// What came after `earlier`; `None` if this does not go on from there.
    pub(super) fn since(&self, earlier: &Explicit) -> Option<Explicit> {
        if self.bounds != earlier.bounds {
            return None;
        }
        let counts = self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.checked_sub(*then));
        let sum = self.sum.zip(earlier.sum).map(|(now, then)| now - then);
        Some(Explicit { bounds: Arc::clone(&self.bounds), counts: counts.collect::<Option<_>>()?, sum })
    }

    /// Has the same bounds once, if they are the same.
    pub(super) fn share_bounds(&mut self, with: &Arc<[f64]>) {
        if self.bounds == *with {
            self.bounds = Arc::clone(with);
        }
    }

    /// The bucket that a value is in.
    pub(super) fn bucket(&self, value: f64) -> usize {
        self.bounds.partition_point(|bound| *bound < value)
    }

    /// The counts over some of the bounds.
    fn over(&self, fewer: &[f64]) -> Box<[u64]> {
        let mut counts = vec![0_u64; fewer.len() + 1];
        for (place, count) in self.counts.iter().enumerate() {
            let at = match self.bounds.get(place) {
                Some(bound) => fewer.partition_point(|fewer| fewer < bound),
                None => fewer.len(),
            };
            if let Some(sum) = counts.get_mut(at) {
                *sum = sum.saturating_add(*count);
            }
        }
        counts.into()
    }
}

fn add_counts(mine: &mut [u64], other: &[u64]) {
    for (mine, other) in mine.iter_mut().zip(other) {
        *mine = mine.saturating_add(*other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bounds: &[f64], counts: &[u64], sum: f64) -> Explicit {
        Explicit { bounds: bounds.into(), counts: counts.into(), sum: Some(sum) }
    }

    #[test]
    fn equal_bounds_add_up() {
        let mut both = of(&[1.0, 5.0], &[1, 2, 3], 10.0);
        both.add(&of(&[1.0, 5.0], &[1, 0, 1], 7.0));
        assert_eq!(both, of(&[1.0, 5.0], &[2, 2, 4], 17.0));
    }

    #[test]
    fn of_different_bounds_the_common_ones_remain() {
        let mut both = of(&[1.0, 5.0, 10.0], &[1, 2, 3, 4], 10.0);
        both.add(&of(&[2.0, 5.0, 20.0], &[10, 20, 30, 40], 1.0));
        assert_eq!(both, of(&[5.0], &[33, 77], 11.0));
        both.add(&of(&[], &[5], 1.0));
        assert_eq!(both, of(&[], &[115], 12.0));
    }

    #[test]
    fn a_sum_that_one_does_not_say_is_not_said() {
        let mut both = of(&[], &[1], 10.0);
        both.add(&Explicit { sum: None, ..of(&[], &[1], 0.0) });
        assert_eq!(both.sum, None);
    }

    #[test]
    fn what_fell_in_one_bucket_does_not_go_on() {
        let earlier = of(&[1.0], &[4, 2], 3.0);
        assert_eq!(of(&[1.0], &[5, 2], 4.0).since(&earlier), Some(of(&[1.0], &[1, 0], 1.0)));
        assert_eq!(of(&[1.0], &[3, 9], 4.0).since(&earlier), None);
        assert_eq!(of(&[2.0], &[9, 9], 4.0).since(&earlier), None, "other bounds");
    }
}
