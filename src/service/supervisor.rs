//! The long-lived tasks of the program, by name. One that ends before it was asked to has met a
//! defect, and without it the program would live on by half: so that is said (log, a counter, the health
//! page turns 503 and names it), and whoever runs the program is told to end it in good order.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::defect;
use crate::extension::health::Health;
use crate::metrics::own::{Counters, Registry, known};

/// Watches over tasks; clones are the same supervisor.
#[derive(Debug, Clone)]
pub(super) struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    health: Health,
    deaths: Counters,
    /// The first task that died.
    first: watch::Sender<Option<String>>,
}

impl Supervisor {
    pub(super) fn new(own: &Registry, health: Health) -> Self {
        Supervisor(Arc::new(Inner { health, deaths: known::task_deaths(own), first: watch::Sender::new(None) }))
    }

    /// Starts a task that is to live until `asked` is cancelled. What it returned; `None` if it panicked.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        name: impl Into<String>,
        asked: &CancellationToken,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        let (supervisor, name, asked) = (self.clone(), name.into(), asked.clone());
        tokio::spawn(async move {
            match defect::caught(task).await {
                Ok(done) => {
                    if !asked.is_cancelled() {
                        supervisor.died(&name, "it ended and nobody had asked for it");
                    }
                    Some(done)
                }
                // Also at the end: what it was to finish, it has not.
                Err(panic) => {
                    supervisor.died(&name, &panic);
                    None
                }
            }
        })
    }

    /// `name` ended by a defect.
    pub(super) fn died(&self, name: &str, how: &str) {
        tracing::error!(
            "{name} ended by a defect of dragoman: {how}; the program ends, since it would live on by half"
        );
        self.0.deaths.with(&[name]).increment();
        self.0.health.died(name);
        self.0.first.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert_with(|| name.to_owned());
            is_first
        });
    }

    /// Waits until a task has died; the first one's name.
    pub(super) async fn death(&self) -> String {
        let mut first = self.0.first.subscribe();
        loop {
            if let Some(name) = &*first.borrow_and_update() {
                return name.clone();
            }
            // The sender is in `self`, so that this cannot fail.
            drop(first.changed().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_task_that_was_not_asked_to_end_has_died() {
        let (own, health) = (Registry::new(), Health::new());
        health.set_ready(true);
        let supervisor = Supervisor::new(&own, health.clone());
        let stop = CancellationToken::new();
        let sound = supervisor.spawn("sound", &stop, stop.clone().cancelled_owned());
        stop.cancel();
        assert_eq!(sound.await.unwrap(), Some(()));
        assert!(health.is_ready());
        let deaths = known::task_deaths(&own);
        assert_eq!(deaths.with(&["sound"]).get(), 0);

        let open = CancellationToken::new();
        assert_eq!(supervisor.spawn("early", &open, async { 7 }).await.unwrap(), Some(7));
        assert_eq!(supervisor.death().await, "early");
        assert!(!health.is_ready());
        let defect = supervisor.spawn("defect", &open, async { panic!("a task with a defect") });
        assert_eq!(defect.await.unwrap(), None::<()>);
        assert_eq!(supervisor.death().await, "early", "the first one is the cause");
        assert_eq!(["early", "defect"].map(|name| deaths.with(&[name]).get()), [1, 1]);
    }
}
