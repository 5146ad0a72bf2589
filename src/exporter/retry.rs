//! When the next attempt is: exponential backoff with jitter as in `retry_on_failure`, and the
//! backend's own word where it gave one. Who attempts is in [`super::delivery`].

use std::time::Duration;

use super::observe::Setback;
use super::settings::Retry;

/// The longest delay that a backend can ask for. A backend that says more is wrong about its clock.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The same request would fail again.
    Permanent(String),
    /// The same request may succeed later; after this delay, if the backend named one.
    Retryable(Setback, String, Option<Duration>),
}

/// The state of one batch's backoff.
#[derive(Debug)]
pub(crate) struct Backoff<'s> {
    settings: &'s Retry,
    interval: Duration,
}

impl<'s> Backoff<'s> {
    /// Before the first attempt.
    pub(crate) fn new(settings: &'s Retry) -> Self {
        Backoff { settings, interval: settings.initial_interval.min(settings.max_interval) }
    }

    /// How long to wait for the next attempt, or `None` if there is none. `elapsed` is the time
    /// since the first attempt, `asked` what the backend asked for.
    pub(crate) fn next(&mut self, elapsed: Duration, asked: Option<Duration>) -> Option<Duration> {
        if !self.settings.enabled {
            return None;
        }
        let delay = jitter(self.interval, self.settings.randomization_factor, fastrand::f64());
        let delay = delay.max(asked.unwrap_or_default().min(LONGEST_DELAY));
        self.interval = scale(self.interval, self.settings.multiplier).min(self.settings.max_interval);
        let limit = self.settings.max_elapsed_time;
        (limit.is_zero() || elapsed.saturating_add(delay) <= limit).then_some(delay)
    }
}

/// A delay between `interval * (1 - factor)` and `interval * (1 + factor)`; `random` is from 0 to 1.
fn jitter(interval: Duration, factor: f64, random: f64) -> Duration {
    let factor = factor.clamp(0.0, 1.0);
    scale(interval, 1.0 - factor + 2.0 * factor * random)
}

fn scale(interval: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(interval.as_secs_f64() * factor).unwrap_or(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn exact() -> Retry {
        Retry { randomization_factor: 0.0, ..Retry::default() }
    }

    #[test]
    fn the_defaults_grow_from_five_to_thirty_seconds() {
        let settings = exact();
        let mut backoff = Backoff::new(&settings);
        let delays: Vec<_> = (0..7).map(|_| backoff.next(Duration::ZERO, None).unwrap().as_secs_f64()).collect();
        assert_eq!(delays, [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0]);
    }

    #[test]
    fn jitter_stays_in_its_band() {
        assert_eq!(jitter(10 * SECOND, 0.5, 0.0), 5 * SECOND);
        assert_eq!(jitter(10 * SECOND, 0.5, 1.0), 15 * SECOND);
        assert_eq!(jitter(10 * SECOND, 0.0, 0.7), 10 * SECOND);
    }

    #[test]
    fn the_backend_may_ask_for_more_time_but_not_for_less() {
        let settings = exact();
        assert_eq!(Backoff::new(&settings).next(Duration::ZERO, Some(20 * SECOND)), Some(20 * SECOND));
        assert_eq!(Backoff::new(&settings).next(Duration::ZERO, Some(SECOND)), Some(5 * SECOND));
    }

    #[test]
    fn it_gives_up_after_max_elapsed_time_and_never_if_that_is_zero() {
        let settings = Retry { max_elapsed_time: 10 * SECOND, ..exact() };
        assert_eq!(Backoff::new(&settings).next(5 * SECOND, None), Some(5 * SECOND));
        assert_eq!(Backoff::new(&settings).next(6 * SECOND, None), None);
        let settings = Retry { max_elapsed_time: Duration::ZERO, ..exact() };
        let year = 365 * 24 * 3600 * SECOND;
        assert_eq!(Backoff::new(&settings).next(year, Some(Duration::MAX)), Some(LONGEST_DELAY));
    }

    #[test]
    fn disabled_is_one_attempt() {
        let settings = Retry { enabled: false, ..exact() };
        assert_eq!(Backoff::new(&settings).next(Duration::ZERO, Some(SECOND)), None);
    }

    #[test]
    fn a_hostile_multiplier_cannot_panic() {
        let settings = Retry { multiplier: f64::INFINITY, max_interval: Duration::MAX, ..Retry::default() };
        let mut backoff = Backoff::new(&settings);
        for _ in 0..3 {
            backoff.next(Duration::ZERO, None);
        }
    }
}
