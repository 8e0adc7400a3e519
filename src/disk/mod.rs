//! Files that must survive a crash, through one thin layer: so that every step of writing one can be made to fail.
//!
//! A file is replaced as a whole: written beside, synced, renamed over the old one, and the directory synced. Whoever
//! loses power at any step finds the old file or the new one. What was written beside and did not get its name is
//! removed.

pub mod fault;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fault::{Op, check};

/// Bytes after which what was written is handed to the device, so that the last sync has little left to do.
const SYNC_EVERY: u64 = 4 << 20;

/// A file that will take another's place.
pub struct Fresh {
    file: File,
    /// Its name until then.
    beside: PathBuf,
    written: u64,
    synced: u64,
    incremental: bool,
    /// It has its name, or has been removed.
    settled: bool,
}

/// What failed, for the log: the words are those of Redis.
#[derive(Debug)]
pub struct Failed {
    /// The step.
    pub step: Step,
    /// Why.
    pub error: io::Error,
}

/// A step on the way of a file to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The file beside cannot be made.
    Create,
    /// It cannot be written.
    Write,
    /// It cannot be synced.
    Sync,
    /// It cannot get its name.
    Rename,
    /// Its directory cannot be synced.
    SyncDirectory,
}

impl Step {
    /// The system's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Step::Create => "open",
            Step::Write => "write",
            Step::Sync => "fsync",
            Step::Rename => "rename",
            Step::SyncDirectory => "fsyncFileDir",
        }
    }

    fn of(self) -> impl FnOnce(io::Error) -> Failed {
        move |error| Failed { step: self, error }
    }
}

impl Fresh {
    /// Makes an empty file at `beside`, whatever was there. Nothing behind a symbolic link is touched. With
    /// `incremental` it is synced every few megabytes.
    pub fn create(beside: &Path, incremental: bool) -> Result<Fresh, Failed> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
        let file = check(Op::Create).and_then(|()| options.open(beside)).map_err(Step::Create.of())?;
        Ok(Fresh { file, beside: beside.into(), written: 0, synced: 0, incremental, settled: false })
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        check(Op::Write).and_then(|()| self.file.write_all(bytes)).map_err(Step::Write.of())?;
        self.written += bytes.len() as u64;
        if self.incremental && self.written - self.synced >= SYNC_EVERY {
            self.sync()?;
        }
        Ok(())
    }

    /// Writes over what stands at `offset`.
    pub fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<(), Failed> {
        check(Op::Write).and_then(|()| self.file.write_all_at(bytes, offset)).map_err(Step::Write.of())
    }

    /// Bytes that were appended.
    pub fn len(&self) -> u64 {
        self.written
    }

    /// Whether none were.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    fn sync(&mut self) -> Result<(), Failed> {
        self.synced = self.written;
        check(Op::Sync).and_then(|()| self.file.sync_data()).map_err(Step::Sync.of())
    }

    /// Puts it in the place of `path`, which is in the same directory.
    pub fn settle(mut self, path: &Path) -> Result<(), Failed> {
        check(Op::Sync).and_then(|()| self.file.sync_all()).map_err(Step::Sync.of())?;
        rename(&self.beside, path).map_err(Step::Rename.of())?;
        self.settled = true;
        sync_directory_of(path).map_err(Step::SyncDirectory.of())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.settled {
            // There is nobody to tell: what matters has failed already.
            drop(remove(&self.beside));
        }
    }
}

/// Renames a file.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    check(Op::Rename)?;
    std::fs::rename(from, to)
}

/// Removes a file.
pub fn remove(path: &Path) -> io::Result<()> {
    check(Op::Remove)?;
    std::fs::remove_file(path)
}

/// Makes the names in a file's directory survive a power cut.
pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    check(Op::SyncDirectory)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// A file that is read from the front.
pub struct Source {
    file: File,
    /// Bytes that it had when it was opened.
    pub size: u64,
}

impl Source {
    /// Opens a regular file.
    pub fn open(path: &Path) -> io::Result<Source> {
        let file = check(Op::Open).and_then(|()| File::open(path))?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        Ok(Source { file, size: about.len() })
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        check(Op::Read)?;
        self.file.read(buffer)
    }
}

#[cfg(test)]
mod tests;
