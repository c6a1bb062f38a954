/**
 * A folder in memory that begins as a copy of a folder of the host, and whose changes are copied back (spec CLI-TMP): the
 * guest has nothing of the disk in its hands, and whoever reads the folder meanwhile sees whole files only.
 *
 * Both copies go through the backend interface, so no link is ever followed, and nothing outside the folder is touched.
 */
import { Status, statusName } from "../syscalls/status.ts";
import { OpenFlag } from "../syscalls/table.ts";
import { AshlarError } from "../vm/errors.ts";
import { hex, sha256 } from "../vm/sha256.ts";
import { decodeUtf8 } from "../vm/utf8.ts";
import { directoryFileSystem } from "./fs/directory.ts";
import {
  type FileSystem,
  type Folder,
  type Found,
  GrantError,
  type OpenFile,
  type Outcome,
  RETRY,
  type Transfer,
} from "./fs/file-system.ts";
import { MemoryFileSystem, type MemoryQuota } from "./fs/memory.ts";
import { compareNames, isName } from "./fs/paths.ts";

/** The changes of a guest could not be copied back, or not all of them: the message says which. */
export class TmpError extends AshlarError {
  readonly code = "FS-TMP";
  constructor(message: string) {
    super(message);
    this.name = "TmpError";
  }
}

export interface Tmp {
  readonly fs: FileSystem;
  /**
   * Makes the host's folder what the guest has made of its copy. A TmpError before the first file has its new content
   * leaves the folder as it was. Does nothing without a folder of the host.
   */
  copyOut(): void;
}

export interface TmpOptions {
  /** Folder of the host to copy in; undefined: begin empty. Or a file system, for tests. */
  readonly host?: string | FileSystem | undefined;
  readonly quota?: Partial<MemoryQuota>;
  /** Hears what is left out, a sentence each. */
  readonly note?: (text: string) => void;
}

/** Copies in. Throws a GrantError when the folder is none, cannot be read, or is over the quota. */
export function openTmp({ host, quota = {}, note = () => {} }: TmpOptions): Tmp {
  const memory = new MemoryFileSystem({}, quota);
  if (host === undefined) return { fs: memory, copyOut: () => {} };
  const directory = typeof host === "string" ? directoryFileSystem(host) : host;
  const label = typeof host === "string" ? host : "the folder";
  const original = copyIn(directory, memory, label, note);
  return { fs: memory, copyOut: () => new CopyOut(directory, memory, label, note).run(original) };
}

/** What was copied in under one name; `other` was left out. */
type Original =
  | { readonly kind: "file"; readonly digest: string }
  | { readonly kind: "symlink"; readonly target: string }
  | OriginalFolder
  | { readonly kind: "other" };
interface OriginalFolder {
  readonly kind: "directory";
  readonly entries: Map<string, Original>;
}

/** Names of files that a copy-out writes until they are whole. */
const TEMPORARY = /^\.ashlar-tmp-\d+-\d+$/;
/** Bytes that are copied at once. */
const PIECE_BYTES = 1024 * 1024;
/** Attempts at what someone else's changes may disturb. */
const ATTEMPTS = 4;

/** A status that ends a copy; becomes a GrantError or a TmpError. */
class Failure extends Error {}

function failure(status: Status, action: string, path: string): Failure {
  return new Failure(`cannot ${action} ${path || "the folder"}: ${statusName(status)}`);
}

/** What an operation answers, or a Failure that says what could not be done with the path. */
function done<Answer extends object>(operation: () => Answer | Outcome, action: string, path: string): Answer;
function done(operation: () => Outcome, action: string, path: string): void;
function done(operation: () => object | Outcome, action: string, path: string): object | undefined {
  const answer = attempted(operation);
  if (typeof answer === "object") return answer;
  if (answer === Status.OK) return undefined;
  throw failure(answer === RETRY ? Status.TRANSIENT : answer, action, path);
}

/** What an operation answers, after some attempts: someone else may be changing the folder. */
function attempted<Answer>(operation: () => Answer): Answer {
  let answer = operation();
  for (let k = 1; answer === RETRY && k < ATTEMPTS; k++) answer = operation();
  return answer;
}

/** The names in a folder in the order of their bytes; those that no guest can name are noted and left out. */
function listed(fs: FileSystem, folder: Folder, path: string, note: (text: string) => void): string[] {
  const directory = done(() => fs.openDirectory(folder), "open", path);
  if (directory.kind !== "directory") throw failure(Status.NOT_DIRECTORY, "open", path);
  const entries = directory.list();
  directory.close();
  if (typeof entries === "number") throw failure(entries, "list", path);
  const names: string[] = [];
  for (const { name } of [...entries].sort((left, right) => compareNames(left.name, right.name))) {
    if (isName(name)) names.push(decodeUtf8(name)!);
    else note(`a name in ${path || "the folder"} is no UTF-8, or too long; what has it is left out`);
  }
  return names;
}

/** What a name stands for; undefined for nothing. */
function found(fs: FileSystem, folder: Folder, name: string, path: string): Found | undefined {
  const answer = attempted(() => fs.lookup(folder, name));
  if (answer === Status.NOT_FOUND) return undefined;
  if (typeof answer === "object") return answer;
  throw failure(answer === RETRY ? Status.TRANSIENT : (answer as Status), "look up", path);
}

function below(path: string, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}

let piece: Uint8Array | undefined;

/** Copies an open file's bytes to another, if there is one, and answers their SHA-256. */
function copyBytes(from: OpenFile, to: OpenFile | undefined, path: string): string {
  const hash = sha256();
  piece ??= new Uint8Array(PIECE_BYTES);
  const transfer: Transfer = { bytes: 0, eof: false };
  for (let position = 0; ; position += transfer.bytes) {
    const status = from.read(position, piece, transfer);
    if (status !== Status.OK) throw failure(status, "read", path);
    const bytes = piece.subarray(0, transfer.bytes);
    hash.update(bytes);
    if (to !== undefined && bytes.length > 0) {
      const written = to.write(position, bytes);
      if (written !== Status.OK) throw failure(written, "write", path);
    }
    if (transfer.eof) return hex(hash.digest());
  }
}

/** Runs `use` with a file, and closes it. */
function withFile<Answer>(file: OpenFile, use: () => Answer): Answer {
  try {
    return use();
  } finally {
    file.close();
  }
}

function copyIn(from: FileSystem, to: FileSystem, label: string, note: (text: string) => void): OriginalFolder {
  const about = (text: string): void => note(`${label}: ${text}`);
  const folderInto = (source: Folder, target: Folder, path: string): OriginalFolder => {
    const entries = new Map<string, Original>();
    for (const name of listed(from, source, path, about)) {
      const at = below(path, name);
      if (TEMPORARY.test(name)) about(`${at} was left by a run that was ended half-way; it can be deleted`);
      entries.set(name, TEMPORARY.test(name) ? { kind: "other" } : one(source, target, name, at));
    }
    return { kind: "directory", entries };
  };
  const one = (source: Folder, target: Folder, name: string, path: string): Original => {
    const what = found(from, source, name, path);
    switch (what?.kind) {
      case "directory": {
        done(() => to.mkdir(target, name), "copy", path);
        const inner = found(to, target, name, path);
        if (inner?.kind !== "directory") throw failure(Status.OTHER, "copy", path);
        return folderInto(what.folder, inner.folder, path);
      }
      case "symlink":
        done(() => to.symlink(what.target, target, name), "copy", path);
        return { kind: "symlink", target: what.target };
      case "file": {
        const file = done(() => from.open(source, name, OpenFlag.READ), "open", path);
        return withFile(file, () => {
          const copy = done(() => to.create(target, name, OpenFlag.WRITE), "copy", path);
          return { kind: "file", digest: withFile(copy, () => copyBytes(file, copy, path)) };
        });
      }
      default:
        // Undefined: someone has removed it.
        if (what !== undefined) about(`${path} is left out: neither a file, a folder nor a link in UTF-8`);
        return { kind: "other" };
    }
  };
  try {
    return folderInto(from.root, to.root, "");
  } catch (error) {
    if (error instanceof Failure) throw new GrantError(`${label} cannot be copied into memory: ${error.message}`);
    throw error;
  }
}

/** Something new beside the place where it belongs. */
interface Staged {
  readonly folder: Folder;
  readonly temporary: string;
  readonly name: string;
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink";
  /** What has the name now. */
  readonly replaces: Original | undefined;
}
interface Removal {
  readonly folder: Folder;
  readonly name: string;
  readonly path: string;
  readonly original: Original;
}

class CopyOut {
  readonly #host: FileSystem;
  readonly #memory: FileSystem;
  readonly #label: string;
  readonly #note: (text: string) => void;
  /** What is there under a temporary name. */
  readonly #staged = new Set<Staged>();
  readonly #removals: Removal[] = [];
  /** Folders of the host whose names change. */
  readonly #touched = new Map<string, Folder>();
  #temporaries = 0;
  /** True once something of the folder is no longer what it was. */
  #begun = false;

  constructor(host: FileSystem, memory: FileSystem, label: string, note: (text: string) => void) {
    this.#host = host;
    this.#memory = memory;
    this.#label = label;
    this.#note = (text) => note(`${label}: ${text}`);
  }

  run(original: OriginalFolder): void {
    try {
      this.#stage(this.#memory.root, this.#host.root, original, "");
      this.#commit();
    } catch (error) {
      this.#removeTemporaries();
      if (!(error instanceof Failure)) throw error;
      const extent = this.#begun ? "not everything was copied back" : "nothing was copied back";
      throw new TmpError(`${this.#label}: ${extent}: ${error.message}`);
    }
  }

  /** Writes what is new in a folder beside its place, and notes what is gone. */
  #stage(memory: Folder, host: Folder, original: OriginalFolder, path: string): void {
    const names = new Set<string>();
    for (const name of this.#namesOf(memory, path)) {
      names.add(name);
      const at = below(path, name);
      const now = found(this.#memory, memory, name, at);
      const was = original.entries.get(name);
      if (now === undefined || now.kind === "other") continue;
      if (now.kind === "directory" && was?.kind === "directory") {
        const there = found(this.#host, host, name, at);
        if (there?.kind !== "directory") throw new Failure(`${at} is no folder any more`);
        this.#stage(now.folder, there.folder, was, at);
      } else if (!this.#isSame(memory, name, at, now, was)) {
        if (was?.kind === "other") throw new Failure(`${at} is something that was not copied in`);
        const temporary = this.#nextTemporary(host, at);
        this.#staged.add({ folder: host, temporary, name, path: at, kind: now.kind, replaces: was });
        this.#touched.set(path, host);
        this.#write(memory, name, now, host, temporary, at, was?.kind === "file" ? name : undefined);
      }
    }
    for (const [name, was] of original.entries) {
      if (names.has(name) || was.kind === "other") continue;
      this.#removals.push({ folder: host, name, path: below(path, name), original: was });
      this.#touched.set(path, host);
    }
  }

  /** The guest's names in a folder, but for those that a copy-out uses itself. */
  #namesOf(folder: Folder, path: string): string[] {
    const names = listed(this.#memory, folder, path, () => {});
    return names.filter((name) => {
      if (TEMPORARY.test(name))
        this.#note(`${below(path, name)} is not copied back: its name is that of a temporary file`);
      return !TEMPORARY.test(name);
    });
  }

  #isSame(folder: Folder, name: string, path: string, now: Found, was: Original | undefined): boolean {
    if (now.kind === "symlink") return was?.kind === "symlink" && was.target === now.target;
    if (now.kind !== "file" || was?.kind !== "file") return false;
    const file = done(() => this.#memory.open(folder, name, OpenFlag.READ), "read", path);
    return withFile(file, () => copyBytes(file, undefined, path)) === was.digest;
  }

  #nextTemporary(folder: Folder, path: string): string {
    for (;;) {
      const name = `.ashlar-tmp-${process.pid}-${this.#temporaries++}`;
      if (found(this.#host, folder, name, path) === undefined) return name;
    }
  }

  /** Writes a file, a link or a whole folder, and waits until it is on disk. A file has the permissions of the replaced one. */
  #write(source: Folder, name: string, what: Found, target: Folder, as: string, path: string, replaced?: string): void {
    switch (what.kind) {
      case "file": {
        const file = done(() => this.#memory.open(source, name, OpenFlag.READ), "read", path);
        withFile(file, () => {
          const copy = done(() => this.#host.create(target, as, OpenFlag.WRITE), "write", path);
          withFile(copy, () => {
            if (replaced !== undefined && found(this.#host, target, replaced, path)?.kind === "file")
              done(() => this.#host.permitAs?.(target, as, replaced) ?? Status.OK, "replace", path);
            copyBytes(file, copy, path);
            const synced = copy.sync();
            if (synced !== Status.OK && synced !== Status.UNSUPPORTED) throw failure(synced, "write", path);
          });
        });
        return;
      }
      case "symlink":
        done(() => this.#host.symlink(what.target, target, as), "write", path);
        return;
      case "directory": {
        done(() => this.#host.mkdir(target, as), "write", path);
        const made = found(this.#host, target, as, path);
        if (made?.kind !== "directory") throw new Failure(`${path} changes while it is written`);
        for (const inner of this.#namesOf(what.folder, path)) {
          const at = below(path, inner);
          const content = found(this.#memory, what.folder, inner, at);
          if (content !== undefined) this.#write(what.folder, inner, content, made.folder, inner, at);
        }
        this.#sync(made.folder);
        return;
      }
      case "other":
        return;
    }
  }

  #commit(): void {
    // What only takes a name first: a file where a folder was, or the reverse, has a moment without either.
    const plain = (staged: Staged): boolean =>
      staged.replaces === undefined || (staged.kind === "directory") === (staged.replaces.kind === "directory");
    const all = [...this.#staged];
    for (const staged of [...all.filter(plain), ...all.filter((one) => !plain(one))]) {
      const { folder, temporary, name, path, replaces } = staged;
      if (!plain(staged)) {
        this.#begun = true;
        this.#remove({ folder, name, path, original: replaces! });
      }
      done(() => this.#host.rename(folder, temporary, folder, name), "replace", path);
      this.#begun = true;
      this.#staged.delete(staged);
    }
    let folder: Folder | undefined;
    let names = new Set<string>();
    for (const removal of this.#removals) {
      if (removal.folder !== folder) {
        folder = removal.folder;
        names = new Set(listed(this.#host, folder, "", () => {}));
      }
      // By the list: where `A` and `a` are one name, what was written as `A` must not be removed as `a`.
      if (names.has(removal.name)) this.#remove(removal);
      this.#begun = true;
    }
    for (const touched of this.#touched.values()) this.#sync(touched);
  }

  /** Removes what was copied in under a name; what was not stays, and so do the folders above it. */
  #remove({ folder, name, path, original }: Removal): void {
    const there = found(this.#host, folder, name, path);
    if (there === undefined) return;
    if (there.kind !== "directory") {
      if (original.kind === there.kind) done(() => this.#host.unlink(folder, name), "remove", path);
      return;
    }
    if (original.kind !== "directory") return;
    for (const [inner, content] of original.entries)
      if (content.kind !== "other")
        this.#remove({ folder: there.folder, name: inner, path: below(path, inner), original: content });
    const status = this.#host.rmdir(folder, name);
    if (status === Status.NOT_EMPTY) this.#note(`${path} stays: it holds what was not copied in`);
    else done(() => (status === Status.OK ? status : this.#host.rmdir(folder, name)), "remove", path);
  }

  #sync(folder: Folder): void {
    const directory = this.#host.openDirectory(folder);
    if (typeof directory !== "object") return;
    // Some hosts cannot: then a loss of power may undo what was done.
    directory.sync();
    directory.close();
  }

  #removeTemporaries(): void {
    for (const { folder, temporary } of this.#staged) this.#removeAll(folder, temporary);
  }

  #removeAll(folder: Folder, name: string): void {
    const there = attempted(() => this.#host.lookup(folder, name));
    if (typeof there !== "object") return;
    if (there.kind !== "directory") {
      attempted(() => this.#host.unlink(folder, name));
      return;
    }
    const directory = attempted(() => this.#host.openDirectory(there.folder));
    const entries = typeof directory === "object" && directory.kind === "directory" ? directory.list() : [];
    if (typeof directory === "object") directory.close();
    if (typeof entries === "number") return;
    for (const entry of entries) {
      const inner = decodeUtf8(entry.name);
      if (inner !== undefined) this.#removeAll(there.folder, inner);
    }
    attempted(() => this.#host.rmdir(folder, name));
  }
}
