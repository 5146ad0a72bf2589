//! Where lines go: standard error, standard output, files. A file that cannot be written costs no line:
//! they go to standard error until it can.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tracing::Level;

use super::form::{Form, Repeated};
use super::record::Record;

/// Between two attempts to open a file that could not be written.
const AGAIN: Duration = Duration::from_secs(10);

/// One of `output_paths`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// `stderr`.
    Stderr,
    /// `stdout`.
    Stdout,
    /// A file, to whose end lines are added.
    File(PathBuf),
}

/// Writes records as lines.
#[derive(Debug)]
pub(super) struct Sink {
    form: Form,
    outputs: Vec<Output>,
}

#[derive(Debug)]
struct Output {
    to: To,
    is_colored: bool,
    file: Option<File>,
    /// When it could not be written last.
    failed: Option<Instant>,
    /// It ends in the middle of a line.
    is_torn: bool,
}

impl Sink {
    /// Opens what is to be opened; says what cannot be.
    pub(super) fn open(form: Form, outputs: &[To]) -> Sink {
        let mut sink = Sink { form, outputs: outputs.iter().cloned().map(Output::new).collect() };
        sink.reopen();
        sink
    }

    /// Opens every file anew, which another program may have moved away.
    pub(super) fn reopen(&mut self) {
        for output in &mut self.outputs {
            output.open(&self.form);
        }
    }

    /// Writes a line to every output.
    pub(super) fn write(&mut self, record: &Record, repeated: Option<Repeated>) {
        let now = SystemTime::now();
        let line = |is_colored| self.form.line(now, record, repeated, is_colored);
        let plain = line(false);
        for output in &mut self.outputs {
            match output.is_colored {
                true => output.write(line(true).as_bytes(), &self.form),
                false => output.write(plain.as_bytes(), &self.form),
            }
        }
    }
}

impl Output {
    fn new(to: To) -> Output {
        let is_terminal = match to {
            To::Stderr => io::stderr().is_terminal(),
            To::Stdout => io::stdout().is_terminal(),
            To::File(_) => false,
        };
        let is_colored = is_terminal && std::env::var_os("NO_COLOR").is_none();
        Output { to, is_colored, file: None, failed: None, is_torn: false }
    }

    /// Opens the file, if it is one, and lets go of the one that was open.
    fn open(&mut self, form: &Form) {
        let To::File(path) = &self.to else { return };
        match OpenOptions::new().append(true).create(true).open(path) {
            Ok(file) => {
                self.file = Some(file);
                self.is_torn = false;
                if self.failed.take().is_some() {
                    self.own(
                        form,
                        Level::INFO,
                        "the log is written here again; meanwhile lines went to standard error",
                    );
                }
            }
            Err(error) => {
                self.file = None;
                self.fail(form, &error);
            }
        }
    }

    fn write(&mut self, line: &[u8], form: &Form) {
        if matches!(self.to, To::File(_)) {
            if self.failed.is_some_and(|failed| failed.elapsed() >= AGAIN) {
                self.open(form);
            }
            if self.failed.is_none() {
                match self.append(line) {
                    Ok(()) => return,
                    Err(error) => self.fail(form, &error),
                }
            }
            return to_stderr(line);
        }
        match self.to {
            // Whoever reads it may have gone away; there is nobody to tell.
            To::Stdout => io::stdout().lock().write_all(line).unwrap_or_default(),
            To::Stderr | To::File(_) => to_stderr(line),
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        if self.is_torn {
            file.write_all(b"\n")?;
        }
        // A disk that is full may take a part of it.
        self.is_torn = true;
        file.write_all(line)?;
        self.is_torn = false;
        Ok(())
    }

    /// Said once, until it can be written again.
    fn fail(&mut self, form: &Form, error: &io::Error) {
        if self.failed.replace(Instant::now()).is_some() {
            return;
        }
        let To::File(path) = &self.to else { return };
        let message =
            format!("the log {} cannot be written: {error}; lines go to standard error until it can", path.display());
        to_stderr(form.line(SystemTime::now(), &Record::own(Level::ERROR, message), None, false).as_bytes());
    }

    fn own(&mut self, form: &Form, level: Level, message: &str) {
        let line = form.line(SystemTime::now(), &Record::own(level, message.to_owned()), None, false);
        self.write(line.as_bytes(), form);
    }
}

fn to_stderr(line: &[u8]) {
    io::stderr().lock().write_all(line).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sink(path: &std::path::Path) -> Sink {
        Sink::open(Form::default(), &[To::File(path.to_owned())])
    }

    fn say(sink: &mut Sink, message: &str) {
        sink.write(&Record::own(Level::INFO, message.into()), None);
    }

    /// What stands in the file, without times.
    fn lines(path: &std::path::Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split_once(" INFO log: ").map_or(line, |(_, said)| said).to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_added_to_and_opened_anew_when_it_was_moved() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
        fs::write(&path, "before\n").unwrap();
        let mut sink = sink(&path);
        say(&mut sink, "a");
        fs::rename(&path, &moved).unwrap();
        say(&mut sink, "b");
        sink.reopen();
        say(&mut sink, "c");
        assert_eq!((lines(&moved), lines(&path)), (vec!["before".into(), "a".into(), "b".into()], vec!["c".into()]));
        // It cannot be opened anew: what nobody would find is not written to, either.
        fs::remove_dir_all(folder.path()).unwrap();
        sink.reopen();
        assert!(sink.outputs[0].file.is_none() && sink.outputs[0].failed.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_cannot_be_written_is_tried_again_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not-yet").join("log");
        let mut sink = sink(&path);
        say(&mut sink, "to standard error");
        fs::create_dir(path.parent().unwrap()).unwrap();
        say(&mut sink, "to standard error, too");
        assert!(!path.exists());
        tokio::time::advance(AGAIN).await;
        say(&mut sink, "a");
        assert_eq!(lines(&path), ["the log is written here again; meanwhile lines went to standard error", "a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_disk_is_told_once_and_tears_no_line() {
        let mut sink = sink(std::path::Path::new("/dev/full"));
        assert!(sink.outputs[0].failed.is_none(), "it can be opened");
        say(&mut sink, "a");
        let failed = sink.outputs[0].failed;
        assert!(failed.is_some() && sink.outputs[0].is_torn);
        say(&mut sink, "b");
        assert_eq!(sink.outputs[0].failed, failed, "it is not tried again at once");
        // Space again: what was torn is ended before the next line.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "half a li").unwrap();
        sink.outputs[0].file = Some(OpenOptions::new().append(true).open(&path).unwrap());
        sink.outputs[0].append(b"c\n").unwrap();
        assert_eq!(lines(&path), ["half a li", "c"]);
    }
}
