//! Real processes for tests: started on loopback and free ports, stopped when the test ends,
//! whichever way it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a server may take to come up, or to answer, on a busy machine before the test says that it did
/// not.
const PATIENCE: Duration = Duration::from_secs(120);

/// The lowest port that [`free_port`] gives: above those of databases and the like.
const LOWEST_PORT: u16 = 16_384;

/// A port of loopback that nobody listens on, for what cannot bind port 0 by itself. It is none of those
/// that the system hands out for port 0 and for outgoing connections, so that no other test gets it before
/// it is used; and each is given once, as two processes begin in different places.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let handed_out = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let ports = u32::from(handed_out).saturating_sub(LOWEST_PORT.into()).max(1);
    // A process needs some dozens.
    let first = std::process::id().wrapping_mul(64) % ports;
    let own = (0..ports).map(|_| {
        let place = (first + u32::from(GIVEN.fetch_add(1, Ordering::Relaxed))) % ports;
        LOWEST_PORT + place as u16
    });
    own.take_while(|port| *port < handed_out)
        .find(|port| is_free(*port))
        // Where the system hands out all of them, what is left is one that is free for now.
        .unwrap_or_else(|| TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port())
}

/// What a process printed so far.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grew: Condvar,
}

/// A running process; killed when dropped.
pub struct Running {
    name: String,
    child: Child,
    log: Arc<Log>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts a command and keeps what it prints.
    pub fn start(name: &str, command: &mut Command) -> Running {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let log = Arc::<Log>::default();
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = pipes.into_iter().map(|pipe| {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let mut text = log.text.lock().unwrap();
                    text.push_str(&line);
                    text.push('\n');
                    log.grew.notify_all();
                }
            })
        });
        let readers = readers.collect();
        Running { name: name.to_owned(), child, log, readers }
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        self.log.text.lock().unwrap().clone()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks until `ready` gives an answer; panics with the process' output if it ends or never does.
    pub fn wait_for<T>(&mut self, what: &str, ready: impl FnMut(&str) -> Option<T>) -> T {
        self.wait_long_for(what, PATIENCE, ready)
    }

    /// As [`Running::wait_for`], for servers that need longer.
    pub fn wait_long_for<T>(&mut self, what: &str, patience: Duration, mut ready: impl FnMut(&str) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = ready(&self.log()) {
                return answer;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended ({status}) before {what}:\n{}", self.name, self.log());
            }
            assert!(began.elapsed() < patience, "{}: no {what} after {patience:?}:\n{}", self.name, self.log());
            // Not everything that is waited for prints a line.
            drop(self.log.grew.wait_timeout(self.log.text.lock().unwrap(), Duration::from_millis(20)).unwrap());
        }
    }

    /// Ends it by SIGKILL, in whatever it is doing. The log is complete then.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
    }

    /// Whether it ended by itself.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(sent.success(), "kill -{name}: {sent}");
    }

    /// Waits for the end; the exit code. The log is complete then.
    pub fn wait(&mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.readers.drain(..).for_each(|reader| reader.join().unwrap());
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} did not end:\n{}", self.name, self.log());
    }

    /// Waits until it says that it is ready, or ends.
    pub fn until_ready_or_ended(&mut self) {
        let began = Instant::now();
        while !self.log().lines().any(|line| line.ends_with(" ready")) {
            if self.child.try_wait().unwrap().is_some() {
                self.readers.drain(..).for_each(|reader| reader.join().unwrap());
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{}: neither ready nor ended:\n{}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends SIGTERM and waits; the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Dragoman itself, on ports of its own choosing.
pub struct Dragoman {
    /// The process.
    pub process: Running,
    /// OTLP/gRPC.
    pub grpc: SocketAddr,
    /// OTLP/HTTP.
    pub http: SocketAddr,
    /// The Prometheus exporter's endpoint, if configured.
    pub prometheus: Option<SocketAddr>,
    /// Self-metrics.
    pub own_metrics: SocketAddr,
    /// The health endpoint.
    pub health: SocketAddr,
}

impl Dragoman {
    /// The binary, in an environment that says nothing of OTLP.
    pub fn command() -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dragoman"));
        command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").env("NO_COLOR", "1");
        command
    }

    /// Runs the binary on a configuration whose listeners are all on port 0, and waits until it
    /// is ready.
    pub fn start(config: &Path) -> Dragoman {
        Dragoman::start_with(config, &[])
    }

    /// As [`Dragoman::start`], with more arguments.
    pub fn start_with(config: &Path, arguments: &[&str]) -> Dragoman {
        Dragoman::run(Dragoman::command().arg("--config").arg(config).args(arguments))
    }

    /// As [`Dragoman::start`], with a working folder.
    pub fn start_in(folder: &Path, config: &Path) -> Dragoman {
        Dragoman::run(Dragoman::command().current_dir(folder).arg("--config").arg(config))
    }

    /// As [`Dragoman::start`], with a command of the test's own.
    pub fn run(command: &mut Command) -> Dragoman {
        Dragoman::ready(Running::start("dragoman", command))
    }

    /// Starts the binary, with more arguments, and waits for nothing.
    pub fn spawn(config: &Path, arguments: &[&str]) -> Running {
        Running::start("dragoman", Dragoman::command().arg("--config").arg(config).args(arguments))
    }

    /// Waits until a started binary is ready.
    pub fn ready(mut process: Running) -> Dragoman {
        let log =
            process.wait_for("ready", |log| log.lines().any(|line| line.ends_with(" ready")).then(|| log.to_owned()));
        let address = |what: &str| {
            let mut lines = log.lines().filter(|line| line.contains(what));
            lines
                .find_map(|line| line.split(|c: char| c.is_whitespace() || c == ',').find_map(|word| word.parse().ok()))
        };
        let need = |what: &str| address(what).unwrap_or_else(|| panic!("no address of {what} in:\n{log}"));
        Dragoman {
            grpc: need("OTLP gRPC"),
            http: need("OTLP HTTP"),
            prometheus: address("Prometheus"),
            own_metrics: need("self-metrics"),
            health: need("health"),
            process,
        }
    }
}

/// A file in a folder that goes away with the test.
pub fn file(folder: &tempfile::TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// An HTTP answer.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header lines, in lower case.
    pub head: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// One request over a connection of its own; HTTP/1.0, so that no server sends chunks.
pub fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = format!("{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    // In one piece: a pause between head and body would be this client's slowness, not the server's.
    let sent = stream.write_all(&[request.as_bytes(), body].concat());
    let mut answer = Vec::new();
    #[allow(clippy::disallowed_methods, reason = "limited")]
    let read = stream.take(64 << 20).read_to_end(&mut answer);
    // A server that answers before it has read all may close the connection on the rest.
    if sent.is_ok() || answer.is_empty() {
        read?;
        sent?;
    }
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head, body: answer.split_off((end + 4).min(answer.len())) })
}

/// GET.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    http(address, "GET", path, &[], &[])
}
