//! Points that are the sum of two others: Spring AI counts tokens by type `input`, `output` and
//! `total` under one name, so that whoever adds them up counts each token twice. A total that is
//! exactly that goes; one that says more stays.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::convention::TOKEN_TYPE;
use crate::otlp::metrics::{Number, Point};

/// Which of a sum's points are totals of other points of it.
pub(super) fn redundant(points: &[Point<'_>]) -> Vec<usize> {
    let is = |point: &Point<'_>, word: &str| point.get(TOKEN_TYPE).is_some_and(|value| value.as_str() == Some(word));
    let totals: Vec<usize> =
        (0..points.len()).filter(|&place| points.get(place).is_some_and(|p| is(p, "total"))).collect();
    if totals.is_empty() {
        return totals;
    }
    let hasher = RandomState::default();
    let mut parts: HashMap<u64, f64, RandomState> = HashMap::default();
    for point in points.iter().filter(|point| is(point, "input") || is(point, "output")) {
        if let Some(amount) = amount(point) {
            *parts.entry(series(point, &hasher)).or_default() += amount;
        }
    }
    let is_sum = |place: &usize| {
        points.get(*place).is_some_and(|point| {
            let sum = parts.get(&series(point, &hasher));
            sum.is_some() && sum.copied() == amount(point)
        })
    };
    totals.into_iter().filter(is_sum).collect()
}

/// Token counts are far below the numbers that a double cannot hold.
fn amount(point: &Point<'_>) -> Option<f64> {
    point.number().map(|number| match number {
        Number::Int(number) => number as f64,
        Number::Double(number) => number,
    })
}

/// What tells series apart besides the token type, and when they began and were measured.
fn series(point: &Point<'_>, hasher: &RandomState) -> u64 {
    let mut attributes: Vec<_> =
        point.attributes().filter(|(key, _)| *key != TOKEN_TYPE).map(|(key, value)| (key, value.as_bytes())).collect();
    attributes.sort_unstable();
    hasher.hash_one((attributes, point.start_time_unix_nano(), point.time_unix_nano()))
}
