//! The program's log on standard error. Whoever writes a line escapes the foreign text in it; that a
//! line stays one line, and speaks to no terminal, does not depend on everybody's having done so.

use std::fmt::{self, Write};
use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::text::write_escaped;

/// The longest value of a field, in characters.
const LONGEST: usize = 4096;

/// Sets how much is written.
pub(super) struct Level(reload::Handle<LevelFilter, Registry>);

impl Level {
    /// From now on.
    pub(super) fn set(&self, level: tracing::Level) {
        // It fails only where there is no log any more.
        drop(self.0.reload(LevelFilter::from_level(level)));
    }
}

/// Starts the log. Called once.
pub(super) fn start(level: tracing::Level) -> Level {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (filter, handle) = reload::Layer::new(LevelFilter::from_level(level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .with_target(false)
        .fmt_fields(fields())
        // It would report a broken standard error on standard error, which panics.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    Level(handle)
}

/// `message name=value name=value`, on one line.
fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    use tracing_subscriber::field::MakeExt;
    debug_fn(|writer, field, value| {
        if field.name() != "message" {
            write!(writer, "{field}=")?;
        }
        let mut line = Line { out: writer, left: LONGEST };
        // A value that was cut is an error of its writing, and no reason to leave out the rest.
        write!(line, "{value:?}").or(if line.left == 0 { Ok(()) } else { Err(fmt::Error) })
    })
    .delimited(" ")
}

/// Writes what stays on its line, and so much of it.
struct Line<'w> {
    out: &'w mut dyn Write,
    left: usize,
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.left == 0 {
                return Err(fmt::Error);
            }
            self.left -= 1;
            match self.left {
                0 => self.out.write_char('…')?,
                _ => write_escaped(self.out, character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> String {
        let shown = Shown::default();
        let writer = shown.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .fmt_fields(fields())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = shown.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_line_is_one_line_whoever_wrote_it() {
        let hostile = "a\nERROR b\r\x1b[2J\0\u{2028}\u{202e}";
        let said = "a\\nERROR b\\r\\u{1b}[2J\\u{0}\\u{2028}\\u{202e}";
        let line = logged(|| tracing::warn!(error = %hostile, n = 5, "said {hostile}"));
        assert_eq!(line, format!(" WARN dragoman::cli::log::tests: said {said} error={said} n=5\n"));
    }

    #[test]
    fn a_line_has_an_end() {
        let line = logged(|| tracing::warn!(error = %"é".repeat(1 << 20), n = 5, "{}", "x".repeat(1 << 20)));
        assert!(line.ends_with("… n=5\n"), "{:.100}", line);
        assert!(line.chars().count() < 3 * LONGEST, "{} characters", line.chars().count());
    }
}
