//! What one series accumulates: a [`Histogram`] or a [`Total`], each with its exemplars. Which
//! series there are is the business of [`super::series`].

use crate::otlp::{SpanId, TraceId};

use super::snapshot::{Bounds, Distribution, Exemplar, Value};

/// What a series accumulates.
pub(crate) trait Accumulator: Send {
    /// A copy for a reader.
    fn read(&self) -> Value;
}

/// The span that a measurement was made in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Witness {
    pub(crate) time_unix_nano: u64,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: Option<SpanId>,
}

impl Witness {
    fn exemplar(&self, value: f64) -> Exemplar {
        Exemplar {
            value,
            time_unix_nano: self.time_unix_nano,
            trace_id: Some(self.trace_id),
            span_id: self.span_id,
            attributes: Vec::new(),
        }
    }
}

/// A cumulative histogram over fixed bounds.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    counts: Box<[u64]>,
    sum: f64,
    // Only for the buckets that have one: a series rarely touches more than a few of its 15, and
    // 2,000 series with room for every exemplar would weigh 1.4 MB a metric.
    exemplars: Vec<(usize, f64, Witness)>,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Histogram { bounds, counts: vec![0; bounds.len() + 1].into(), sum: 0.0, exemplars: Vec::new() }
    }

    /// Adds a value. One that is not finite would spoil the sum for good and is left out.
    pub(crate) fn observe(&mut self, value: f64, witness: Option<Witness>) {
        if !value.is_finite() {
            return;
        }
        // A bucket holds its upper bound, in OTLP as in Prometheus.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.sum += value;
        if let Some(witness) = witness {
            match self.exemplars.binary_search_by_key(&bucket, |(bucket, ..)| *bucket) {
                Ok(at) => {
                    if let Some(last) = self.exemplars.get_mut(at) {
                        *last = (bucket, value, witness);
                    }
                }
                Err(at) => self.exemplars.insert(at, (bucket, value, witness)),
            }
        }
    }
}

impl Accumulator for Histogram {
    fn read(&self) -> Value {
        Value::Histogram(Distribution {
            bounds: Bounds::Static(self.bounds),
            counts: self.counts.clone(),
            sum: Some(self.sum),
            exemplars: self
                .exemplars
                .iter()
                .map(|(bucket, value, witness)| (*bucket, witness.exemplar(*value)))
                .collect(),
        })
    }
}

/// A cumulative sum of whole things.
#[derive(Debug, Default)]
pub(crate) struct Total {
    value: u64,
    exemplar: Option<(u64, Witness)>,
}

impl Total {
    pub(crate) fn add(&mut self, amount: u64, witness: Option<Witness>) {
        self.value = self.value.saturating_add(amount);
        if let Some(witness) = witness {
            self.exemplar = Some((amount, witness));
        }
    }
}

impl Accumulator for Total {
    fn read(&self) -> Value {
        Value::Integer(self.value, self.exemplar.map(|(amount, witness)| witness.exemplar(amount as f64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[f64] = &[1.0, 4.0, 16.0];

    fn witness(number: u8) -> Witness {
        Witness {
            time_unix_nano: u64::from(number),
            trace_id: TraceId([number; 16]),
            span_id: Some(SpanId([number; 8])),
        }
    }

    fn distribution(histogram: &Histogram) -> Distribution {
        match histogram.read() {
            Value::Histogram(distribution) => distribution,
            other => panic!("a histogram reads as {other:?}"),
        }
    }

    #[test]
    fn a_bucket_holds_its_upper_bound() {
        let mut histogram = Histogram::new(BOUNDS);
        for value in [0.0, 1.0, 1.1, 4.0, 16.0, 16.5, 1e300] {
            histogram.observe(value, None);
        }
        let read = distribution(&histogram);
        assert_eq!(*read.counts, [2, 2, 1, 2]);
        assert_eq!(read.count(), 7);
    }

    #[test]
    fn a_value_that_is_no_number_spoils_nothing() {
        let mut histogram = Histogram::new(BOUNDS);
        histogram.observe(2.0, None);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            histogram.observe(value, None);
        }
        let read = distribution(&histogram);
        assert_eq!((read.count(), read.sum), (1, Some(2.0)));
    }

    #[test]
    fn each_bucket_keeps_its_last_exemplar() {
        let mut histogram = Histogram::new(BOUNDS);
        histogram.observe(9.0, Some(witness(1)));
        histogram.observe(0.5, Some(witness(2)));
        histogram.observe(10.0, Some(witness(3)));
        histogram.observe(11.0, None);
        let seen: Vec<_> = distribution(&histogram)
            .exemplars
            .into_iter()
            .map(|(bucket, e)| (bucket, e.value, e.time_unix_nano))
            .collect();
        assert_eq!(seen, [(0, 0.5, 2), (2, 10.0, 3)]);
    }

    #[test]
    fn a_total_stops_at_its_end_instead_of_starting_over() {
        let mut total = Total::default();
        total.add(u64::MAX - 1, None);
        total.add(7, Some(witness(1)));
        assert!(matches!(total.read(), Value::Integer(u64::MAX, Some(exemplar)) if exemplar.value == 7.0));
    }
}
