//! The program's own log: which lines are written (`levels`, by the parts of the program in
//! `targets`), how they look (`form`), where they go (`output`), and how a failure that repeats
//! stays one line (`repeats`).
//!
//! Whoever writes a line uses `tracing`'s macros and escapes the foreign text in it; that a line stays
//! one line, has an end, and speaks to no terminal does not depend on everybody's having done so.
//!
//! What is off costs nothing: whether a place in the source is written is decided once, kept by `tracing`
//! at that place, and asked again when levels change.

mod form;
mod levels;
mod output;
mod record;
mod repeats;
mod settings;
mod targets;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::{Interest, Subscriber, set_global_default};
use tracing::{Event, Level, Metadata};

pub use form::Encoding;
pub use levels::{Levels, VARIABLE};
pub use output::To;
pub use repeats::Sampling;
pub use settings::Logs;

use form::Form;
use levels::Decided;
use output::Sink;
use record::Record;
use repeats::{Repeats, Summary};
use targets::TARGETS;

use crate::config::Environment;

/// The log while the program runs; clones are the same one.
#[derive(Debug, Clone)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What the environment says, over every configuration.
    environment: Levels,
    levels: RwLock<Decided>,
    state: Mutex<State>,
    /// Something is held back that was not.
    held_back: Notify,
}

#[derive(Debug)]
struct State {
    sink: Sink,
    repeats: Repeats,
}

/// What in the environment's levels means nothing, in sentences.
pub fn mistakes(environment: Environment<'_>) -> Vec<String> {
    Levels::parse(&environment(VARIABLE).unwrap_or_default()).1
}

impl Log {
    /// A log that nobody writes to yet.
    fn new(settings: &Logs, environment: Environment<'_>) -> Log {
        let (above, mistakes) = Levels::parse(&environment(VARIABLE).unwrap_or_default());
        let levels = RwLock::new(Decided::of(&settings.levels, &above));
        let mut state = State::new(settings);
        for mistake in mistakes {
            // Whatever the level is: who set it may have meant another one.
            state.sink.write(&Record::own(Level::WARN, mistake), None);
        }
        Log(Arc::new(Shared { environment: above, levels, state: Mutex::new(state), held_back: Notify::new() }))
    }

    /// Starts the log of the program; called once.
    pub fn start(settings: &Logs, environment: Environment<'_>) -> Log {
        let log = Log::new(settings, environment);
        if set_global_default(Lines(log.clone())).is_err() {
            log.0.state().sink.write(&Record::own(Level::ERROR, "there is another log already".to_owned()), None);
        }
        log
    }

    /// Another configuration is in force.
    pub fn set(&self, settings: &Logs) {
        self.end();
        *self.0.state() = State::new(settings);
        *self.0.levels.write().unwrap_or_else(PoisonError::into_inner) =
            Decided::of(&settings.levels, &self.0.environment);
        tracing::callsite::rebuild_interest_cache();
    }

    /// Opens files anew, which another program may have moved away.
    pub fn reopen(&self) {
        self.0.state().sink.reopen();
    }

    /// Says what was held back, when its time is over; ends never.
    pub async fn turn(self) {
        loop {
            let next = self.0.state().repeats.next();
            match next {
                None => self.0.held_back.notified().await,
                Some(next) => {
                    sleep_until(next).await;
                    self.0.state().tell(|repeats| repeats.due(Instant::now()));
                }
            }
        }
    }

    /// Says what was held back until now.
    pub fn end(&self) {
        self.0.state().tell(|repeats| repeats.all(Instant::now()));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(settings: &Logs) -> State {
        let form = Form { encoding: settings.encoding, fields: settings.initial_fields.clone() };
        State { sink: Sink::open(form, &settings.outputs), repeats: Repeats::new(settings.sampling) }
    }

    fn tell(&mut self, what: impl FnOnce(&mut Repeats) -> Vec<Summary>) {
        for (record, repeated) in what(&mut self.repeats) {
            self.sink.write(&record, Some(repeated));
        }
    }
}

/// The end of `tracing` that writes lines. Spans are nobody's business here.
struct Lines(Log);

impl Lines {
    fn allows(&self, metadata: &Metadata<'_>) -> bool {
        self.0.0.levels.read().unwrap_or_else(PoisonError::into_inner).allows(metadata)
    }
}

/// Whether a line may be held back: failures and what goes with them, not what tells of the program's
/// life, and not what somebody asked for line by line.
fn is_held_back(metadata: &Metadata<'_>) -> bool {
    let target = TARGETS.get(targets::of_module(metadata.target()));
    *metadata.level() <= Level::INFO && target.is_some_and(|target| target.is_held_back)
}

impl Subscriber for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.allows(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.0.levels.read().unwrap_or_else(PoisonError::into_inner).most())
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &SpanRecord<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        // Before the lock: it may call whatever is shown.
        let record = Record::of(event);
        let shared = &self.0.0;
        let mut state = shared.state();
        if is_held_back(event.metadata()) && !state.repeats.admits(event.metadata().callsite(), &record, Instant::now())
        {
            shared.held_back.notify_one();
            return;
        }
        state.sink.write(&record, None);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
