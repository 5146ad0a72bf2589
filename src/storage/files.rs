//! What the log needs of a file system, as traits, so that tests can put one there that fails or
//! forgets; and [`Disk`], the real one. What is written is decided elsewhere.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For reading; it must be there.
    Read,
    /// For reading and writing; it is made if it is not there.
    Write,
    /// For reading and writing; it must not be there yet.
    New,
}

/// Folders and files.
pub trait Files: Send + Sync {
    /// The names and lengths of the files in a folder, in no order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>>;

    /// Opens a file.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>>;

    /// Deletes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name in the same folder.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Returns when the folder's entries are on disk: files that were made, and that were deleted.
    ///
    /// # Errors
    /// The system's.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// One file.
pub trait File: Send {
    /// Writes all of `bytes` at an offset. After an error, any part of them may be there.
    ///
    /// # Errors
    /// The system's.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads up to `most` bytes from an offset; fewer only if the file ends.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&mut self, offset: u64, most: usize) -> io::Result<Vec<u8>>;

    /// Cuts the file off.
    ///
    /// # Errors
    /// The system's.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Returns when what was written is on disk (`fdatasync`).
    ///
    /// # Errors
    /// The system's. What was written since the last success may be lost, and may not be asked for
    /// again: the system can have given it up.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            // Names of the log are ASCII; others are somebody else's.
            if let Ok(name) = entry.file_name().into_string()
                && metadata.is_file()
            {
                found.push((name, metadata.len()));
            }
        }
        Ok(found)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let writes = access != Access::Read;
        let mut options = OpenOptions::new();
        options.read(true).write(writes).create(access == Access::Write).create_new(access == Access::New);
        Ok(Box::new(DiskFile(options.open(path)?)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        fs::File::open(folder)?.sync_all()
    }
}

struct DiskFile(fs::File);

impl File for DiskFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.write_all(bytes)
    }

    fn read_at(&mut self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let length = self.0.metadata()?.len().saturating_sub(offset);
        // Never more than the file has, whatever is asked for.
        let most = usize::try_from(length).unwrap_or(usize::MAX).min(most);
        self.0.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; most];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
