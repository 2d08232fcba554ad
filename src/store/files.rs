// SPDX-License-Identifier: Apache-2.0

//! The files of an SQLite database: for nobody else to read, and for one service to use.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StoreError;

/// What is written to find out whether there is room, bytes.
const PROBE_BYTES: usize = 64 * 1_024;

/// Makes folder and file where they are missing, readable by nobody else; SQLite gives its log the rights of the file.
pub(crate) fn make(file: &Path) -> Result<(), StoreError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.exists()) {
        let missing: Vec<&Path> = folder.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
        make_folder(folder).map_err(|e| StoreError::Folder(Arc::new(e)))?;
        missing.into_iter().rev().for_each(give_folder_to_owner);
    }
    let made = ours(OpenOptions::new().write(true).create_new(true)).open(file);
    match made {
        Ok(made) => {
            give_to_owner(&made, file);
            Ok(())
        }
        // What is no database is somebody else's: it is refused as it is.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && !may_be_database(file) => {
            Err(StoreError::NoDatabase { file: file.to_owned() })
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            close_to_others(file);
            for suffix in ["-wal", "-shm"] {
                close_to_others(&beside(file, suffix));
            }
            Ok(())
        }
        Err(error) if is_full(&error) => Err(StoreError::DiskFull { file: file.to_owned() }),
        Err(error) => Err(StoreError::Folder(Arc::new(error))),
    }
}

/// Whether a file is one of SQLite's, or empty, or cannot be looked at.
fn may_be_database(file: &Path) -> bool {
    const BEGINS: &[u8; 16] = b"SQLite format 3\0";
    let Ok(open) = File::open(file) else { return true };
    let mut begin = Vec::with_capacity(BEGINS.len());
    match open.take(BEGINS.len() as u64).read_to_end(&mut begin) {
        Ok(_) => begin.is_empty() || begin == BEGINS,
        Err(_) => true,
    }
}

/// The file that a link leads to, or else the file itself. SQLite keeps its log beside that one, so that is where the lock has to be: two
/// services that name the file by different links would not meet at a lock beside the link.
pub(crate) fn real(file: &Path) -> PathBuf {
    let Ok(target) = std::fs::read_link(file) else { return file.to_owned() };
    std::fs::canonicalize(file).unwrap_or_else(|_| {
        // It leads to a file that is still to be made.
        file.parent().unwrap_or(Path::new("")).join(target)
    })
}

/// Gives a file that is complete its name, once all of it is on the disk; never over another one. Its size, bytes.
///
/// # Errors
/// [`StoreError::Exists`], [`StoreError::DiskFull`], [`StoreError::Folder`].
pub fn give_name(partial: &Path, target: &Path) -> Result<u64, StoreError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => StoreError::Exists { file: target.to_owned() },
        _ if is_full(&error) => StoreError::DiskFull { file: target.to_owned() },
        _ => StoreError::Folder(Arc::new(error)),
    };
    let file = File::open(partial).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    // A second name and then the first one away: a rename would silently replace what has come there in the meantime.
    match std::fs::hard_link(partial, target) {
        Ok(()) => std::fs::remove_file(partial).map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(failed(error)),
        // A file system without second names.
        Err(_) => std::fs::rename(partial, target).map_err(failed)?,
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(size)
}

/// Copies a file to a name that nothing has, for nobody else to read. Its size, bytes.
///
/// # Errors
/// [`StoreError::Exists`], [`StoreError::DiskFull`], [`StoreError::Folder`].
pub fn copy_to_new(from: &Path, target: &Path) -> Result<u64, StoreError> {
    if target.exists() {
        return Err(StoreError::Exists { file: target.to_owned() });
    }
    let partial = beside(target, ".partial");
    drop(std::fs::remove_file(&partial));
    make(&partial)?;
    let copied = std::fs::copy(from, &partial).map_err(|error| {
        if is_full(&error) {
            StoreError::DiskFull { file: target.to_owned() }
        } else {
            StoreError::Folder(Arc::new(error))
        }
    });
    // The copy has taken over the rights of what it was made of.
    close_to_others(&partial);
    let placed = copied.and_then(|_| give_name(&partial, target));
    if placed.is_err() {
        drop(std::fs::remove_file(&partial));
    }
    placed
}

/// Makes a file that nobody else may read, under a name that nothing has.
///
/// # Errors
/// When something has the name, or it cannot be made.
pub fn new_for_us(path: &Path) -> std::io::Result<File> {
    ours(OpenOptions::new().write(true).create_new(true)).open(path)
}

/// A file beside the database: `beside(db, "-wal")`.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Why nothing can be written beside `file`, in a sentence; `None` when it can, or when nobody knows.
pub(crate) fn unwritable(file: &Path) -> Option<String> {
    let probe = beside(file, ".probe");
    let written = ours(OpenOptions::new().write(true).create(true).truncate(true))
        .open(&probe)
        .and_then(|mut open| open.write_all(&[0; PROBE_BYTES]).and_then(|()| open.sync_all()));
    drop(std::fs::remove_file(&probe));
    let folder = file.parent().unwrap_or(file).display();
    let error = written.err()?;
    Some(match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("the disk that holds {folder} is full; free some space there")
        }
        ErrorKind::ReadOnlyFilesystem => format!("the disk that holds {folder} can only be read"),
        ErrorKind::PermissionDenied => format!("this user may not write in {folder}"),
        _ => return None,
    })
}

/// Proof that no other service uses this database. Ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Alone {
    #[expect(dead_code, reason = "the lock lives as long as the open file")]
    lock: File,
    path: PathBuf,
    is: Option<Identity>,
}

impl Alone {
    /// Whether another service would meet it: its file still has its name.
    pub(crate) fn is_in_place(&self) -> bool {
        self.is.is_none() || identity(&self.path) == self.is
    }
}

/// Takes the lock beside `file`, and writes down who holds it. The operating system gives the lock back when the process ends, so
/// a file that is left behind means nothing, and neither does a process that has got the same number since.
pub(crate) fn take(file: &Path) -> Result<Alone, StoreError> {
    if has_several_names(file) {
        return Err(StoreError::SeveralNames { file: file.to_owned() });
    }
    let path = beside(file, ".lock");
    let refused = |error: std::io::Error| {
        if is_full(&error) { StoreError::DiskFull { file: path.clone() } } else { StoreError::Folder(Arc::new(error)) }
    };
    let made = ours(OpenOptions::new().read(true).write(true).create_new(true)).open(&path);
    let mut lock = match made {
        Ok(made) => {
            give_to_owner(&made, &path);
            made
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(&path).map_err(refused)?
        }
        Err(error) => return Err(refused(error)),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            drop(lock.read_to_string(&mut holder));
            return Err(StoreError::InUse { file: file.to_owned(), pid: holder.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
            tracing::warn!(file = %path.display(), "this file system has no locks; a second service would not be noticed");
        }
        Err(TryLockError::Error(error)) => return Err(refused(error)),
    }
    lock.set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .and_then(|()| lock.flush())
        .map_err(refused)?;
    let is = identity(&path);
    Ok(Alone { lock, path, is })
}

/// Which file something is, by whatever name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    number: u64,
}

/// That of the file of this name; `None` where there is none, or nobody can tell.
#[cfg(unix)]
pub(crate) fn identity(file: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let known = std::fs::metadata(file).ok()?;
    Some(Identity { device: known.dev(), number: known.ino() })
}

#[cfg(not(unix))]
pub(crate) fn identity(_: &Path) -> Option<Identity> {
    None
}

/// Whether the file has another name: the lock beside it would not be seen there.
#[cfg(unix)]
fn has_several_names(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(file).is_ok_and(|known| known.nlink() > 1)
}

#[cfg(not(unix))]
fn has_several_names(_: &Path) -> bool {
    false
}

#[cfg(unix)]
fn ours(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn ours(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// What root makes in the folder of somebody else belongs to him: a service that runs as nobody could not open the database that root has
/// restored for it. Only what was made here is given away, by its open file: he may put a link to anything in the place of a name.
#[cfg(unix)]
fn give_to_owner(made: &File, path: &Path) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let own = made.metadata().ok().map(|own| own.uid());
    if let Some((uid, gid)) = owner_of_folder(path).filter(|(uid, _)| Some(*uid) != own) {
        given(path, fchown(made, Some(uid), Some(gid)));
    }
}

/// The same for a folder; of a link that took its place, the link itself.
#[cfg(unix)]
fn give_folder_to_owner(made: &Path) {
    use std::os::unix::fs::{MetadataExt as _, lchown};
    let own = std::fs::symlink_metadata(made).ok().map(|own| own.uid());
    if let Some((uid, gid)) = owner_of_folder(made).filter(|(uid, _)| Some(*uid) != own) {
        given(made, lchown(made, Some(uid), Some(gid)));
    }
}

#[cfg(unix)]
fn owner_of_folder(path: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::metadata(folder).ok().map(|folder| (folder.uid(), folder.gid()))
}

#[cfg(unix)]
fn given(path: &Path, done: std::io::Result<()>) {
    match done {
        Ok(()) => tracing::info!(file = %path.display(), "made for the owner of its folder"),
        // Only root may give things away; whoever else makes a file in another's folder keeps it.
        Err(error) => tracing::debug!(file = %path.display(), "its folder belongs to somebody else: {error}"),
    }
}

#[cfg(not(unix))]
fn give_to_owner(_: &File, _: &Path) {}

#[cfg(not(unix))]
fn give_folder_to_owner(_: &Path) {}

/// Takes away what others may do with a file that was made by an older version.
#[cfg(unix)]
fn close_to_others(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(found) = std::fs::metadata(file) else { return };
    let mode = found.permissions().mode();
    if mode & 0o077 == 0 || !found.is_file() {
        return;
    }
    match std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode & 0o700)) {
        Ok(()) => tracing::warn!(file = %file.display(), "others could read this file; now they cannot"),
        Err(error) => tracing::warn!(file = %file.display(), "others can read this file: {error}"),
    }
}

#[cfg(not(unix))]
fn close_to_others(_file: &Path) {}
