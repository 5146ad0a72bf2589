//! What one series has measured, as values that can be added up and told apart: numbers and summaries
//! here, distributions in [`super::explicit`] and [`super::exponential`].
//!
//! Times are not known here; which value counts is decided in [`super::stream`].

use super::explicit::Explicit;
use super::exponential::Exponential;

/// A value of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(Number),
    Explicit(Explicit),
    Exponential(Exponential),
    Summary(Summary),
}

impl Value {
    /// Adds another one of the same kind.
    pub(super) fn add(&mut self, other: &Value) {
        match (self, other) {
            (Value::Number(mine), Value::Number(other)) => *mine = mine.plus(*other),
            (Value::Explicit(mine), Value::Explicit(other)) => mine.add(other),
            (Value::Exponential(mine), Value::Exponential(other)) => mine.add(other),
            (Value::Summary(mine), Value::Summary(other)) => mine.add(other),
            // Nobody adds what is not alike.
            _ => debug_assert!(false, "two kinds of values"),
        }
    }

    /// What came after `earlier`; `None` if this does not go on from there, but began anew.
    pub(super) fn since(&self, earlier: &Value) -> Option<Value> {
        Some(match (self, earlier) {
            (Value::Number(now), Value::Number(earlier)) => Value::Number(now.since(*earlier)?),
            (Value::Explicit(now), Value::Explicit(earlier)) => Value::Explicit(now.since(earlier)?),
            (Value::Exponential(now), Value::Exponential(earlier)) => Value::Exponential(now.since(earlier)?),
            (Value::Summary(now), Value::Summary(earlier)) => Value::Summary(now.since(earlier)?),
            _ => return None,
        })
    }

    /// Makes what the two have in common be there once, if they have.
    pub(super) fn share(&mut self, with: &Value) {
        if let (Value::Explicit(mine), Value::Explicit(other)) = (self, with) {
            mine.share_bounds(&other.bounds);
        }
    }

    /// Bytes that it takes beside itself; bounds are taken to be shared.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Value::Number(_) => 0,
            Value::Explicit(histogram) => histogram.counts.len() * size_of::<u64>(),
            Value::Exponential(histogram) => {
                (histogram.positive.counts.len() + histogram.negative.counts.len()) * size_of::<u64>()
            }
            Value::Summary(summary) => summary.quantiles.len() * size_of::<(f64, f64)>(),
        }
    }

    /// Whether the two are of one kind.
    pub(super) fn is_like(&self, other: &Value) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The value of a sum or gauge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Double(f64),
}

impl Number {
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Double(value) => value,
        }
    }

    pub(super) fn plus(self, other: Number) -> Number {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => Number::Int(a.saturating_add(b)),
            (a, b) => Number::Double(finite(a.as_f64() + b.as_f64())),
        }
    }

    /// The difference, whichever is larger.
    pub(super) fn minus(self, other: Number) -> Number {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => Number::Int(a.saturating_sub(b)),
            (a, b) => Number::Double(finite(a.as_f64() - b.as_f64())),
        }
    }

    fn since(self, earlier: Number) -> Option<Number> {
        (self.as_f64() >= earlier.as_f64()).then(|| self.minus(earlier))
    }
}

/// A sum that outgrows what a double can say stays at the end: an infinite one would be refused for
/// ever, and the largest number stands for it as well as any.
pub(super) fn finite(sum: f64) -> f64 {
    sum.clamp(f64::MIN, f64::MAX)
}

/// The value of a summary.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// Quantile and value, ascending.
    pub(super) quantiles: Box<[(f64, f64)]>,
}

impl Summary {
    /// Counts and sums add up; quantiles do not.
    fn add(&mut self, other: &Summary) {
        self.count = self.count.saturating_add(other.count);
        self.sum = finite(self.sum + other.sum);
        self.quantiles = Box::default();
    }

    fn since(&self, earlier: &Summary) -> Option<Summary> {
        let count = self.count.checked_sub(earlier.count)?;
        Some(Summary { count, sum: self.sum - earlier.sum, quantiles: Box::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_stay_whole_and_stop_at_their_end() {
        assert_eq!(Number::Int(1 << 60).plus(Number::Int(1)), Number::Int((1 << 60) + 1));
        assert_eq!(Number::Int(i64::MAX).plus(Number::Int(1)), Number::Int(i64::MAX));
        assert_eq!(Number::Int(2).plus(Number::Double(0.5)), Number::Double(2.5));
        assert_eq!(Number::Double(f64::MAX).plus(Number::Double(f64::MAX)), Number::Double(f64::MAX));
    }

    #[test]
    fn what_fell_does_not_go_on() {
        assert_eq!(Number::Int(5).since(Number::Int(3)), Some(Number::Int(2)));
        assert_eq!(Number::Int(2).since(Number::Int(3)), None);
    }

    #[test]
    fn summaries_add_up_without_their_quantiles() {
        let one = Value::Summary(Summary { count: 2, sum: 3.0, quantiles: [(0.5, 1.0)].into() });
        let mut both = one.clone();
        both.add(&one);
        assert_eq!(both, Value::Summary(Summary { count: 4, sum: 6.0, quantiles: Box::default() }));
    }
}
