//! Counts lines of text by kind of file, in folders and all below them.
//!
//!     linecount PATH…
//!
//! A kind is what stands behind the last dot of a name. A line without an end counts, too; a blank one holds nothing but
//! white space. Files with a zero byte are no text: their lines are not counted. Symbolic links in folders are passed over.

#[path = "../../../syscalls/bindings/rust/ashlar.rs"]
mod ashlar;
mod lines;

use ashlar::{eprintln, println, Dir, EntryKind, File, OpenFlag};
use lines::LineCounter;
use std::collections::BTreeMap;

const CHUNK: usize = 65_536;

/// Sums over the files of one kind.
#[derive(Default)]
struct Totals {
    files: u64,
    bytes: u64,
    lines: u64,
    blank: u64,
    longest: u64,
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.blank += other.blank;
        self.longest = self.longest.max(other.longest);
    }
}

#[derive(Default)]
struct Count {
    kinds: BTreeMap<String, Totals>,
    failures: u32,
}

impl Count {
    fn fail(&mut self, path: &str, status: ashlar::Status) {
        eprintln!("linecount: {}: {}", path, status);
        self.failures += 1;
    }

    /// Counts what `name` in `dir` stands for; `path` is what the user calls it.
    fn path(&mut self, path: &str) {
        let root = Dir::root();
        let outcome = root.stat(path).and_then(|stat| match stat.kind {
            EntryKind::Directory => root.open_dir(path).and_then(|dir| self.directory(&dir, path)),
            _ => self.file(&root, path, path),
        });
        if let Err(status) = outcome {
            self.fail(path, status);
        }
    }

    fn directory(&mut self, dir: &Dir, path: &str) -> ashlar::Result<()> {
        for entry in dir.entries()? {
            let entry = entry?;
            let inner = format!("{}/{}", path.trim_end_matches('/'), entry.name);
            let outcome = match entry.kind {
                EntryKind::File => self.file(dir, &entry.name, &inner),
                EntryKind::Directory => dir.open_dir(&entry.name).and_then(|dir| self.directory(&dir, &inner)),
                _ => Ok(()),
            };
            if let Err(status) = outcome {
                self.fail(&inner, status);
            }
        }
        Ok(())
    }

    fn file(&mut self, dir: &Dir, name: &str, path: &str) -> ashlar::Result<()> {
        let file = dir.open_file(name, OpenFlag::READ)?;
        let totals = count(&file)?;
        self.kinds.entry(kind_of(path)).or_default().add(&totals);
        Ok(())
    }

    fn print(&self) {
        let mut total = Totals::default();
        let mut kinds: Vec<(&String, &Totals)> = self.kinds.iter().collect();
        // A stable sort: kinds with as many lines stay in the order of their names.
        kinds.sort_by_key(|(_, totals)| core::cmp::Reverse(totals.lines));
        println!("{:>7} {:>9} {:>9} {:>11} {:>8}  kind", "files", "lines", "blank", "bytes", "longest");
        for (kind, totals) in kinds {
            print_row(totals, kind);
            total.add(totals);
        }
        print_row(&total, "total");
    }
}

fn print_row(totals: &Totals, kind: &str) {
    let Totals { files, bytes, lines, blank, longest } = totals;
    println!("{:>7} {:>9} {:>9} {:>11} {:>8}  {}", files, lines, blank, bytes, longest, kind);
}

/// `.rs` of `src/main.rs`; a dot in front makes no kind.
fn kind_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rfind('.') {
        Some(dot) if dot > 0 => name[dot..].to_owned(),
        _ => "(none)".to_owned(),
    }
}

fn count(file: &File) -> ashlar::Result<Totals> {
    let mut chunk = vec![0; CHUNK];
    let mut counter = LineCounter::default();
    let mut bytes = 0;
    loop {
        let read = file.read_at(bytes, &mut chunk)?;
        counter.feed(&chunk[..read.length]);
        bytes += read.length as u64;
        if read.at_end {
            break;
        }
    }
    let lines = counter.finish();
    Ok(Totals { files: 1, bytes, lines: lines.all, blank: lines.blank, longest: lines.longest })
}

fn run() -> u8 {
    std::panic::set_hook(Box::new(|info| ashlar::panicked(info)));
    let paths = ashlar::args();
    if paths.is_empty() || paths.iter().any(|path| path.starts_with('-')) {
        eprintln!("usage: linecount PATH...");
        return 2;
    }
    let mut count = Count::default();
    for path in &paths {
        count.path(path);
    }
    count.print();
    u8::from(count.failures > 0)
}

ashlar::main!(run);
