//! Why a point of an application's metric is not exposed.

/// Why a point is not on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The metric has no name, or one that is too long.
    InvalidName,
    /// A metric of this name and unit is there with another type.
    TypeConflict,
    /// Its sum or histogram is neither cumulative nor delta.
    TemporalityUnspecified,
    /// Its series is cumulative and it is delta, or the other way around.
    TemporalityConflict,
    /// It has no value.
    NoValue,
    /// A sum that is no number, or infinite.
    NotFinite,
    /// A sum that only grows, below zero.
    Negative,
    /// Bounds that do not ascend, or not one bucket more than there are bounds.
    BadBuckets,
    /// The buckets do not add up to the count.
    CountMismatch,
    /// More buckets or quantiles than are kept of one point.
    TooManyBuckets,
    /// An exponential scale that no measurement can have.
    BadScale,
    /// Quantiles outside of 0 to 1, or not ascending.
    BadQuantiles,
    /// More attributes than are kept of one point.
    TooManyAttributes,
    /// It is older than what its series shows.
    OutOfOrder,
    /// What it says is counted.
    Repeated,
    /// Its metric has as many series as it may, and the one for the rest four times as many members.
    CardinalityLimit,
    /// There are as many series as there may be in all.
    SeriesLimit,
    /// Its request cannot be read.
    Malformed,
}

impl Why {
    /// All reasons.
    pub const ALL: [Why; 18] = [
        Why::InvalidName,
        Why::TypeConflict,
        Why::TemporalityUnspecified,
        Why::TemporalityConflict,
        Why::NoValue,
        Why::NotFinite,
        Why::Negative,
        Why::BadBuckets,
        Why::CountMismatch,
        Why::TooManyBuckets,
        Why::BadScale,
        Why::BadQuantiles,
        Why::TooManyAttributes,
        Why::OutOfOrder,
        Why::Repeated,
        Why::CardinalityLimit,
        Why::SeriesLimit,
        Why::Malformed,
    ];

    /// The value of the `reason` label in self-metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Why::InvalidName => "invalid_name",
            Why::TypeConflict => "type_conflict",
            Why::TemporalityUnspecified => "temporality_unspecified",
            Why::TemporalityConflict => "temporality_conflict",
            Why::NoValue => "no_value",
            Why::NotFinite => "not_finite",
            Why::Negative => "negative",
            Why::BadBuckets => "bad_buckets",
            Why::CountMismatch => "count_mismatch",
            Why::TooManyBuckets => "too_many_buckets",
            Why::BadScale => "bad_scale",
            Why::BadQuantiles => "bad_quantiles",
            Why::TooManyAttributes => "too_many_attributes",
            Why::OutOfOrder => "out_of_order",
            Why::Repeated => "repeated",
            Why::CardinalityLimit => "cardinality_limit",
            Why::SeriesLimit => "series_limit",
            Why::Malformed => "malformed",
        }
    }
}

/// What became of the points of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Points that are on the page from now on, the ends of series included.
    pub taken: usize,
    /// Points that are not, by reason, in the order of [`Why::ALL`].
    lost: [usize; Why::ALL.len()],
}

impl Default for Report {
    fn default() -> Self {
        Report { taken: 0, lost: [0; Why::ALL.len()] }
    }
}

impl Report {
    pub(super) fn count(&mut self, outcome: Result<(), Why>) {
        match outcome {
            Ok(()) => self.taken += 1,
            Err(why) => self.lose(why, 1),
        }
    }

    pub(super) fn lose(&mut self, why: Why, points: usize) {
        if let Some(lost) = self.lost.get_mut(why as usize) {
            *lost += points;
        }
    }

    /// How many are not on the page, for each reason that there is.
    pub fn lost(&self) -> impl Iterator<Item = (Why, usize)> {
        Why::ALL.into_iter().zip(self.lost).filter(|(_, points)| *points > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_place_and_a_name_of_its_own() {
        let mut report = Report::default();
        for (place, why) in Why::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, place);
            report.count(Err(why));
        }
        let names: std::collections::HashSet<_> = report.lost().map(|(why, points)| (why.label(), points)).collect();
        assert_eq!(names.len(), Why::ALL.len());
    }
}
