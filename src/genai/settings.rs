//! What a user says about translation: the target, what becomes of originals, and own mappings.

use std::time::Duration;

/// Which conventions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Target {
    /// Core semantic conventions 1.41, the last tag that defines GenAI.
    #[default]
    V1_41,
    /// The untagged GenAI repository.
    Main,
}

impl Target {
    /// As in `processors.genai.target`.
    pub const fn name(self) -> &'static str {
        match self {
            Target::V1_41 => "1.41",
            Target::Main => "main",
        }
    }
}

/// What becomes of a key whose whole content now stands in the target's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Originals {
    /// It is removed.
    #[default]
    Replace,
    /// It stays.
    Keep,
}

/// What becomes of metrics that an application sends by itself and that are derived from its spans too:
/// passed on both, under one name, they would add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NativeMetrics {
    /// The application's own go.
    #[default]
    Replace,
    /// The derived ones are not recorded.
    Defer,
    /// Both stay, and the derived ones have names of their own.
    Both,
}

/// `processors.genai`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Genai {
    /// `target`.
    pub target: Target,
    /// `originals`.
    pub originals: Originals,
    /// `mappings`.
    pub mappings: Vec<Mapping>,
    /// `native_metrics`: for each service.
    pub native_metrics: NativeMetrics,
    /// `provenance`: whether a translated span says which dialect it spoke, the target, and which keys
    /// were not expressed.
    pub provenance: bool,
    /// `join_logs`, if it is enabled.
    pub join_logs: Option<JoinLogs>,
}

/// `processors.genai.join_logs`: log records that hold the content of a call wait for its span, and its
/// span for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinLogs {
    /// `wait_duration`: how long at most.
    pub wait_duration: Duration,
    /// `max_items`: spans and log records that wait at once.
    pub max_items: usize,
    /// `max_bytes`: what they take at most.
    pub max_bytes: usize,
}

impl Default for JoinLogs {
    fn default() -> Self {
        JoinLogs { wait_duration: Duration::from_secs(10), max_items: 10_000, max_bytes: 16 << 20 }
    }
}

/// One entry of `processors.genai.mappings`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// The key that an application writes.
    pub key: String,
    /// The target's attribute, such as `gen_ai.request.model`.
    pub to: String,
    /// `values`: from the application's word to the target's; others pass through.
    pub values: Vec<(String, String)>,
}
