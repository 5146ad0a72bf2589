//! What happens in the demo: everything is sent, scraped and taken from the backend; and whether all
//! of it is as it should be. How it is told is [`super::story`]'s.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;

use super::backend::Backend;
use super::cases::{self, Case};
use super::sidecar::Sidecar;
use super::spans::{Key, Seen, spans};
use super::tokens::{Tokens, counted};
use crate::cli::explain::default_plan;
use crate::cli::explain::report::{SpanReport, report};
use crate::otlp::Signal;
use crate::otlp::id::SpanId;
use crate::service::trial::Trial;

/// A count is on the scrape within a second of its request's acknowledgement; a busy machine gets more.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at the scrape.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Everything that happened.
pub(super) struct Played {
    pub(super) shows: Vec<Show>,
    /// The scrape, at the end.
    pub(super) page: String,
    /// The sidecar's own metrics, at the end.
    pub(super) self_metrics: String,
    /// What is not as it should be.
    pub(super) problems: Vec<String>,
}

/// One case and what became of it.
pub(super) struct Show {
    pub(super) case: &'static Case,
    pub(super) sent: Vec<Seen>,
    /// What the backend got of it.
    pub(super) exported: HashMap<Key, Seen>,
    pub(super) explained: Vec<SpanReport>,
    pub(super) billed: Tokens,
    /// By how much the scrape grew.
    pub(super) counted: Tokens,
}

impl Show {
    /// What a sum over the exported spans says.
    pub(super) fn summed(&self) -> Tokens {
        self.exported.values().fold(Tokens::default(), |sum, span| sum + span.tokens())
    }
}

/// Plays the demo.
///
/// # Errors
/// What kept it from being played at all.
pub(super) async fn play() -> Result<Played, String> {
    let backend = Backend::start().await?;
    let sidecar = Sidecar::start(backend.address()).await?;
    let trial = Trial::of(&default_plan()?);
    let mut shows = Vec::new();
    let mut total = Tokens::default();
    for case in cases::ALL {
        for (over, request) in case.requests {
            sidecar.send(*over, request).await?;
        }
        let billed = case.billed()?;
        let now = settled(&sidecar, total + billed).await?;
        let bodies: Vec<Bytes> = case.requests.iter().map(|(_, body)| Bytes::from_static(body)).collect();
        let mut sent = Vec::new();
        for body in &bodies {
            sent.extend(spans(body)?);
        }
        let requests: Vec<(Signal, Bytes)> = bodies.into_iter().map(|body| (Signal::Traces, body)).collect();
        let explained = report(&requests, &trial, false).map_err(|error| error.to_string())?.spans;
        shows.push(Show { case, sent, exported: HashMap::new(), explained, billed, counted: now - total });
        total = now;
    }
    let (page, self_metrics) = (sidecar.scrape().await?, sidecar.self_metrics().await?);
    sidecar.stop().await?;
    let mut exported: HashMap<Key, Vec<Seen>> = HashMap::new();
    for body in backend.stop().await {
        for span in spans(&body)? {
            exported.entry(span.key).or_default().push(span);
        }
    }
    // A span that was exported twice belongs once to each case that sent it.
    for show in &mut shows {
        for span in &show.sent {
            if let Some(copy) = exported.get_mut(&span.key).and_then(Vec::pop) {
                show.exported.insert(span.key, copy);
            }
        }
    }
    let mut problems = judge(&shows);
    let (billed, counted) = (shows.iter().fold(Tokens::default(), |sum, show| sum + show.billed), counted(&page));
    if counted != billed {
        problems.push(format!("together: billed {billed} tokens, counted {counted}"));
    }
    let strangers = exported.values().flatten().count();
    if strangers > 0 {
        problems.push(format!("the backend got {strangers} spans more than were sent"));
    }
    Ok(Played { shows, page, self_metrics, problems })
}

/// What the scrape counts once it says `expected`, or at the end of the time that it has for it.
async fn settled(sidecar: &Sidecar, expected: Tokens) -> Result<Tokens, String> {
    let deadline = tokio::time::Instant::now() + COUNTED_WITHIN;
    loop {
        let now = counted(&sidecar.scrape().await?);
        if now == expected || tokio::time::Instant::now() >= deadline {
            return Ok(now);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Everything that is not as it should be, in sentences.
fn judge(shows: &[Show]) -> Vec<String> {
    let mut problems = Vec::new();
    let sent: HashSet<SpanId> = shows.iter().flat_map(|show| &show.sent).map(|span| span.key.1).collect();
    let kept: HashSet<SpanId> = shows.iter().flat_map(|show| show.exported.keys()).map(|(_, id)| *id).collect();
    for show in shows {
        let title = show.case.title;
        if show.counted != show.billed {
            problems.push(format!("{title}: billed {} tokens, counted {}", show.billed, show.counted));
        }
        for span in &show.sent {
            let (sqlite, came) = (span.database() == Some("sqlite"), show.exported.contains_key(&span.key));
            match (sqlite, came) {
                (true, true) => problems.push(format!("{title}: the sqlite span {} came out", span.name)),
                (false, false) => problems.push(format!("{title}: the span {} did not come out", span.name)),
                _ => {}
            }
        }
        let orphans = show.exported.values().filter(|span| {
            // Parents that the recording does not hold were never sent.
            span.parent.is_some_and(|parent| sent.contains(&parent) && !kept.contains(&parent))
        });
        problems.extend(orphans.map(|span| format!("{title}: the parent of {} is gone", span.name)));
        for explained in &show.explained {
            problems.extend(differences(explained, show).map(|what| format!("{title}: {what}")));
        }
    }
    problems
}

/// Where the exported span is not what its explanation says.
fn differences<'s>(explained: &'s SpanReport, show: &'s Show) -> impl Iterator<Item = String> + use<'s> {
    let exported = show.exported.values().find(|span| span.key.1.to_string() == explained.span_id);
    let name = &explained.name.after;
    let named = exported.is_some_and(|span| span.name == *name && span.kind == explained.kind.after);
    let missing = (!named).then(|| format!("{name} did not come out as such"));
    let attributes = explained.keys.iter().filter_map(move |key| {
        let (to, after) = (key.to?, key.after.as_ref()?);
        let same = exported.and_then(|span| span.attributes.get(to)) == Some(after);
        (!same).then(|| format!("{to} of {name} came out as another value"))
    });
    missing.into_iter().chain(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(billed: u64, counted: u64) -> Show {
        let tokens = |input| Tokens { input, output: 1 };
        Show {
            case: &cases::LITELLM,
            sent: Vec::new(),
            exported: HashMap::new(),
            explained: Vec::new(),
            billed: tokens(billed),
            counted: tokens(counted),
        }
    }

    #[test]
    fn a_count_that_is_not_what_was_billed_is_told() {
        assert_eq!(judge(&[show(19, 19)]), Vec::<String>::new());
        let problems = judge(&[show(19, 38)]);
        assert!(problems.iter().any(|problem| problem.contains("billed   19") && problem.contains("counted   38")));
    }

    #[test]
    fn lost_spans_and_orphans_are_told() {
        let body = Bytes::from_static(cases::SERVICE.requests[0].1);
        let mut show = show(1, 1);
        show.sent = spans(&body).unwrap();
        let root = show.sent.iter().find(|span| span.name == "POST /chat-mixed").unwrap().key;
        let kept = show.sent.iter().filter(|span| span.database() != Some("sqlite") && span.key != root);
        show.exported = kept.map(|span| (span.key, span.clone())).collect();
        let problems = judge(&[show]).join("\n");
        assert!(problems.contains("the span POST /chat-mixed did not come out"), "{problems}");
        assert!(problems.contains("the parent of chat gpt-4o-mini is gone"), "{problems}");
    }
}
