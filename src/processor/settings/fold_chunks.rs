//! Reads `processors.fold_chunks`.

use super::FoldChunks;
use super::drop::memory;
use crate::config::Section;
use crate::processor::fold_chunks::kind::{Kind, Kinds};

/// Reads the section.
pub fn read(section: &mut Section<'_>) -> FoldChunks {
    let mut presets = section.section("presets");
    let mut folds = |kind: Kind| {
        let said = presets.as_mut().and_then(|presets| presets.boolean(kind.name()));
        said.unwrap_or(kind.is_default())
    };
    let kinds = Kinds::new(Kind::ALL.into_iter().filter(|kind| folds(*kind)));
    let memory = section.section("memory").map(|mut section| memory(&mut section)).unwrap_or_default();
    if kinds.is_empty() {
        section.refuse("folds nothing", "at least one preset that is true");
    }
    FoldChunks { kinds, memory }
}
