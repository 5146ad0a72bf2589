//! A file layer over the real one that ends, fails or forgets when it is told to.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dragoman::storage::files::{Access, Disk, File, Files};

/// What an operation does to a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Open,
    Make,
    Write,
    Truncate,
    Sync,
    Remove,
    Rename,
    SyncFolder,
    Read,
}

/// What becomes of an operation.
pub(crate) enum Fate {
    Works,
    /// A write does its first bytes only; anything else does nothing.
    Fails(io::Error, usize),
}

type Decide = Box<dyn FnMut(Operation) -> Fate + Send>;

/// The layer. Clones are one.
#[derive(Clone)]
pub(crate) struct Faulty(Arc<Mutex<State>>);

struct State {
    decide: Decide,
    /// What is on disk of the files that were opened for writing.
    synced: BTreeMap<PathBuf, Synced>,
    /// Files that were deleted since the folder was last synced.
    removed: BTreeMap<PathBuf, Vec<u8>>,
}

/// What the power leaves of a file.
struct Synced {
    content: Vec<u8>,
    /// Whether the folder knows of it.
    has_entry: bool,
}

impl Faulty {
    pub(crate) fn new(decide: impl FnMut(Operation) -> Fate + Send + 'static) -> Faulty {
        let (synced, removed) = Default::default();
        Faulty(Arc::new(Mutex::new(State { decide: Box::new(decide), synced, removed })))
    }

    /// From now on.
    pub(crate) fn set(&self, decide: impl FnMut(Operation) -> Fate + Send + 'static) {
        self.state().decide = Box::new(decide);
    }

    /// The power goes: whatever was not synced is as it was before. The folder is on the real disk.
    pub(crate) fn forget(&self) {
        let state = self.state();
        for (path, synced) in &state.synced {
            match synced.has_entry {
                true => std::fs::write(path, &synced.content).expect("a file"),
                false => drop(std::fs::remove_file(path)),
            }
        }
        for (path, content) in &state.removed {
            std::fs::write(path, content).expect("a file");
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no panic in the layer")
    }

    fn ask(&self, operation: Operation) -> io::Result<()> {
        match (self.state().decide)(operation) {
            Fate::Works => Ok(()),
            Fate::Fails(error, _) => Err(error),
        }
    }
}

impl Files for Faulty {
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        Disk.list(folder)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let makes = access != Access::Read && !path.exists();
        self.ask(if makes { Operation::Make } else { Operation::Open })?;
        let file = Disk.open(path, access)?;
        if access != Access::Read {
            let now = Synced { content: std::fs::read(path)?, has_entry: !makes };
            self.state().synced.entry(path.to_owned()).or_insert(now);
        }
        Ok(Box::new(FaultyFile { layer: self.clone(), path: path.to_owned(), file }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(Operation::Remove)?;
        let mut state = self.state();
        let now = Synced { content: std::fs::read(path)?, has_entry: true };
        let synced = state.synced.remove(path).unwrap_or(now);
        if synced.has_entry {
            state.removed.insert(path.to_owned(), synced.content);
        }
        Disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Operation::Rename)?;
        Disk.rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.ask(Operation::SyncFolder)?;
        let mut state = self.state();
        state.removed.clear();
        let of_folder = state.synced.iter_mut().filter(|(path, _)| path.parent() == Some(folder));
        of_folder.for_each(|(_, synced)| synced.has_entry = true);
        Ok(())
    }
}

struct FaultyFile {
    layer: Faulty,
    path: PathBuf,
    file: Box<dyn File>,
}

impl File for FaultyFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let fate = (self.layer.state().decide)(Operation::Write);
        match fate {
            Fate::Works => self.file.write_at(offset, bytes),
            Fate::Fails(error, part) => {
                self.file.write_at(offset, &bytes[..part.min(bytes.len())])?;
                Err(error)
            }
        }
    }

    fn read_at(&mut self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        self.layer.ask(Operation::Read)?;
        self.file.read_at(offset, most)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.layer.ask(Operation::Truncate)?;
        self.file.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        // The real disk need not be asked: what it would keep is remembered below.
        self.layer.ask(Operation::Sync)?;
        let content = std::fs::read(&self.path)?;
        if let Some(synced) = self.layer.state().synced.get_mut(&self.path) {
            synced.content = content;
        }
        Ok(())
    }
}
