//! How an endpoint writes its page, whoever asks for it: what a configuration says of names, labels
//! and timestamps. What the scraper asks for is [`super::accept`]'s.

/// How families are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Put before every name, with `_` in between; empty for none.
    pub namespace: String,
    /// Labels of every series, keys and values.
    pub const_labels: Vec<(String, String)>,
    /// How names become Prometheus'.
    pub translation: Translation,
    /// Whether a series says when its last point was measured.
    pub send_timestamps: bool,
    /// Whether a family's scope is shown as labels.
    pub scope_labels: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            namespace: String::new(),
            const_labels: Vec::new(),
            translation: Translation::default(),
            send_timestamps: false,
            scope_labels: true,
        }
    }
}

/// How OpenTelemetry's names become Prometheus' ("Prometheus and OpenMetrics Compatibility",
/// `translation_strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Translation {
    /// What Prometheus' classic names cannot have becomes `_`; unit and `_total` are appended.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// What Prometheus' classic names cannot have becomes `_`; nothing is appended.
    UnderscoreEscapingWithoutSuffixes,
    /// Names as they are, where the scraper can read them; unit and `_total` are appended.
    NoUtf8EscapingWithSuffixes,
    /// Names as they are, where the scraper can read them; nothing is appended.
    NoTranslation,
}

impl Translation {
    /// All strategies.
    pub const ALL: [Translation; 4] = [
        Translation::UnderscoreEscapingWithSuffixes,
        Translation::UnderscoreEscapingWithoutSuffixes,
        Translation::NoUtf8EscapingWithSuffixes,
        Translation::NoTranslation,
    ];

    /// Whether unit and `_total` are appended.
    pub(super) const fn adds_suffixes(self) -> bool {
        matches!(self, Translation::UnderscoreEscapingWithSuffixes | Translation::NoUtf8EscapingWithSuffixes)
    }

    /// Whether names are made classic ones, whatever the scraper can read.
    pub(super) const fn is_escaped(self) -> bool {
        matches!(self, Translation::UnderscoreEscapingWithSuffixes | Translation::UnderscoreEscapingWithoutSuffixes)
    }

    /// The value of the `translation_strategy` key.
    pub const fn name(self) -> &'static str {
        match self {
            Translation::UnderscoreEscapingWithSuffixes => "UnderscoreEscapingWithSuffixes",
            Translation::UnderscoreEscapingWithoutSuffixes => "UnderscoreEscapingWithoutSuffixes",
            Translation::NoUtf8EscapingWithSuffixes => "NoUTF8EscapingWithSuffixes",
            Translation::NoTranslation => "NoTranslation",
        }
    }
}
