//! `dragoman`: configuration first, then ports, then telemetry; another configuration when there is one;
//! until a signal, or a defect, asks for the end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::files::Files;
use super::{ConfigOptions, ENVIRONMENT, EXIT_CONFIGURATION, EXIT_DEFECT, EXIT_LOST, Run, plan, read_from, sources};
use crate::log::Log;
use crate::service::plan::Plan;
use crate::service::start::{Address, Reloaded, Running, StartError, start};
use crate::service::stop::Stopped;

/// What is said of a configuration that is read again and is no good.
const NOT_TAKEN: &str = "this configuration is not taken; the one before it stays in force";

pub(super) fn run(config: &ConfigOptions, options: &Run) -> ExitCode {
    let loaded = sources(config).and_then(|sources| {
        let files = Files::new(sources, !options.no_config_watch);
        plan(files.taken()).map(|(plan, warnings)| (files, plan, warnings))
    });
    let (files, plan, warnings) = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            eprintln!("dragoman does not start: nothing was bound, nothing was accepted");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    let log = Log::start(&plan.telemetry.logs, ENVIRONMENT);
    tracing::info!("the configuration is read from {}", read_from(files.taken()));
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("dragoman does not start: the system gives no threads: {error}");
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    let times = Times::of(options.shutdown_timeout);
    let code = runtime.block_on(serve(plan, files, log.clone(), times));
    log.end();
    // A name that is still being resolved, or a page that is written, must not hold up the end.
    runtime.shutdown_background();
    code
}

/// How `--shutdown-timeout` is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    /// Requests in flight get this long to finish.
    drain: Duration,
    /// Then the exporters' queues this long to empty.
    deliver: Duration,
}

impl Times {
    fn of(shutdown_timeout: Duration) -> Times {
        let drain = shutdown_timeout / 5;
        Times { drain, deliver: shutdown_timeout - drain }
    }
}

/// Where the configuration comes from, what asks for it again, and what of it is not the service's.
struct Configuration {
    files: Files,
    hangup: Signal,
    log: Log,
}

/// The signals that ask for the end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Why the program ends.
enum End {
    Asked(&'static str),
    /// A part of it did, by a defect.
    Died(String),
}

async fn serve(plan: Plan, files: Files, log: Log, times: Times) -> ExitCode {
    let (Ok(mut signals), Ok(hangup)) = (Signals::new(), signal(SignalKind::hangup())) else {
        tracing::error!("dragoman does not start: the system lets it handle no signals");
        return ExitCode::from(EXIT_CONFIGURATION);
    };
    tokio::spawn(log.clone().turn());
    let mut configuration = Configuration { files, hangup, log };
    let mut running = match start(plan, times.drain, Arc::new(|| Box::new(std::io::stdout()))).await {
        Ok(running) => running,
        Err(error) => return refuse(&error),
    };
    announce(running.addresses());
    tracing::info!("ready");
    let end = live(&mut running, &mut configuration, &mut signals, times).await;
    match &end {
        End::Asked(name) => {
            tracing::info!("{name}: taking no more requests, delivering what is queued; a second signal ends at once");
        }
        End::Died(part) => {
            tracing::error!("taking no more requests and delivering what is queued, since {part} is gone")
        }
    }
    tokio::select! {
        stopped = running.stop(times.deliver) => {
            configuration.log.end();
            say(stopped, times);
            ExitCode::from(code(&end, stopped))
        }
        name = signals.end() => {
            configuration.log.end();
            tracing::error!("{name} again: leaving now; what was queued is lost");
            ExitCode::from(EXIT_LOST)
        }
    }
}

/// Takes other configurations, until the end.
async fn live(running: &mut Running, configuration: &mut Configuration, signals: &mut Signals, times: Times) -> End {
    loop {
        let again = tokio::select! {
            biased;
            name = signals.end() => return End::Asked(name),
            part = running.death() => return End::Died(part),
            _ = configuration.hangup.recv() => "SIGHUP",
            () = configuration.files.changed() => "a file of the configuration changed",
        };
        if again == "SIGHUP" {
            configuration.log.reopen();
        }
        tracing::info!("{again}: reading the configuration again");
        let reload = async {
            if again == "SIGHUP" {
                configuration.files.take().await;
            }
            take(running, configuration, times).await;
        };
        // Nothing is done by half if it is given up: a plan is taken in one step.
        tokio::select! {
            () = reload => {}
            name = signals.end() => return End::Asked(name),
        }
    }
}

/// Puts the configuration in force that the files hold, if it is a good one.
async fn take(running: &mut Running, configuration: &Configuration, times: Times) {
    let (plan, warnings) = match plan(configuration.files.taken()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            // Counted before it is said, as every other outcome.
            running.reload_was_invalid();
            problems.lines().for_each(|problem| tracing::error!("{problem}"));
            tracing::error!("{NOT_TAKEN}");
            return;
        }
    };
    let logs = plan.telemetry.logs.clone();
    let before = running.addresses().to_vec();
    match running.reload(plan, times.deliver).await {
        Ok(Reloaded::Unchanged) => tracing::info!("the configuration says what it said before"),
        Ok(Reloaded::Applied) => {
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            configuration.log.set(&logs);
            let new = running.addresses().iter().filter(|address| !before.contains(address)).cloned();
            announce(&new.collect::<Vec<_>>());
            tracing::info!("the configuration is in force");
        }
        Err(error) => {
            tracing::error!("{error}");
            tracing::error!("{NOT_TAKEN}");
        }
    }
}

/// 0 only if all that was accepted has been delivered or counted, and every request answered.
fn code(end: &End, stopped: Stopped) -> u8 {
    match end {
        End::Died(_) => EXIT_DEFECT,
        End::Asked(_) if stopped.drained && stopped.lost == 0 => 0,
        End::Asked(_) => EXIT_LOST,
    }
}

fn say(stopped: Stopped, times: Times) {
    match stopped {
        Stopped { lost: 0, drained: true } => {
            tracing::info!("stopped; everything that was accepted was delivered or counted");
        }
        Stopped { lost: 0, drained: false } => {
            tracing::error!("stopped; requests that did not end in {:?} were cut off unanswered", times.drain);
        }
        Stopped { lost, .. } => tracing::error!("stopped with {lost} items undelivered; they are lost"),
    }
}

fn refuse(error: &StartError) -> ExitCode {
    tracing::error!("{error}");
    tracing::error!("dragoman does not start: nothing was accepted");
    ExitCode::from(EXIT_CONFIGURATION)
}

fn announce(addresses: &[Address]) {
    for address in addresses {
        tracing::info!("{} on {} ({})", address.what, address.address, address.id);
    }
    for address in addresses.iter().filter(|address| is_open(address)) {
        tracing::warn!(
            "{} ({}) can be reached from the network, and nothing asks who sends; bind it to 127.0.0.1 or to the pod's \
             address, ask for credentials (auth) or certificates (tls.client_ca_file), or keep others out by other means",
            address.address,
            address.id
        );
    }
}

/// Whether anybody on the network is let in.
fn is_open(address: &Address) -> bool {
    !address.address.ip().is_loopback() && !address.is_guarded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments;

    #[test]
    fn what_is_lost_is_in_the_exit_code() {
        let asked = End::Asked("SIGTERM");
        for (drained, lost, expected) in [(true, 0, 0), (true, 1, EXIT_LOST), (false, 0, EXIT_LOST)] {
            assert_eq!(code(&asked, Stopped { drained, lost }), expected);
            assert_eq!(code(&End::Died("a task".into()), Stopped { drained, lost }), EXIT_DEFECT);
        }
    }

    #[test]
    fn the_default_fits_into_what_kubernetes_gives() {
        let times = Times::of(arguments::duration(arguments::SHUTDOWN_TIMEOUT).unwrap());
        assert_eq!(times, Times { drain: Duration::from_secs(5), deliver: Duration::from_secs(20) });
        assert!(times.drain + times.deliver < Duration::from_secs(30));
    }
}
