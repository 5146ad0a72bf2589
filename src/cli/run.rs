//! `dragoman`: configuration first, then ports, then telemetry; until a signal asks for the end.

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{EXIT_CONFIGURATION, EXIT_LOST, load, log};
use crate::service::plan::Plan;
use crate::service::start::{Address, Running, StartError, start};
use crate::service::stop::Stopped;

/// Requests in flight get this long to finish.
const DRAIN: Duration = Duration::from_secs(5);
/// Then the exporters' queues this long to empty. Together below the 30 s that Kubernetes gives.
const DELIVER: Duration = Duration::from_secs(20);

pub(super) fn run(config: &[String]) -> ExitCode {
    let (plan, warnings) = match load(config) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            eprintln!("dragoman does not start: nothing was bound, nothing was accepted");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    log::start(plan.telemetry.log_level);
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("dragoman does not start: the system gives no threads: {error}");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    let code = runtime.block_on(serve(plan));
    // A name that is still being resolved, or a page that is written, must not hold up the end.
    runtime.shutdown_background();
    code
}

async fn serve(plan: Plan) -> ExitCode {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("dragoman does not start: the system lets it handle no signals");
        return ExitCode::from(EXIT_CONFIGURATION);
    };
    let running = match start(plan, DRAIN, &|| Box::new(std::io::stdout())).await {
        Ok(running) => running,
        Err(error) => return refuse(&error),
    };
    announce(&running);
    let name = asked_to_end(&mut terminate, &mut interrupt).await;
    tracing::info!("{name}: taking no more requests, delivering what is queued; a second signal ends at once");
    tokio::select! {
        stopped = running.stop(DELIVER) => {
            say(stopped);
            ExitCode::from(code(stopped))
        }
        name = asked_to_end(&mut terminate, &mut interrupt) => {
            tracing::error!("{name} again: leaving now; what was queued is lost");
            ExitCode::from(EXIT_LOST)
        }
    }
}

/// 0 only if all that was accepted has been delivered or counted, and every request answered.
fn code(stopped: Stopped) -> u8 {
    if stopped.drained && stopped.lost == 0 { 0 } else { EXIT_LOST }
}

fn say(stopped: Stopped) {
    match stopped {
        Stopped { lost: 0, drained: true } => {
            tracing::info!("stopped; everything that was accepted was delivered or counted");
        }
        Stopped { lost: 0, drained: false } => {
            tracing::error!("stopped; requests that did not end in {DRAIN:?} were cut off unanswered");
        }
        Stopped { lost, .. } => tracing::error!("stopped with {lost} items undelivered; they are lost"),
    }
}

fn refuse(error: &StartError) -> ExitCode {
    tracing::error!("{error}");
    tracing::error!("dragoman does not start: nothing was accepted");
    ExitCode::from(EXIT_CONFIGURATION)
}

fn announce(running: &Running) {
    for address in running.addresses() {
        tracing::info!("{} on {} ({})", address.what, address.address, address.id);
    }
    for address in running.addresses().iter().filter(|address| is_open(address)) {
        tracing::warn!(
            "{} ({}) can be reached from the network, and nothing asks who sends; bind it to 127.0.0.1 or to the pod's \
             address, ask for credentials (auth) or certificates (tls.client_ca_file), or keep others out by other means",
            address.address,
            address.id
        );
    }
    tracing::info!("ready");
}

/// Whether anybody on the network is let in.
fn is_open(address: &Address) -> bool {
    !address.address.ip().is_loopback() && !address.is_guarded
}

async fn asked_to_end(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_in_the_exit_code() {
        for (drained, lost, expected) in [(true, 0, 0), (true, 1, EXIT_LOST), (false, 0, EXIT_LOST)] {
            assert_eq!(code(Stopped { drained, lost }), expected);
        }
    }
}
