//! The folder that the logs of one program are in: made if that is wanted, locked against other
//! programs, and of a known format. Each log has a folder of its own in it, for one user at a time.
//!
//! Within one process a folder is opened once and shared, for two configurations of one program
//! (before and after a reload) may name the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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
    /// This process uses the log already.
    #[error("the queue in {} is still in use by this process", .0.display())]
    LogInUse(PathBuf),
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

/// A folder that is locked as long as this is there.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    mode: u32,
    /// Names of the logs that are in use.
    used: Mutex<BTreeSet<String>>,
    _lock: File,
}

/// The folder of one log, which nobody else gets until this is dropped.
#[derive(Debug)]
pub struct LogFolder {
    folder: Arc<Folder>,
    name: String,
    path: PathBuf,
}

/// The permissions of folders that are made: for their owner, and for the group to read.
pub const MODE: u32 = 0o750;

/// The folders that this process has open, by their canonical paths.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Folder>>> = Mutex::new(BTreeMap::new());

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Folder {
    /// Opens and locks a folder. Another program's lock is waited for up to `patience`. With
    /// `create`, what is missing of the path is made; `mode` has the permissions of what is made.
    /// Blocks.
    ///
    /// # Errors
    /// [`FolderError`]; of [`FolderError::Newer`] nothing was touched.
    pub fn open(path: &Path, create: bool, mode: u32, patience: Duration) -> Result<Arc<Folder>, FolderError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(FolderError::NotAFolder(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !create => {
                return Err(FolderError::Missing(path.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(path, mode).map_err(|source| failed("make the folder", path, source))?;
            }
            Err(source) => return Err(failed("look at", path, source)),
        }
        let canonical = path.canonicalize().map_err(|source| failed("look at", path, source))?;
        let mut open = unpoisoned(&OPEN);
        if let Some(folder) = open.get(&canonical).and_then(Weak::upgrade) {
            return Ok(folder);
        }
        open.retain(|_, folder| folder.strong_count() > 0);
        let folder = Arc::new(Folder::lock(path, mode, patience)?);
        open.insert(canonical, Arc::downgrade(&folder));
        Ok(folder)
    }

    fn lock(path: &Path, mode: u32, patience: Duration) -> Result<Folder, FolderError> {
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
        Ok(Folder { path: path.to_owned(), mode, used: Mutex::default(), _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the log of `parts`, which are ids of any kind. It is made if it is not there.
    ///
    /// # Errors
    /// [`FolderError::LogInUse`], [`FolderError::Io`].
    pub fn log(self: &Arc<Self>, parts: &[&str]) -> Result<LogFolder, FolderError> {
        let log = self.take(log_name(parts))?;
        match builder(self.mode).create(&log.path) {
            Ok(()) => sync(&self.path).map_err(|source| failed("sync", &self.path, source))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed("make the folder", &log.path, source)),
        }
        Ok(log)
    }

    fn take(self: &Arc<Self>, name: String) -> Result<LogFolder, FolderError> {
        let path = self.path.join(&name);
        if !unpoisoned(&self.used).insert(name.clone()) {
            return Err(FolderError::LogInUse(path));
        }
        Ok(LogFolder { folder: Arc::clone(self), name, path })
    }

    /// The logs that are here and that nobody uses.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn unused(self: &Arc<Self>) -> Result<Vec<LogFolder>, FolderError> {
        let listed = fs::read_dir(&self.path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let listed = listed.map_err(|source| failed("list", &self.path, source))?;
        let name = |entry: fs::DirEntry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            entry.file_name().into_string().ok().filter(|name| is_folder && name.starts_with(PREFIX))
        };
        let mut names: Vec<_> = listed.into_iter().filter_map(name).collect();
        names.sort();
        Ok(names.into_iter().filter_map(|name| self.take(name).ok()).collect())
    }
}

impl LogFolder {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LogFolder {
    fn drop(&mut self) {
        unpoisoned(&self.folder.used).remove(&self.name);
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

fn make(path: &Path, mode: u32) -> io::Result<()> {
    builder(mode).recursive(true).create(path)?;
    // The entry of the folder itself; what is above it is rarely new.
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync)
}

fn builder(mode: u32) -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
    #[cfg(not(unix))]
    let _ = mode;
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

    fn open(path: &Path, create: bool) -> Result<Arc<Folder>, FolderError> {
        Folder::open(path, create, MODE, AT_ONCE)
    }

    #[test]
    fn a_folder_is_locked_against_other_processes() {
        let root = tempfile::tempdir().unwrap();
        let folder = open(root.path(), false).unwrap();
        // A lock belongs to a file that was opened, so that this is what another process would get.
        let other = File::open(root.path().join(LOCK_FILE)).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(folder);
        other.try_lock().unwrap();
        let refused = open(root.path(), false).unwrap_err().to_string();
        assert!(refused.contains(root.path().to_str().unwrap()) && refused.contains("in use"), "{refused}");
        drop(other);
        open(root.path(), false).unwrap();
    }

    #[test]
    fn one_process_shares_a_folder_and_no_log() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (open(root.path(), false).unwrap(), open(&root.path().join("."), false).unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        let log = first.log(&["otlp/x", "traces"]).unwrap();
        assert!(matches!(second.log(&["otlp/x", "traces"]), Err(FolderError::LogInUse(_))));
        first.log(&["otlp/x", "logs"]).unwrap();
        let unused = || second.unused().unwrap().iter().map(|log| log.path.clone()).collect::<Vec<_>>();
        assert_eq!(unused(), [root.path().join("queue.otlp%2Fx.logs")]);
        drop(log);
        assert_eq!(unused().len(), 2);
        second.log(&["otlp/x", "traces"]).unwrap();
    }

    #[test]
    fn a_folder_is_made_only_if_that_is_wanted() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        assert!(matches!(open(&path, false), Err(FolderError::Missing(_))));
        assert!(!root.path().join("a").exists());
        let folder = open(&path, true).unwrap();
        assert!(folder.log(&["otlp/x", "traces"]).unwrap().path().is_dir());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o027, 0, "not for everybody");
        }
        fs::write(root.path().join("file"), "").unwrap();
        assert!(matches!(open(&root.path().join("file"), true), Err(FolderError::NotAFolder(_))));
    }

    #[test]
    fn a_folder_of_another_format_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        for format in ["dragoman queues, format 2\n", "something else"] {
            fs::write(root.path().join(FORMAT_FILE), format).unwrap();
            let refused = open(root.path(), true).unwrap_err().to_string();
            assert!(refused.contains("format") && refused.contains("nothing was changed"), "{refused}");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "no lock, no folder");
            assert_eq!(fs::read_to_string(root.path().join(FORMAT_FILE)).unwrap(), format);
        }
        fs::write(root.path().join(FORMAT_FILE), "").unwrap();
        drop(open(root.path(), true).unwrap());
        open(root.path(), true).unwrap();
    }
}
