//! Where a page is written to: one buffer, or a small one in front of gzip, so that a compressed
//! page never stands in memory as text.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Text that waits for gzip at most, but for the family or series that is being written.
const WAITING: usize = 64 * 1024;

/// A page as it grows.
pub(super) struct Output {
    /// What is being written. Only what was written since the last [`Output::settle`] may be changed.
    pub(super) buffer: Vec<u8>,
    gzip: Option<GzEncoder<Vec<u8>>>,
    failed: Option<io::Error>,
}

impl Output {
    pub(super) fn new(compressed: bool) -> Self {
        let gzip = compressed.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        Output { buffer: Vec::new(), gzip, failed: None }
    }

    /// What is in the buffer stays as it is.
    pub(super) fn settle(&mut self) {
        if self.buffer.len() >= WAITING {
            self.compress();
        }
    }

    fn compress(&mut self) {
        if let Some(gzip) = &mut self.gzip {
            if let Err(error) = gzip.write_all(&self.buffer) {
                self.failed.get_or_insert(error);
            }
            self.buffer.clear();
        }
    }

    /// The page.
    ///
    /// # Errors
    /// Those of gzip, which has none in memory.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.compress();
        match (self.failed, self.gzip) {
            (Some(error), _) => Err(error),
            (None, Some(gzip)) => gzip.finish(),
            (None, None) => Ok(self.buffer),
        }
    }
}
