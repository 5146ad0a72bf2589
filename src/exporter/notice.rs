//! A log line at most once in an interval, with the number of those that were held back: a backend
//! that is down for a night must not fill a disk.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often one kind of line is written.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// One kind of line.
#[derive(Debug, Default)]
pub(crate) struct Notice(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

/// How many lines of this kind were held back since the last one; shown as an ending of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldBack(pub(crate) u64);

impl Notice {
    /// Whether a line may be written now.
    pub(crate) fn due(&self) -> Option<HeldBack> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(HeldBack(std::mem::take(&mut state.held_back)))
    }
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more like this since the last line)"),
            more => write!(f, " (and {more} more like this since the last line)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_an_interval_and_the_rest_counted() {
        let notice = Notice::default();
        assert_eq!(notice.due(), Some(HeldBack(0)));
        assert_eq!((0..1000).filter_map(|_| notice.due()).count(), 0);
        tokio::time::advance(INTERVAL).await;
        assert_eq!(notice.due(), Some(HeldBack(1000)));
        assert_eq!(notice.due(), None);
    }
}
