//! The folder that the logs of one program are in: made if that is wanted, locked against other
//! programs, and of a known format. Each log has a folder of its own in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

/// The format of the folder as a whole: which folders and files there are in it.
const FORMAT: u32 = 1;

const FORMAT_FILE: &str = "format";
const LOCK_FILE: &str = "lock";

/// What the names of logs' folders begin with.
const PREFIX: &str = "queue.";

/// The longest part of a name that is made of one id. A name has two of them and some dots, and the
/// usual bound for it is 255.
const LONGEST_PART: usize = 96;

/// How often it is tried to lock the folder.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Why the folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It is not there.
    #[error("the folder {} does not exist: make it, or set create_directory: true", .0.display())]
    Missing(PathBuf),
    /// Something else has its name.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// Another program has it.
    #[error(
        "the folder {} is in use by another process: stop that one, or give each its own directory",
        .0.display()
    )]
    InUse(PathBuf),
    /// A later version of the program wrote here. Nothing was touched.
    #[error(
        "the folder {} has format {format:?}, and this program knows format {FORMAT}: use the program that wrote it, or another folder; nothing was changed",
        path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// What its file says, shortened.
        format: String,
    },
    /// The system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// A folder that is locked until this is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Opens and locks a folder. Another program's lock is waited for up to `patience`. With
    /// `create`, what is missing of the path is made, for its owner and group only. Blocks.
    ///
    /// # Errors
    /// [`FolderError`]; of [`FolderError::Newer`] nothing was touched.
    pub fn open(path: &Path, create: bool, patience: Duration) -> Result<Arc<Folder>, FolderError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(FolderError::NotAFolder(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !create => {
                return Err(FolderError::Missing(path.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(path).map_err(|source| failed("make the folder", path, source))?;
            }
            Err(source) => return Err(failed("look at", path, source)),
        }
        let is_new = !is_known(path)?;
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(|source| failed("write to the folder", path, source))?;
        let deadline = Instant::now() + patience;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(TRY_AGAIN),
                Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(path.to_owned())),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &lock_path, source)),
            }
        }
        if is_new {
            let format = path.join(FORMAT_FILE);
            let written = fs::write(&format, format!("dragoman queues, format {FORMAT}\n"));
            written.and_then(|()| sync(path)).map_err(|source| failed("write", &format, source))?;
        }
        Ok(Arc::new(Folder { path: path.to_owned(), _lock: lock }))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the log of `parts`, which are ids of any kind. It is made if it is not there.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn log(&self, parts: &[&str]) -> Result<PathBuf, FolderError> {
        let path = self.path.join(log_name(parts));
        match make_one(&path) {
            Ok(()) => sync(&self.path).map_err(|source| failed("sync", &self.path, source))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed("make the folder", &path, source)),
        }
        Ok(path)
    }

    /// The folders of all logs that are here.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn logs(&self) -> Result<Vec<PathBuf>, FolderError> {
        let listed = fs::read_dir(&self.path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let listed = listed.map_err(|source| failed("list", &self.path, source))?;
        let is_log = |entry: &fs::DirEntry| {
            entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) && entry.path().is_dir()
        };
        let mut logs: Vec<_> = listed.into_iter().filter(is_log).map(|entry| entry.path()).collect();
        logs.sort();
        Ok(logs)
    }
}

/// Whether the folder says its format.
fn is_known(path: &Path) -> Result<bool, FolderError> {
    let file = path.join(FORMAT_FILE);
    let format = match fs::metadata(&file) {
        // It is a line; what is longer is somebody else's.
        Ok(metadata) if metadata.len() > 1024 => String::new(),
        Ok(_) => fs::read_to_string(&file).map_err(|source| failed("read", &file, source))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(failed("read", &file, source)),
    };
    let number = format.trim_end().strip_prefix("dragoman queues, format ").map(str::parse);
    match number {
        Some(Ok(FORMAT)) => Ok(true),
        // Written and not synced before the power went.
        None if format.is_empty() => Ok(false),
        _ => Err(FolderError::Newer { path: path.to_owned(), format: format.trim_end().chars().take(60).collect() }),
    }
}

/// Ids become one name: what is not a letter, a digit, `_` or `-` is percent-escaped, and of what is
/// too long a checksum stays, so that no id leads out of the folder, and no two ids to one folder.
fn log_name(parts: &[&str]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| escaped(part)).collect();
    format!("{PREFIX}{}", parts.join("."))
}

fn escaped(id: &str) -> String {
    let mut name = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.len() > LONGEST_PART {
        name.truncate(LONGEST_PART - 18);
        name.push_str(&format!("%~{:016x}", fnv(id.as_bytes())));
    }
    name
}

/// FNV-1a, 64 bits: the same in every version of the program.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn make(path: &Path) -> io::Result<()> {
    builder().recursive(true).create(path)?;
    // The entry of the folder itself; what is above it is rarely new.
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync)
}

fn make_one(path: &Path) -> io::Result<()> {
    builder().create(path)
}

fn builder() -> fs::DirBuilder {
    #[allow(unused_mut, reason = "there are no modes elsewhere")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> FolderError {
    FolderError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn no_id_leads_out_of_the_folder_and_no_two_to_one() {
        assert_eq!(log_name(&["otlp_grpc/jaeger", "traces"]), "queue.otlp_grpc%2Fjaeger.traces");
        assert_eq!(log_name(&["otlp/../../etc", "logs"]), "queue.otlp%2F%2E%2E%2F%2E%2E%2Fetc.logs");
        assert_ne!(log_name(&["a.b", "c"]), log_name(&["a", "b.c"]));
        assert_ne!(log_name(&["a/b"]), log_name(&["a%2Fb"]));
        let long = ["x".repeat(1000), format!("{}y", "x".repeat(999)), "/".repeat(1000), "ü".repeat(500)];
        let names: Vec<String> = long.iter().map(|id| log_name(&[id, "metrics"])).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(name.len() < 128 && !name.contains('/'), "{name}");
            assert!(!names[..index].contains(name), "{name}");
        }
    }

    #[test]
    fn a_folder_is_locked_until_it_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let first = Folder::open(root.path(), false, AT_ONCE).unwrap();
        let second = Folder::open(root.path(), false, AT_ONCE).unwrap_err().to_string();
        assert!(second.contains(root.path().to_str().unwrap()) && second.contains("in use"), "{second}");
        drop(first);
        Folder::open(root.path(), false, AT_ONCE).unwrap();
    }

    #[test]
    fn a_folder_is_made_only_if_that_is_wanted() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        assert!(matches!(Folder::open(&path, false, AT_ONCE), Err(FolderError::Missing(_))));
        assert!(!root.path().join("a").exists());
        let folder = Folder::open(&path, true, AT_ONCE).unwrap();
        let log = folder.log(&["otlp/x", "traces"]).unwrap();
        assert!(log.is_dir());
        assert_eq!(folder.log(&["otlp/x", "traces"]).unwrap(), log);
        assert_eq!(folder.logs().unwrap(), [log]);
        fs::write(root.path().join("file"), "").unwrap();
        let no_folder = Folder::open(&root.path().join("file"), true, AT_ONCE);
        assert!(matches!(no_folder, Err(FolderError::NotAFolder(_))));
    }

    #[test]
    fn a_folder_of_another_format_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        for format in ["dragoman queues, format 2\n", "something else"] {
            fs::write(root.path().join(FORMAT_FILE), format).unwrap();
            let refused = Folder::open(root.path(), true, AT_ONCE).unwrap_err().to_string();
            assert!(refused.contains("format") && refused.contains("nothing was changed"), "{refused}");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "no lock, no folder");
            assert_eq!(fs::read_to_string(root.path().join(FORMAT_FILE)).unwrap(), format);
        }
        fs::write(root.path().join(FORMAT_FILE), "").unwrap();
        drop(Folder::open(root.path(), true, AT_ONCE).unwrap());
        Folder::open(root.path(), true, AT_ONCE).unwrap();
    }
}
