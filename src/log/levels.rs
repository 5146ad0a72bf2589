//! Which lines are written: a level for the whole program and one for each of its parts, from the
//! configuration and, above it, from `DRAGOMAN_LOG`.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;

use super::targets::{self, LIBRARIES, TARGETS};
use crate::config::nearest;

/// The variable, as `DRAGOMAN_LOG=info,exporter=debug`.
pub const VARIABLE: &str = "DRAGOMAN_LOG";

/// The words for levels, as the Collector has them, and the two beyond its ends.
pub(super) const LEVELS: &[(&str, LevelFilter)] = &[
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// Libraries say at `debug` what every frame of a connection holds. They are asked by name only.
const MOST_OF_LIBRARIES: LevelFilter = LevelFilter::WARN;

/// What was said about levels, by one who may say it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Levels {
    /// Of all parts that are not named.
    pub(super) general: Option<LevelFilter>,
    /// Of parts, by their place in the table; later ones win.
    pub(super) parts: Vec<(usize, LevelFilter)>,
}

impl Levels {
    /// Of all parts that are not named; `None` if nothing was said of them.
    pub fn general(&self) -> Option<LevelFilter> {
        self.general
    }

    /// Reads `info,exporter=debug`. Besides the levels: what in it means nothing, in sentences.
    pub(super) fn parse(text: &str) -> (Levels, Vec<String>) {
        let (mut levels, mut mistakes) = (Levels::default(), Vec::new());
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if mistakes.len() >= MOST_MISTAKES {
                mistakes.push("and more; the rest was not read".to_owned());
                break;
            }
            let read = match word.split_once('=') {
                None => level(word).map(|level| levels.general = Some(level)),
                Some((name, word)) => part(name.trim())
                    .and_then(|part| Ok((part, level(word.trim())?)))
                    .map(|part| levels.parts.push(part)),
            };
            if let Err(mistake) = read {
                mistakes.push(format!("{VARIABLE}: {mistake}; the rest of it counts"));
            }
        }
        // Of one part the last word counts, and so many are kept.
        let last: Vec<_> = (0..TARGETS.len())
            .filter_map(|part| levels.parts.iter().rev().find(|(of, _)| *of == part).copied())
            .collect();
        levels.parts = last;
        (levels, mistakes)
    }
}

/// A hostile variable is not told in full.
const MOST_MISTAKES: usize = 16;

fn level(word: &str) -> Result<LevelFilter, String> {
    let known = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    known.map(|(_, level)| *level).ok_or_else(|| unknown(word, "level", LEVELS.iter().map(|(name, _)| *name)))
}

fn part(name: &str) -> Result<usize, String> {
    targets::named(name).ok_or_else(|| unknown(name, "part of the program", targets::names()))
}

fn unknown(word: &str, what: &str, known: impl Iterator<Item = &'static str> + Clone) -> String {
    let shown: String = word.chars().take(64).collect();
    match nearest(word, known.clone()) {
        Some(near) => format!("{shown:?} is no {what}; did you mean {near}?"),
        None => format!("{shown:?} is no {what}; expected one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// The level of every part, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decided([LevelFilter; TARGETS.len()]);

impl Decided {
    /// `above` wins: a general level of it stands over everything in `below`, a part's over that part.
    pub(super) fn of(below: &Levels, above: &Levels) -> Decided {
        let general = above.general.or(below.general).unwrap_or(LevelFilter::INFO);
        let mut levels = [general; TARGETS.len()];
        if let Some(libraries) = levels.get_mut(LIBRARIES) {
            *libraries = general.min(MOST_OF_LIBRARIES);
        }
        let below = if above.general.is_some() { &[][..] } else { &below.parts };
        for (part, level) in below.iter().chain(&above.parts) {
            if let Some(decided) = levels.get_mut(*part) {
                *decided = *level;
            }
        }
        Decided(levels)
    }

    /// Whether such lines are written. Asked once for a place in the source, until levels change.
    pub(super) fn allows(&self, metadata: &Metadata<'_>) -> bool {
        let level = self.0.get(targets::of_module(metadata.target())).copied();
        metadata.is_event() && level.is_some_and(|level| *metadata.level() <= level)
    }

    /// The chattiest of all.
    pub(super) fn most(&self) -> LevelFilter {
        self.0.iter().copied().max().unwrap_or(LevelFilter::OFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(below: &str, above: &str, part: &str) -> LevelFilter {
        let read = |text: &str| {
            let (levels, mistakes) = Levels::parse(text);
            assert!(mistakes.is_empty(), "{mistakes:?}");
            levels
        };
        Decided::of(&read(below), &read(above)).0[targets::named(part).unwrap()]
    }

    #[test]
    fn the_environment_wins_over_the_configuration() {
        for (below, above, part, level) in [
            ("", "", "exporter", LevelFilter::INFO),
            ("warn", "", "exporter", LevelFilter::WARN),
            ("warn,exporter=debug", "", "exporter", LevelFilter::DEBUG),
            ("warn,exporter=debug", "", "net", LevelFilter::WARN),
            ("warn,exporter=debug", "exporter=error", "exporter", LevelFilter::ERROR),
            ("warn,exporter=debug", "net=info", "exporter", LevelFilter::DEBUG),
            // Somebody who asks for everything gets everything.
            ("warn,exporter=error", "debug", "exporter", LevelFilter::DEBUG),
            ("", " Info , EXPORTER = Debug ,,exporter=off", "exporter", LevelFilter::OFF),
            ("trace", "", "libraries", LevelFilter::WARN),
            ("error", "", "libraries", LevelFilter::ERROR),
            ("", "libraries=debug", "libraries", LevelFilter::DEBUG),
        ] {
            assert_eq!(decided(below, above, part), level, "{below} {above} {part}");
        }
    }

    #[test]
    fn what_is_unknown_is_named_with_the_nearest_that_is_known() {
        for (text, said) in [
            ("exportr=debug", "DRAGOMAN_LOG: \"exportr\" is no part of the program; did you mean exporter?"),
            ("exporter=debg", "DRAGOMAN_LOG: \"debg\" is no level; did you mean debug?"),
            (
                "exporter",
                "DRAGOMAN_LOG: \"exporter\" is no level; expected one of off, error, warn, info, debug, trace",
            ),
            ("x\u{1b}=info", "DRAGOMAN_LOG: \"x\\u{1b}\" is no part of the program; expected one of auth, cli, "),
            ("exporter=", "DRAGOMAN_LOG: \"\" is no level; "),
        ] {
            let (levels, mistakes) = Levels::parse(&format!("{text},net=debug"));
            assert_eq!(levels.parts, [(targets::named("net").unwrap(), LevelFilter::DEBUG)], "the rest counts: {text}");
            assert!(mistakes.len() == 1 && mistakes[0].starts_with(said), "{text}: {mistakes:?}");
        }
        let (_, mistakes) = Levels::parse(&"x,".repeat(100_000));
        assert!(mistakes.len() == MOST_MISTAKES + 1);
        let (levels, _) = Levels::parse(&"net=debug,".repeat(100_000));
        assert_eq!(levels.parts.len(), 1);
    }
}
