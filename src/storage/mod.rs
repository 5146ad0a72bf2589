//! Records on disk that survive the process: logs of segment files, with acknowledgements, and the
//! folder that the logs of one program are in. What a record means is not known here; the exporters'
//! queue is the one who writes them.
//!
//! From the ground up: [`files`] is the file system, [`frame`] the bytes, [`segments`] a log for one
//! caller with its [`recovery`], [`log`] a log for many, [`folder`] where they are. Why it is an own
//! format, and what it promises, is in `docs/decisions/0010-a-log-of-segments.md`.

pub mod files;
pub mod folder;
pub mod frame;
pub mod log;
pub mod recovery;
pub mod segments;
