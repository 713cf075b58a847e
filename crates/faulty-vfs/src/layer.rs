//! The layer between SQLite and its files: a VFS that opens files as the one below does, and then stands in their
//! methods.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use rusqlite::ffi;

use crate::state::{Call, State, Verdict};

const NAME: &CStr = c"faulty-vfs";

type Shared = Arc<Mutex<State>>;

/// Directories with a disk of their own.
static DISKS: Mutex<Vec<(PathBuf, Shared)>> = Mutex::new(Vec::new());

/// SQLite's own VFS, which lives as long as the process.
struct Below(*mut ffi::sqlite3_vfs);

// SAFETY: a VFS may be used by any thread; SQLite does so itself, and nothing here changes it.
unsafe impl Send for Below {}
// SAFETY: as above.
unsafe impl Sync for Below {}

/// Registers the layer as the default when it is first needed.
static BELOW: LazyLock<Below> = LazyLock::new(|| {
    // SAFETY: SQLite is initialised before its default VFS is asked for; both VFS objects are never freed.
    unsafe {
        ffi::sqlite3_initialize();
        let below = ffi::sqlite3_vfs_find(std::ptr::null());
        let pointer = c_int::try_from(size_of::<*mut Open>()).unwrap_or(c_int::MAX);
        let layer = ffi::sqlite3_vfs {
            szOsFile: (*below).szOsFile + pointer,
            pNext: std::ptr::null_mut(),
            zName: NAME.as_ptr(),
            xOpen: Some(open),
            xDelete: Some(delete),
            ..*below
        };
        ffi::sqlite3_vfs_register(Box::into_raw(Box::new(layer)), 1);
        Below(below)
    }
});

/// An open file of a faulty disk: behind SQLite's own structure stands a pointer to this.
struct Open {
    state: Shared,
    path: PathBuf,
    below: *const ffi::sqlite3_io_methods,
    methods: ffi::sqlite3_io_methods,
}

pub(crate) fn attach(directory: PathBuf, state: Shared) {
    LazyLock::force(&BELOW);
    DISKS.lock().push((directory, state));
}

pub(crate) fn detach(directory: &Path) {
    DISKS.lock().retain(|(attached, _)| attached != directory);
}

fn disk_of(path: &Path) -> Option<Shared> {
    let disks = DISKS.lock();
    let found = disks.iter().find(|(directory, _)| path.starts_with(directory));
    found.map(|(_, state)| Arc::clone(state))
}

/// # Safety
/// `name` is null or a string that ends with zero.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    Some(PathBuf::from(OsStr::from_bytes(bytes)))
}

/// Where the pointer to [`Open`] stands.
///
/// # Safety
/// `file` has the room that the layer's `szOsFile` says.
unsafe fn place(file: *mut ffi::sqlite3_file) -> *mut *mut Open {
    // SAFETY: the VFS below lives as long as the process; the room is there, as the caller promises.
    unsafe {
        let size = usize::try_from((*BELOW.0).szOsFile).unwrap_or_default();
        file.cast::<u8>().add(size).cast()
    }
}

/// # Safety
/// `file` was opened by [`open`] on a faulty disk, and not yet closed.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a Open {
    // SAFETY: `open` has put a valid pointer there; SQLite uses a file from one thread at a time.
    unsafe { &*place(file).read_unaligned() }
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a name that ends with zero, or none.
    let path = unsafe { path_of(name) };
    let disk = path.as_deref().and_then(disk_of);
    if disk.as_ref().is_some_and(|state| state.lock().stopped) {
        // SAFETY: the structure is there; without methods SQLite does not close it.
        unsafe { (*file).pMethods = std::ptr::null() };
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: the call is passed on as it came, with the VFS that it is for.
    let code = unsafe {
        (*BELOW.0)
            .xOpen
            .map_or(ffi::SQLITE_ERROR, |open| open(BELOW.0, name, file, flags, out))
    };
    if let (ffi::SQLITE_OK, Some(path), Some(state)) = (code, path, disk) {
        // SAFETY: the file is open, so its methods are set, and there is room for the pointer.
        unsafe { stand_in(file, path, state) };
    }
    code
}

/// # Safety
/// `file` was just opened by the VFS below.
unsafe fn stand_in(file: *mut ffi::sqlite3_file, path: PathBuf, state: Shared) {
    // SAFETY: as the caller promises; the methods below are a constant of SQLite's.
    unsafe {
        let below = (*file).pMethods;
        let methods = ffi::sqlite3_io_methods {
            xClose: Some(close),
            xRead: Some(read),
            xWrite: Some(write),
            xTruncate: Some(truncate),
            xSync: Some(sync),
            ..*below
        };
        let open = Box::into_raw(Box::new(Open {
            state,
            path,
            below,
            methods,
        }));
        place(file).write_unaligned(open);
        (*file).pMethods = &raw const (*open).methods;
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once; the box was made by `stand_in`.
    unsafe {
        let open = Box::from_raw(place(file).read_unaligned());
        (*file).pMethods = open.below;
        (*open.below).xClose.map_or(ffi::SQLITE_OK, |close| close(file))
    }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, amount: c_int, offset: i64) -> c_int {
    // SAFETY: the call is passed on as it came.
    unsafe {
        let open = opened(file);
        if open.state.lock().stopped {
            return ffi::SQLITE_IOERR_READ;
        }
        (*open.below)
            .xRead
            .map_or(ffi::SQLITE_IOERR_READ, |read| read(file, into, amount, offset))
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, amount: c_int, offset: i64) -> c_int {
    // SAFETY: the call is passed on as it came, or its first half.
    unsafe {
        let open = opened(file);
        let mut state = open.state.lock();
        let (amount, failed) = match state.verdict(Call::Write) {
            Verdict::Done => (amount, None),
            Verdict::Half => (amount / 2, Some(ffi::SQLITE_IOERR_WRITE)),
            Verdict::NoRoom => return ffi::SQLITE_FULL,
            Verdict::Failed => return ffi::SQLITE_IOERR_WRITE,
        };
        if let Some((before, length)) = replaced(file, open, amount, offset) {
            state.written(&open.path, u64::try_from(offset).unwrap_or_default(), before, length);
        }
        let code = (*open.below)
            .xWrite
            .map_or(ffi::SQLITE_IOERR_WRITE, |write| write(file, from, amount, offset));
        failed.unwrap_or(code)
    }
}

/// What a write is about to replace, and the length of the file.
///
/// # Safety
/// `file` is open, and `open` is its own.
unsafe fn replaced(file: *mut ffi::sqlite3_file, open: &Open, amount: c_int, offset: i64) -> Option<(Vec<u8>, u64)> {
    let mut before = vec![0_u8; usize::try_from(amount).ok()?];
    let mut length = 0_i64;
    // SAFETY: the buffer has that room; what is behind the end of the file is read as zeros.
    unsafe {
        (*open.below).xFileSize?(file, &raw mut length);
        (*open.below).xRead?(file, before.as_mut_ptr().cast(), amount, offset);
    }
    Some((before, u64::try_from(length).ok()?))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: the call is passed on as it came.
    unsafe {
        let open = opened(file);
        if open.state.lock().verdict(Call::Shorten) != Verdict::Done {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        (*open.below)
            .xTruncate
            .map_or(ffi::SQLITE_IOERR_TRUNCATE, |truncate| truncate(file, size))
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the call is passed on as it came.
    unsafe {
        let open = opened(file);
        let mut state = open.state.lock();
        if state.verdict(Call::Sync) != Verdict::Done {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        state.durable(&open.path);
        drop(state);
        (*open.below)
            .xSync
            .map_or(ffi::SQLITE_IOERR_FSYNC, |sync| sync(file, flags))
    }
}

unsafe extern "C" fn delete(_vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: SQLite gives a name that ends with zero; the call is passed on as it came.
    unsafe {
        if let Some(path) = path_of(name)
            && let Some(disk) = disk_of(&path)
        {
            let mut state = disk.lock();
            if state.verdict(Call::Shorten) != Verdict::Done {
                return ffi::SQLITE_IOERR_DELETE;
            }
            state.durable(&path);
        }
        (*BELOW.0)
            .xDelete
            .map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(BELOW.0, name, sync_directory))
    }
}
