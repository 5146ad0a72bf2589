//! `file_storage`: the folder in which exporters keep their queues (`sending_queue.storage`). Its keys
//! are the Collector's; what is in the folder is [`crate::storage`]'s business.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Section;
use crate::storage::folder::{Folder, FolderError, MODE};

/// `extensions.file_storage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStorage {
    /// `directory`.
    pub directory: PathBuf,
    /// `create_directory`: whether it is made if it is not there.
    pub create_directory: bool,
    /// `directory_permissions` of what is made.
    pub directory_permissions: u32,
    /// `timeout`: how long another process' lock is waited for.
    pub timeout: Duration,
    /// `fsync`: whether an acknowledgement waits for the disk. The Collector's default is false; here
    /// it is true, for this is what the queue is on disk for.
    pub fsync: bool,
    /// `max_size`: bytes that one queue may have, besides its `queue_size`; `None` for no other bound.
    pub max_size: Option<u64>,
}

impl Default for FileStorage {
    fn default() -> Self {
        FileStorage {
            directory: PathBuf::from("/var/lib/otelcol/file_storage"),
            create_directory: false,
            directory_permissions: MODE,
            timeout: Duration::from_secs(1),
            fsync: true,
            max_size: None,
        }
    }
}

/// The least that a queue can work with.
const LEAST_SIZE: u64 = 64 << 10;

impl FileStorage {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> FileStorage {
        let default = FileStorage::default();
        let fsync = section.field("fsync").filter(|field| !field.is_null()).and_then(|field| {
            let fsync = field.boolean()?;
            if !fsync {
                field.warn(
                    "is off: requests are acknowledged before they are on the disk, and a power failure loses them",
                );
            }
            Some(fsync)
        });
        let max_size = section.field("max_size").filter(|field| !field.is_null()).and_then(|field| {
            let bytes = field.whole("bytes", 0..=u64::MAX)?;
            if (1..LEAST_SIZE).contains(&bytes) {
                field.refuse("is too small for a queue", format!("at least {LEAST_SIZE} bytes, or 0 for no bound"));
            }
            Some(bytes)
        });
        let storage = FileStorage {
            directory: section.file("directory").unwrap_or(default.directory),
            create_directory: section.boolean("create_directory").unwrap_or(default.create_directory),
            directory_permissions: permissions(section).unwrap_or(default.directory_permissions),
            timeout: section.duration("timeout").unwrap_or(default.timeout),
            fsync: fsync.unwrap_or(default.fsync),
            max_size: max_size.filter(|bytes| *bytes > 0),
        };
        section.without_effect(&[
            (
                "recreate",
                "what is damaged is passed over and counted, and the rest is delivered; nothing is thrown away",
            ),
            ("compaction", "a segment of the queue is deleted as soon as all of it is delivered"),
        ]);
        storage
    }

    /// Opens the folder, and locks it against other processes. Blocks.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(&self) -> Result<Arc<Folder>, FolderError> {
        Folder::open(&self.directory, self.create_directory, self.directory_permissions, self.timeout)
    }
}

/// Octal digits, as the Collector takes them.
fn permissions(section: &mut Section<'_>) -> Option<u32> {
    let field = section.field("directory_permissions").filter(|field| !field.is_null())?;
    let mode = u32::from_str_radix(&field.text()?, 8).ok().filter(|mode| *mode <= 0o777);
    match mode {
        Some(mode) if mode & 0o700 == 0o700 => Some(mode),
        Some(_) => {
            field.refuse("locks this program out", "the owner's rwx, as in 0750 or 0700");
            None
        }
        None => {
            field.refuse("is not a folder's permissions", "octal digits, such as 0750");
            None
        }
    }
}
