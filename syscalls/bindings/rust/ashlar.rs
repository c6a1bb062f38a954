//! Ashlar's host ABI for guests in Rust 1.63 or later, of edition 2018 or 2021. Needs `alloc` and not `std`; `syscalls.rs` stands beside it.
//!
//! What the outside world refuses is an `Err` with a [`Status`]; a wrong argument is a trap and ends the guest. Handles are
//! closed when they are dropped.
//!
//! The macros want this module to be `crate::ashlar`:
//!
//! ```ignore
//! mod ashlar;
//! use ashlar::println;
//!
//! fn run() -> ashlar::Result<()> {
//!     println!("{} bytes", ashlar::read("/data/file")?.len());
//!     Ok(())
//! }
//! ashlar::main!(run);
//! ```
#![allow(dead_code, unused_imports, unused_macros)]

extern crate alloc;

#[path = "syscalls.rs"]
pub mod syscalls;

use self::alloc::string::String;
use self::alloc::vec::Vec;
use self::syscalls::{asl, bank, bytes, fs, sys, ArtifactFlag, Clock, TimesFlag};
use core::fmt;
use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;

pub use self::syscalls::{BankType, HeapRef, LoadState, OpenFlag, Status, Visibility};

pub type Result<T> = core::result::Result<T, Status>;

impl fmt::Display for Status {
    /// `NOT_FOUND: nothing has this name`
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.message()) {
            (Some(name), Some(message)) => write!(to, "{}: {}", name, message),
            _ => write!(to, "status {}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => to.write_str(name),
            None => write!(to, "Status({})", self.0),
        }
    }
}

impl Status {
    /// `Ok(value)` when this is OK.
    fn and<T>(self, value: T) -> Result<T> {
        if self == Status::OK {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

/// Most bytes of one piece when a length is not known beforehand.
const PIECE: usize = 65_536;

/// The object that stands for this guest's memory.
fn memory() -> HeapRef {
    unsafe { bytes::of_memory() }
}

fn at(bytes: &[u8]) -> u32 {
    bytes.as_ptr() as u32
}

/// Of bytes that the host writes.
fn at_mut(bytes: &mut [u8]) -> u32 {
    bytes.as_mut_ptr() as u32
}

fn length(bytes: &[u8]) -> u32 {
    bytes.len() as u32
}

/// Names from outside are UTF-8.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

// ---- Reading and writing ----

/// What one read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    pub length: usize,
    /// True when nothing follows.
    pub at_end: bool,
}

fn read_from(handle: HeapRef, offset: i64, to: &mut [u8]) -> Result<Read> {
    let mut results = fs::ReadResults::default();
    let status = unsafe { fs::read(handle, offset, memory(), at_mut(to), length(to), &mut results) };
    Status(status).and(Read { length: results.bytes_transferred as usize, at_end: results.eof != 0 })
}

fn write_to(handle: HeapRef, offset: i64, from: &[u8]) -> Result<()> {
    let mut results = fs::WriteResults::default();
    Status(unsafe { fs::write(handle, offset, memory(), at(from), length(from), &mut results) }).and(())
}

/// Everything from `offset` on; -1 for a stream. `first` is the length of the first piece.
fn read_all_from(handle: HeapRef, offset: i64, first: usize) -> Result<Vec<u8>> {
    let mut bytes = self::alloc::vec![0; first];
    let mut total = 0;
    loop {
        let from = if offset < 0 { -1 } else { offset + total as i64 };
        let read = read_from(handle, from, &mut bytes[total..])?;
        total += read.length;
        if read.at_end {
            bytes.truncate(total);
            return Ok(bytes);
        }
        if total == bytes.len() {
            bytes.resize(total + total.max(PIECE), 0);
        }
    }
}

/// A handle that `fs.close` ends.
struct Handle(HeapRef);

impl Handle {
    fn close(self) -> Result<()> {
        let raw = self.0;
        core::mem::forget(self);
        Status(unsafe { fs::close(raw) }).and(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.0 != 0 {
            unsafe { fs::close(self.0) };
        }
    }
}

/// An open file.
pub struct File(Handle);

impl File {
    /// Opens a file to read it.
    pub fn open(path: &str) -> Result<File> {
        Dir::root().open_file(path, OpenFlag::READ)
    }

    /// Makes a file, or empties it, to write it.
    pub fn create(path: &str) -> Result<File> {
        Dir::root().open_file(path, OpenFlag::WRITE | OpenFlag::CREATE | OpenFlag::TRUNCATE)
    }

    /// Reads at a place. Fewer bytes than asked for come only at the end.
    pub fn read_at(&self, offset: u64, to: &mut [u8]) -> Result<Read> {
        read_from(self.raw(), offset as i64, to)
    }

    pub fn read_all(&self) -> Result<Vec<u8>> {
        let size = self.size()?;
        if size > i32::MAX as u64 {
            return Err(Status::TOO_LARGE);
        }
        read_all_from(self.raw(), 0, size as usize)
    }

    /// Writes all bytes at a place, or none.
    pub fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        write_to(self.raw(), offset as i64, from)
    }

    /// Writes all bytes at the end, or none.
    pub fn append(&self, from: &[u8]) -> Result<()> {
        write_to(self.raw(), -1, from)
    }

    /// Length in bytes.
    pub fn size(&self) -> Result<u64> {
        let mut results = fs::SizeResults::default();
        let status = unsafe { fs::size(self.raw(), &mut results) };
        Status(status).and(results.bytes)
    }

    /// Makes it shorter, or longer by zeroes.
    pub fn truncate(&self, bytes: u64) -> Result<()> {
        Status(unsafe { fs::truncate(self.raw(), bytes) }).and(())
    }

    /// Waits until what was written is on the disk.
    pub fn sync(&self) -> Result<()> {
        Status(unsafe { fs::sync(self.raw()) }).and(())
    }

    pub fn stat(&self) -> Result<Stat> {
        stat_with(self.raw(), "", 0)
    }

    /// Closes it; an error says that bytes written earlier may be lost, which dropping it keeps quiet about.
    pub fn close(self) -> Result<()> {
        self.0.close()
    }

    pub fn raw(&self) -> HeapRef {
        (self.0).0
    }
}

/// Appends.
impl fmt::Write for File {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.append(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

// ---- Names ----

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Symlink,
    Other,
}

impl EntryKind {
    fn of(number: u32) -> EntryKind {
        match number {
            syscalls::EntryKind::FILE => EntryKind::File,
            syscalls::EntryKind::DIRECTORY => EntryKind::Directory,
            syscalls::EntryKind::SYMLINK => EntryKind::Symlink,
            _ => EntryKind::Other,
        }
    }
}

/// What is known of a file, a directory or a link. Times are nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    pub kind: EntryKind,
    pub bytes: u64,
    /// The same number for the same file.
    pub id: u64,
    /// Names of a file.
    pub links: u64,
    pub accessed: i64,
    pub modified: i64,
    pub changed: i64,
}

fn stat_with(handle: HeapRef, path: &str, flags: u32) -> Result<Stat> {
    let mut results = fs::StatResults::default();
    let path = path.as_bytes();
    let status = unsafe { fs::stat(handle, memory(), at(path), length(path), flags, &mut results) };
    Status(status).and(Stat {
        kind: EntryKind::of(results.kind),
        bytes: results.bytes,
        id: results.id,
        links: results.links,
        accessed: results.accessed,
        modified: results.modified,
        changed: results.changed,
    })
}

/// A directory, where paths begin.
pub struct Dir(Handle);

impl Dir {
    /// The guest's root: what its grants are in.
    pub const fn root() -> Dir {
        Dir(Handle(0))
    }

    pub fn open(path: &str) -> Result<Dir> {
        Dir::root().open_dir(path)
    }

    fn open_with(&self, path: &str, flags: u32) -> Result<Handle> {
        let mut results = fs::OpenResults::default();
        let path = path.as_bytes();
        let status = unsafe { fs::open(self.raw(), memory(), at(path), length(path), flags, &mut results) };
        if status != Status::OK.0 {
            return Err(Status(status));
        }
        Ok(Handle(results.handle))
    }

    pub fn open_dir(&self, path: &str) -> Result<Dir> {
        Ok(Dir(self.open_with(path, OpenFlag::READ | OpenFlag::DIRECTORY)?))
    }

    /// `flags` is a sum of what is in `OpenFlag`, without DIRECTORY.
    pub fn open_file(&self, path: &str, flags: u32) -> Result<File> {
        Ok(File(self.open_with(path, flags & !OpenFlag::DIRECTORY)?))
    }

    /// All bytes of a file.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.open_file(path, OpenFlag::READ)?.read_all()
    }

    /// The text in a file; INVALID when it is not UTF-8.
    pub fn read_text(&self, path: &str) -> Result<String> {
        String::from_utf8(self.read(path)?).map_err(|_| Status::INVALID)
    }

    /// Makes a file hold exactly these bytes.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let file = self.open_file(path, OpenFlag::WRITE | OpenFlag::CREATE | OpenFlag::TRUNCATE)?;
        file.append(bytes)?;
        file.close()
    }

    /// Adds bytes at the end of a file, which is made when it is not there.
    pub fn append(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let file = self.open_file(path, OpenFlag::WRITE | OpenFlag::CREATE | OpenFlag::APPEND)?;
        file.append(bytes)?;
        file.close()
    }

    /// The names in the directory, sorted by their bytes.
    pub fn entries(&self) -> Result<Entries> {
        let dir = self.open_dir(if self.raw() == 0 { "/" } else { "." })?;
        Ok(Entries { dir, cookie: 0, records: Vec::new(), at: 0, at_end: false })
    }

    /// What a path stands for, symbolic links followed.
    pub fn stat(&self, path: &str) -> Result<Stat> {
        stat_with(self.raw(), path, 0)
    }

    /// What a path stands for, which may be a symbolic link itself.
    pub fn link_stat(&self, path: &str) -> Result<Stat> {
        stat_with(self.raw(), path, OpenFlag::NOFOLLOW)
    }

    /// Sets the times of what a path stands for, in nanoseconds since 1970; none leaves one as it is.
    pub fn set_times(&self, path: &str, accessed: Option<i64>, modified: Option<i64>) -> Result<()> {
        let flags = accessed.map_or(0, |_| TimesFlag::ACCESSED) | modified.map_or(0, |_| TimesFlag::MODIFIED);
        let (accessed, modified) = (accessed.unwrap_or(0), modified.unwrap_or(0));
        let path = path.as_bytes();
        let status = unsafe { fs::set_times(self.raw(), memory(), at(path), length(path), flags, accessed, modified) };
        Status(status).and(())
    }

    /// Makes a directory.
    pub fn make_dir(&self, path: &str) -> Result<()> {
        let path = path.as_bytes();
        Status(unsafe { fs::mkdir(self.raw(), memory(), at(path), length(path)) }).and(())
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, path: &str) -> Result<()> {
        let path = path.as_bytes();
        Status(unsafe { fs::rmdir(self.raw(), memory(), at(path), length(path)) }).and(())
    }

    /// Removes a name of a file, or a symbolic link.
    pub fn remove_file(&self, path: &str) -> Result<()> {
        let path = path.as_bytes();
        Status(unsafe { fs::unlink(self.raw(), memory(), at(path), length(path)) }).and(())
    }

    /// Gives what has one name another, in place of what had that.
    pub fn rename(&self, path: &str, new_dir: &Dir, new_path: &str) -> Result<()> {
        let (path, new_path) = (path.as_bytes(), new_path.as_bytes());
        let (from, to) = (self.raw(), new_dir.raw());
        Status(unsafe {
            fs::rename(from, memory(), at(path), length(path), to, memory(), at(new_path), length(new_path))
        })
        .and(())
    }

    /// Gives a file one more name.
    pub fn link(&self, path: &str, new_dir: &Dir, new_path: &str) -> Result<()> {
        let (path, new_path) = (path.as_bytes(), new_path.as_bytes());
        let (from, to) = (self.raw(), new_dir.raw());
        Status(unsafe {
            fs::link(from, memory(), at(path), length(path), to, memory(), at(new_path), length(new_path))
        })
        .and(())
    }

    /// Makes a symbolic link at a path.
    pub fn symlink(&self, target: &str, path: &str) -> Result<()> {
        let (target, path) = (target.as_bytes(), path.as_bytes());
        Status(unsafe {
            fs::symlink(memory(), at(target), length(target), self.raw(), memory(), at(path), length(path))
        })
        .and(())
    }

    /// Target of a symbolic link.
    pub fn read_link(&self, path: &str) -> Result<String> {
        let path = path.as_bytes();
        let mut target = self::alloc::vec![0; 256];
        loop {
            let mut results = fs::ReadlinkResults::default();
            let (to, room) = (at_mut(&mut target), length(&target));
            Status(unsafe {
                fs::readlink(self.raw(), memory(), at(path), length(path), memory(), to, room, &mut results)
            })
            .and(())?;
            if results.bytes <= room {
                return Ok(text(&target[..results.bytes as usize]));
            }
            target.resize(results.bytes as usize, 0);
        }
    }

    /// The raw handle; 0 for the root.
    pub fn raw(&self) -> HeapRef {
        (self.0).0
    }
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub kind: EntryKind,
}

/// The names in a directory, one after the other; it ends behind an error.
pub struct Entries {
    dir: Dir,
    cookie: u64,
    records: Vec<u8>,
    at: usize,
    at_end: bool,
}

impl Entries {
    fn fill(&mut self) -> Result<()> {
        let mut results = fs::ListResults::default();
        self.at = 0;
        self.at_end = true;
        self.records.resize(4096, 0);
        let (to, room) = (at_mut(&mut self.records), length(&self.records));
        let status = unsafe { fs::list(self.dir.raw(), self.cookie, memory(), to, room, &mut results) };
        self.records.truncate(results.bytes_transferred as usize);
        Status(status).and(())?;
        self.cookie = results.next_cookie;
        self.at_end = results.eof != 0;
        Ok(())
    }
}

impl Iterator for Entries {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        if self.at == self.records.len() {
            if self.at_end {
                return None;
            }
            if let Err(status) = self.fill() {
                return Some(Err(status));
            }
        }
        let record = &self.records[self.at..];
        let end = 2 + usize::from(*record.get(1)?);
        self.at += end;
        Some(Ok(Entry { name: text(&record[2..end]), kind: EntryKind::of(u32::from(record[0])) }))
    }
}

/// All bytes of a file.
pub fn read(path: &str) -> Result<Vec<u8>> {
    Dir::root().read(path)
}

/// The text in a file; INVALID when it is not UTF-8.
pub fn read_text(path: &str) -> Result<String> {
    Dir::root().read_text(path)
}

/// Makes a file hold exactly these bytes.
pub fn write(path: &str, bytes: &[u8]) -> Result<()> {
    Dir::root().write(path, bytes)
}

/// The names in a directory, sorted by their bytes.
pub fn list(path: &str) -> Result<Entries> {
    Dir::open(path)?.entries()
}

/// What a path stands for, symbolic links followed.
pub fn stat(path: &str) -> Result<Stat> {
    Dir::root().stat(path)
}

// ---- Assets ----

/// What is known of an asset.
#[derive(Clone, Copy, Debug)]
pub struct BankInfo {
    pub asset_id: i32,
    /// One of `BankType`, or what `assets-tool ids` tells.
    pub bank_type: u32,
    pub bytes: u64,
    /// What it takes in the pack.
    pub stored_bytes: u64,
    pub metadata_bytes: u32,
}

/// An asset of the packs, open.
pub struct Bank(HeapRef);

impl Bank {
    /// The asset that a slot holds now.
    pub fn in_slot(bank_type: u32, slot: u32) -> Result<Bank> {
        let mut results = bank::OpenSlotResults::default();
        Status(unsafe { bank::open_slot(bank_type, slot, &mut results) }).and(())?;
        Ok(Bank(results.bank))
    }

    /// The asset with this id, in a slot or not.
    pub fn of_asset(asset_id: i32) -> Result<Bank> {
        let mut results = bank::OpenAssetResults::default();
        Status(unsafe { bank::open_asset(asset_id, &mut results) }).and(())?;
        Ok(Bank(results.bank))
    }

    pub fn info(&self) -> Result<BankInfo> {
        let mut results = bank::InfoResults::default();
        Status(unsafe { bank::info(self.0, &mut results) }).and(BankInfo {
            asset_id: results.asset_id,
            bank_type: results.bank_type,
            bytes: results.bytes,
            stored_bytes: results.stored_bytes,
            metadata_bytes: results.metadata_bytes,
        })
    }

    /// Length in bytes.
    pub fn size(&self) -> Result<u64> {
        let mut results = bank::SizeResults::default();
        Status(unsafe { bank::size(self.0, &mut results) }).and(results.bytes)
    }

    /// Reads at a place. Fewer bytes than asked for come only at the end.
    pub fn read_at(&self, offset: u64, to: &mut [u8]) -> Result<Read> {
        let mut results = bank::ReadResults::default();
        let status = unsafe { bank::read(self.0, offset as i64, memory(), at_mut(to), length(to), &mut results) };
        Status(status).and(Read { length: results.bytes_transferred as usize, at_end: results.eof != 0 })
    }

    pub fn read_all(&self) -> Result<Vec<u8>> {
        let size = self.size()?;
        if size > i32::MAX as u64 {
            return Err(Status::TOO_LARGE);
        }
        let mut bytes = self::alloc::vec![0; size as usize];
        let read = self.read_at(0, &mut bytes)?;
        bytes.truncate(read.length);
        Ok(bytes)
    }

    /// The text that it is; INVALID when it is not UTF-8.
    pub fn read_text(&self) -> Result<String> {
        String::from_utf8(self.read_all()?).map_err(|_| Status::INVALID)
    }

    /// The metadata: a JSON object.
    pub fn metadata(&self) -> Result<String> {
        let mut bytes = self::alloc::vec![0; self.info()?.metadata_bytes as usize];
        let mut results = bank::MetadataResults::default();
        let (to, room) = (at_mut(&mut bytes), length(&bytes));
        Status(unsafe { bank::metadata(self.0, 0, memory(), to, room, &mut results) }).and(())?;
        Ok(text(&bytes[..results.bytes_transferred as usize]))
    }

    pub fn raw(&self) -> HeapRef {
        self.0
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        unsafe { bank::close(self.0) };
    }
}

/// An asset on its way into a slot. Dropping it gives up what was not committed.
pub struct Load(HeapRef);

impl Load {
    pub fn request(asset_id: i32, slot: u32) -> Result<Load> {
        let mut results = bank::RequestResults::default();
        Status(unsafe { bank::request(asset_id, slot, &mut results) }).and(())?;
        Ok(Load(results.load))
    }

    /// One of `LoadState`, and the load goes one step on.
    pub fn state(&self) -> Result<u32> {
        let mut results = bank::StateResults::default();
        Status(unsafe { bank::state(self.0, &mut results) }).and(results.state)
    }

    /// Has the slot hold what was loaded.
    pub fn commit(&self) -> Result<()> {
        Status(unsafe { bank::commit(self.0) }).and(())
    }

    pub fn cancel(&self) -> Result<()> {
        Status(unsafe { bank::cancel(self.0) }).and(())
    }

    pub fn raw(&self) -> HeapRef {
        self.0
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        unsafe { bank::close(self.0) };
    }
}

/// Loads an asset and has a slot of its bank hold it.
pub fn load_asset(asset_id: i32, slot: u32) -> Result<()> {
    let load = Load::request(asset_id, slot)?;
    while matches!(load.state()?, LoadState::PENDING | LoadState::LOADING) {}
    load.commit()
}

// ---- Artifacts ----

const KEY_ROOM: usize = 36;

/// The key of an artifact: a multihash. As text it is `sha256:…`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    length: usize,
    bytes: [u8; KEY_ROOM],
}

impl Key {
    /// INVALID for what is longer than any key.
    pub fn new(multihash: &[u8]) -> Result<Key> {
        if multihash.len() > KEY_ROOM {
            return Err(Status::INVALID);
        }
        let mut key = Key { length: multihash.len(), bytes: [0; KEY_ROOM] };
        key.bytes[..multihash.len()].copy_from_slice(multihash);
        Ok(key)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.bytes[0] {
            0x16 => "sha3-256",
            0x95 => "sha2-512-256",
            0xe0 => "blake2s-256",
            _ => "sha256",
        };
        write!(to, "{}:", name)?;
        for byte in &self.as_bytes()[self.length.saturating_sub(32)..] {
            write!(to, "{:02x}", byte)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

/// What is known of an artifact, and one of its records.
#[derive(Debug, Clone, Copy)]
pub struct ArtifactInfo {
    pub bytes: u64,
    /// How many records it has.
    pub records: u32,
    pub type_tag: Option<u32>,
    /// One of `Visibility`.
    pub visibility: u32,
}

fn artifact_info(handle: HeapRef, record: u32) -> Result<ArtifactInfo> {
    let mut results = asl::InfoResults::default();
    Status(unsafe { asl::info(handle, record, &mut results) }).and(ArtifactInfo {
        bytes: results.bytes,
        records: results.records,
        type_tag: if results.has_type_tag != 0 { Some(results.type_tag) } else { None },
        visibility: results.visibility,
    })
}

/// An artifact of the store, open.
pub struct Artifact(HeapRef);

impl Artifact {
    pub fn open(key: &Key) -> Result<Artifact> {
        Artifact::open_window(key.as_bytes())
    }

    /// By the key's text, `sha256:…`.
    pub fn named(key: &str) -> Result<Artifact> {
        Artifact::open_window(key.as_bytes())
    }

    fn open_window(key: &[u8]) -> Result<Artifact> {
        let mut results = asl::OpenResults::default();
        Status(unsafe { asl::open(memory(), at(key), length(key), &mut results) }).and(())?;
        Ok(Artifact(results.artifact))
    }

    /// The record of this number, from 0.
    pub fn info(&self, record: u32) -> Result<ArtifactInfo> {
        artifact_info(self.0, record)
    }

    /// Length in bytes.
    pub fn size(&self) -> Result<u64> {
        Ok(self.info(0)?.bytes)
    }

    /// Reads at a place. Fewer bytes than asked for come only at the end.
    pub fn read_at(&self, offset: u64, to: &mut [u8]) -> Result<Read> {
        let mut results = asl::ReadResults::default();
        let status = unsafe { asl::read(self.0, offset as i64, memory(), at_mut(to), length(to), &mut results) };
        Status(status).and(Read { length: results.bytes_transferred as usize, at_end: results.eof != 0 })
    }

    pub fn read_all(&self) -> Result<Vec<u8>> {
        let size = self.size()?;
        if size > i32::MAX as u64 {
            return Err(Status::TOO_LARGE);
        }
        let mut bytes = self::alloc::vec![0; size as usize];
        let read = self.read_at(0, &mut bytes)?;
        bytes.truncate(read.length);
        Ok(bytes)
    }

    /// The text that it is; INVALID when it is not UTF-8.
    pub fn read_text(&self) -> Result<String> {
        String::from_utf8(self.read_all()?).map_err(|_| Status::INVALID)
    }

    pub fn raw(&self) -> HeapRef {
        self.0
    }
}

impl Drop for Artifact {
    fn drop(&mut self) {
        unsafe { asl::close(self.0) };
    }
}

/// An artifact in the making. Dropping it gives up what was not sealed.
pub struct Writer(HeapRef);

impl Writer {
    pub fn create(type_tag: Option<u32>) -> Result<Writer> {
        let mut results = asl::CreateResults::default();
        let status = unsafe { asl::create(type_tag.unwrap_or(0), u32::from(type_tag.is_some()), &mut results) };
        Status(status).and(())?;
        Ok(Writer(results.writer))
    }

    /// Adds all bytes, or none.
    pub fn write(&self, from: &[u8]) -> Result<()> {
        let mut results = asl::WriteResults::default();
        Status(unsafe { asl::write(self.0, -1, memory(), at(from), length(from), &mut results) }).and(())
    }

    /// What it will be so far.
    pub fn info(&self) -> Result<ArtifactInfo> {
        artifact_info(self.0, 0)
    }

    /// Ends the making.
    pub fn seal(&self) -> Result<Key> {
        let mut key = Key { length: 0, bytes: [0; KEY_ROOM] };
        let mut results = asl::SealResults::default();
        let (to, room) = (at_mut(&mut key.bytes), KEY_ROOM as u32);
        Status(unsafe { asl::seal(self.0, memory(), to, room, &mut results) }).and(())?;
        key.length = results.bytes_transferred as usize;
        Ok(key)
    }

    pub fn abort(&self) -> Result<()> {
        Status(unsafe { asl::abort(self.0) }).and(())
    }

    pub fn raw(&self) -> HeapRef {
        self.0
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        unsafe { asl::close(self.0) };
    }
}

/// Makes an artifact of some bytes.
pub fn put_artifact(from: &[u8]) -> Result<Key> {
    let writer = Writer::create(None)?;
    writer.write(from)?;
    writer.seal()
}

/// An artifact, as a list tells of it.
#[derive(Debug, Clone, Copy)]
pub struct ArtifactEntry {
    pub key: Key,
    pub bytes: u64,
    pub type_tag: Option<u32>,
    /// One of `Visibility`.
    pub visibility: u32,
}

/// The artifacts of the store, by their digests. Ends behind what it failed at.
pub struct Artifacts {
    after: Key,
    records: Vec<u8>,
    at: usize,
    at_end: bool,
}

/// Lists the artifacts of the store.
pub fn artifacts() -> Artifacts {
    Artifacts { after: Key { length: 0, bytes: [0; KEY_ROOM] }, records: Vec::new(), at: 0, at_end: false }
}

impl Artifacts {
    fn fill(&mut self) -> Result<()> {
        self.records.resize(4096, 0);
        self.at = 0;
        let mut results = asl::ListResults::default();
        let after = self.after.as_bytes();
        let (from, size) = (at(after), length(after));
        let (to, room) = (at_mut(&mut self.records), 4096);
        let status = unsafe { asl::list(memory(), from, size, memory(), to, room, &mut results) };
        self.records.truncate(results.bytes_transferred as usize);
        self.at_end = status != 0 || results.eof != 0;
        Status(status).and(())
    }
}

impl Iterator for Artifacts {
    type Item = Result<ArtifactEntry>;

    fn next(&mut self) -> Option<Result<ArtifactEntry>> {
        if self.at == self.records.len() {
            if self.at_end {
                return None;
            }
            if let Err(status) = self.fill() {
                return Some(Err(status));
            }
            if self.records.is_empty() {
                return None;
            }
        }
        let record = &self.records[self.at..];
        let size = record[0] as usize;
        let mut key = Key { length: size, bytes: [0; KEY_ROOM] };
        key.bytes[..size].copy_from_slice(&record[1..1 + size]);
        let fields = &record[1 + size..];
        let mut tag = [0; 4];
        let mut bytes = [0; 8];
        tag.copy_from_slice(&fields[1..5]);
        bytes.copy_from_slice(&fields[5..13]);
        let flags = u32::from(fields[0]);
        let is_tagged = flags & ArtifactFlag::HAS_TYPE_TAG != 0;
        let is_published = flags & ArtifactFlag::PUBLISHED != 0;
        self.at += 14 + size;
        self.after = key;
        Some(Ok(ArtifactEntry {
            key,
            bytes: u64::from_le_bytes(bytes),
            type_tag: if is_tagged { Some(u32::from_le_bytes(tag)) } else { None },
            visibility: if is_published { Visibility::PUBLISHED } else { Visibility::INTERNAL },
        }))
    }
}

// ---- Streams ----

/// A standard stream. It stays open until the guest ends.
#[derive(Clone, Copy)]
pub struct Stream(HeapRef);

impl Stream {
    /// Reads up to so many bytes; fewer come at the end, or from an interactive stream.
    pub fn read(&self, to: &mut [u8]) -> Result<Read> {
        read_from(self.0, -1, to)
    }

    pub fn read_all(&self) -> Result<Vec<u8>> {
        read_all_from(self.0, -1, PIECE)
    }

    /// Writes all bytes, or none.
    pub fn write(&self, from: &[u8]) -> Result<()> {
        write_to(self.0, -1, from)
    }

    pub fn raw(&self) -> HeapRef {
        self.0
    }
}

impl fmt::Write for Stream {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

static STDIN: AtomicI64 = AtomicI64::new(0);
static STDOUT: AtomicI64 = AtomicI64::new(0);
static STDERR: AtomicI64 = AtomicI64::new(0);

fn stream(kept: &AtomicI64, open: unsafe extern "C" fn() -> HeapRef) -> Stream {
    if kept.load(Ordering::Relaxed) == 0 {
        kept.store(unsafe { open() }, Ordering::Relaxed);
    }
    Stream(kept.load(Ordering::Relaxed))
}

pub fn stdin() -> Stream {
    stream(&STDIN, sys::stdin)
}

pub fn stdout() -> Stream {
    stream(&STDOUT, sys::stdout)
}

pub fn stderr() -> Stream {
    stream(&STDERR, sys::stderr)
}

/// For the macros: writes in one piece.
#[doc(hidden)]
pub fn print_to(stream: Stream, line: fmt::Arguments<'_>, end: &str) -> Result<()> {
    let mut whole = self::alloc::fmt::format(line);
    whole.push_str(end);
    stream.write(whole.as_bytes())
}

/// Like `std`'s: writes to the standard output. Traps when that fails; `stdout().write` tells why instead.
macro_rules! ashlar_print {
    ($($words:tt)*) => {
        crate::ashlar::print_to(crate::ashlar::stdout(), core::format_args!($($words)*), "").unwrap()
    };
}
macro_rules! ashlar_println {
    () => { crate::ashlar::print!("\n") };
    ($($words:tt)*) => {
        crate::ashlar::print_to(crate::ashlar::stdout(), core::format_args!($($words)*), "\n").unwrap()
    };
}
macro_rules! ashlar_eprint {
    ($($words:tt)*) => {
        crate::ashlar::print_to(crate::ashlar::stderr(), core::format_args!($($words)*), "").unwrap()
    };
}
macro_rules! ashlar_eprintln {
    () => { crate::ashlar::eprint!("\n") };
    ($($words:tt)*) => {
        crate::ashlar::print_to(crate::ashlar::stderr(), core::format_args!($($words)*), "\n").unwrap()
    };
}

/// Defines the entry point: it calls a function without parameters and exits with what that answers. The module also says
/// which version of the ABI it was built for.
macro_rules! ashlar_main {
    ($function:expr) => {
        #[no_mangle]
        pub extern "C" fn _start() {
            let code = crate::ashlar::ExitCode::exit_code($function());
            if code != 0 {
                crate::ashlar::exit(code);
            }
        }

        #[used]
        #[link_section = "ashlar.abi"]
        pub static ASHLAR_ABI: [u8; 1] = [crate::ashlar::syscalls::ABI_VERSION as u8];
    };
}

// Under their own names they would be ambiguous beside those of `std`.
pub(crate) use {
    ashlar_eprint as eprint, ashlar_eprintln as eprintln, ashlar_main as main, ashlar_print as print,
    ashlar_println as println,
};

// ---- The world ----

/// What `main!` makes an exit code of: nothing or `Ok` is 0, an `Err` is written to the standard error output and 1.
pub trait ExitCode {
    fn exit_code(self) -> u8;
}

impl ExitCode for () {
    fn exit_code(self) -> u8 {
        0
    }
}

impl ExitCode for u8 {
    fn exit_code(self) -> u8 {
        self
    }
}

impl<T: ExitCode, E: fmt::Display> ExitCode for core::result::Result<T, E> {
    fn exit_code(self) -> u8 {
        match self {
            Ok(value) => value.exit_code(),
            Err(error) => {
                let _ = print_to(stderr(), format_args!("error: {}", error), "\n");
                1
            }
        }
    }
}

/// Ends the guest; 0 means success. Nothing is dropped.
pub fn exit(code: u8) -> ! {
    unsafe { sys::exit(u32::from(code)) };
    unreachable!()
}

/// The guest's arguments; its own name is none of them.
pub fn args() -> Vec<String> {
    let count = unsafe { sys::args_count() };
    (0..count)
        .map(|index| {
            let mut bytes = self::alloc::vec![0; unsafe { sys::arg_size(index) } as usize];
            unsafe { sys::arg_read(index, memory(), at_mut(&mut bytes), length(&bytes)) };
            text(&bytes)
        })
        .collect()
}

/// The variables of the environment, `NAME=value` each.
pub fn variables() -> Vec<String> {
    let count = unsafe { sys::env_count() };
    (0..count)
        .map(|index| {
            let mut bytes = self::alloc::vec![0; unsafe { sys::env_size(index) } as usize];
            unsafe { sys::env_read(index, memory(), at_mut(&mut bytes), length(&bytes)) };
            text(&bytes)
        })
        .collect()
}

/// Value of a variable of the environment.
pub fn variable(name: &str) -> Option<String> {
    variables().iter().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix('=')?;
        Some(String::from(value))
    })
}

/// Hands a line of diagnostics to whoever runs the guest.
pub fn log(line: &str) {
    let line = line.as_bytes();
    unsafe { sys::log(memory(), at(line), length(line)) }
}

/// Logs a panic, which else nobody would see. With `std`: `std::panic::set_hook(Box::new(|info| ashlar::panicked(info)))`;
/// without, in the `#[panic_handler]`, before `core::arch::wasm32::unreachable()`.
pub fn panicked(info: &dyn fmt::Display) {
    log(&self::alloc::format!("{}", info));
}

/// The time of day, in nanoseconds since 1970.
pub fn now() -> i64 {
    unsafe { sys::clock(Clock::REALTIME) }
}

/// A time that never goes back, in nanoseconds since some fixed moment.
pub fn monotonic() -> i64 {
    unsafe { sys::clock(Clock::MONOTONIC) }
}

/// Waits.
pub fn sleep(duration: Duration) {
    unsafe { sys::sleep(duration.as_nanos().min(u128::from(u64::MAX)) as u64) }
}

/// Fills a slice with random bytes.
pub fn fill_random(to: &mut [u8]) {
    unsafe { sys::random(memory(), at_mut(to), length(to)) }
}

/// Fuel left; none when there is no limit.
pub fn fuel_left() -> Option<u64> {
    match unsafe { sys::fuel_left() } {
        u64::MAX => None,
        left => Some(left),
    }
}
