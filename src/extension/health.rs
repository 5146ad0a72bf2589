//! `health_check`: whether the program takes telemetry, as the Collector's extension of that name
//! says it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tokio::time::Instant;

use crate::net::Get;

/// The state that the endpoint tells; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// When the program became ready; `None` while it is not.
    ready: Option<(SystemTime, Instant)>,
    /// What ended that should not have. From then on nothing is ready.
    dead: Option<String>,
}

impl Health {
    /// A program that is not ready yet.
    pub fn new() -> Self {
        Health::default()
    }

    /// The listeners accept from now on, or no longer do.
    pub fn set_ready(&self, ready: bool) {
        let mut state = self.state();
        match (state.ready, ready) {
            (None, true) if state.dead.is_none() => state.ready = Some((SystemTime::now(), Instant::now())),
            (Some(_), false) => state.ready = None,
            _ => {}
        }
    }

    /// A part of the program ended by a defect; what is ready without it is not said anymore.
    pub fn died(&self, part: &str) {
        let mut state = self.state();
        state.ready = None;
        state.dead.get_or_insert_with(|| part.to_owned());
    }

    /// Whether the listeners accept.
    pub fn is_ready(&self) -> bool {
        self.state().ready.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The endpoint's handler for [`crate::net::serve`]: `path` (usually `/`), and 404 elsewhere.
    pub fn handler(&self, path: &str) -> Get<impl Fn(&Parts) -> Response<Full<Bytes>> + use<>> {
        let (health, path) = (self.clone(), path.to_owned());
        Get(move |head: &Parts| {
            if head.uri.path() != path {
                return page(StatusCode::NOT_FOUND, "{\"status\":\"No such page\"}".to_owned());
            }
            health.page()
        })
    }

    fn page(&self) -> Response<Full<Bytes>> {
        let (ready, dead) = {
            let state = self.state();
            (state.ready, state.dead.clone())
        };
        let (code, status, since, uptime) = match ready {
            Some((since, instant)) => {
                (StatusCode::OK, "Server available".to_owned(), rfc3339(since), go_duration(instant.elapsed()))
            }
            None => {
                let why = dead.map_or(String::new(), |part| format!(": {part} ended by a defect"));
                // The Collector's zero time.
                let since = "0001-01-01T00:00:00Z".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, format!("Server not available{why}"), since, String::new())
            }
        };
        // A component's name may hold any character.
        let status = serde_json::Value::from(status);
        page(code, format!("{{\"status\":{status},\"upSince\":\"{since}\",\"uptime\":\"{uptime}\"}}"))
    }
}

fn page(code: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A time in UTC, with nanoseconds.
fn rfc3339(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since_epoch.as_secs() / 86_400, since_epoch.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z", since_epoch.subsec_nanos())
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March, so that the
/// leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// As Go prints a duration of a second or more: `1h2m3.5s`.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = format!("{:09}", duration.subsec_nanos());
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let seconds = format!("{}{point}{fraction}s", seconds % 60);
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_collector_writes_them() {
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::new(951_782_400, 5)), "2000-02-29T00:00:00.000000005Z");
        assert_eq!(rfc3339(UNIX_EPOCH + Duration::new(1_735_689_599, 0)), "2024-12-31T23:59:59.000000000Z");
        assert_eq!(rfc3339(UNIX_EPOCH), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(go_duration(Duration::from_millis(3_723_500)), "1h2m3.5s");
        assert_eq!(go_duration(Duration::from_secs(60)), "1m0s");
        assert_eq!(go_duration(Duration::ZERO), "0s");
    }

    fn ask(health: &Health, method: &str, path: &str) -> Response<Full<Bytes>> {
        let (head, ()) = http::Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        health.handler("/").answer(&head)
    }

    #[test]
    fn readiness_is_the_status() {
        let health = Health::new();
        assert_eq!(ask(&health, "GET", "/").status(), 503);
        health.set_ready(true);
        assert_eq!(ask(&health, "GET", "/").status(), 200);
        assert_eq!(ask(&health, "GET", "/other").status(), 404);
        assert_eq!(ask(&health, "POST", "/").status(), 405);
        health.set_ready(false);
        assert_eq!(ask(&health, "GET", "/").status(), 503);
    }

    #[test]
    fn what_died_is_named_and_nothing_is_ready_after_it() {
        let health = Health::new();
        health.set_ready(true);
        health.died("exporter otlp_grpc/\"a\"");
        health.died("what fell over it");
        health.set_ready(true);
        assert!(!health.is_ready());
        let page = health.page();
        assert_eq!(page.status(), 503);
        let body = format!("{:?}", page.body());
        assert!(body.contains(r#"exporter otlp_grpc/\\\"a\\\" ended by a defect"#), "{body}");
    }
}
