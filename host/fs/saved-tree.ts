/** A tree in memory as bytes, for snapshots (spec FS-MEMORY-8, FS-MEMORY-9). */
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";
import type { EntryKind } from "./file-system.ts";
import {
  type Below,
  createDirectory,
  createFile,
  createLink,
  createShown,
  type DirectoryNode,
  type Node,
} from "./inode.ts";
import { compareNames, NAME_BYTES, PATH_BYTES } from "./paths.ts";

const VERSION = 1;
const ROOT = 1;
const KINDS: readonly EntryKind[] = ["other", "file", "directory", "symlink"];
const TIMES = ["accessed", "modified", "changed"] as const;
const OWN = 1;
const ORIGIN = 2;
/** The first of three bits, one for each of the times. */
const FIRST_TIME = 4;
const ALL_TIMES = 7 * FIRST_TIME;
const FLAGS = OWN | ORIGIN | ALL_TIMES;
/** Fewest bytes of a node, of an entry, and of a hidden name. */
const NODE_BYTES = 10;
const ENTRY_BYTES = 10;
const HIDDEN_BYTES = 2;

export interface SavedTree {
  readonly root: DirectoryNode;
  /** By number, in the order of numbers. */
  readonly nodes: Map<number, Node>;
  /** Number of the next node made. */
  readonly next: number;
}

// ---- writing

/** Collects fields, and contents without copying them. */
class Writer {
  readonly #parts: Uint8Array[] = [];
  #fields = new Uint8Array(4096);
  #view = new DataView(this.#fields.buffer);
  #start = 0;
  #end = 0;
  #length = 0;

  #room(bytes: number): number {
    if (this.#end + bytes > this.#fields.length) {
      this.#flush();
      this.#fields = new Uint8Array(4096);
      this.#view = new DataView(this.#fields.buffer);
      this.#start = 0;
      this.#end = 0;
    }
    const at = this.#end;
    this.#end += bytes;
    return at;
  }

  #flush(): void {
    if (this.#end === this.#start) return;
    this.#parts.push(this.#fields.subarray(this.#start, this.#end));
    this.#length += this.#end - this.#start;
    this.#start = this.#end;
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#fields[at] = value;
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  u64(value: number): void {
    this.u32(value >>> 0);
    this.u32(Math.floor(value / 2 ** 32));
  }

  i64(value: bigint): void {
    const at = this.#room(8);
    this.#view.setBigInt64(at, value, true);
  }

  raw(bytes: Uint8Array): void {
    this.#flush();
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  /** A u8 length, then the name. */
  name(name: Uint8Array): void {
    this.u8(name.length);
    const at = this.#room(name.length);
    this.#fields.set(name, at);
  }

  /** A u32 length, then the bytes. */
  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }

  finish(): Uint8Array {
    this.#flush();
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

export function saveTree({ nodes, next }: Omit<SavedTree, "root">): Uint8Array {
  const writer = new Writer();
  writer.u8(VERSION);
  writer.u64(next);
  writer.u32(nodes.size);
  for (const node of nodes.values()) saveNode(writer, node);
  return writer.finish();
}

function saveNode(writer: Writer, node: Node): void {
  let flags = (node.own ? OWN : 0) | (node.origin === undefined ? 0 : ORIGIN);
  for (const [k, time] of TIMES.entries()) if (node[time] !== undefined) flags |= FIRST_TIME << k;
  writer.u64(node.number);
  writer.u8(KINDS.indexOf(node.kind));
  writer.u8(flags);
  if (node.origin !== undefined) writer.bytes(encodeUtf8(node.origin.path));
  for (const time of TIMES) if (node[time] !== undefined) writer.i64(node[time]);
  if (node.kind === "file" && node.own) writer.bytes(node.buffer.subarray(0, node.length));
  if (node.kind === "symlink") writer.bytes(encodeUtf8(node.target));
  if (node.kind !== "directory") return;
  // What nothing is known of but that it shows through has no number, and is found again.
  const entries = [...node.entries].filter(([, { number }]) => number !== 0);
  const sorted = sortNames(entries.map(([name, { number }]) => ({ name: encodeUtf8(name), number })));
  writer.u32(sorted.length);
  for (const { name, number } of sorted) {
    writer.name(name);
    writer.u64(number);
  }
  if (node.origin === undefined) return;
  writer.u32(node.hidden.size);
  for (const { name } of sortNames([...node.hidden].map((hidden) => ({ name: encodeUtf8(hidden) })))) writer.name(name);
}

function sortNames<Named extends { readonly name: Uint8Array }>(named: Named[]): Named[] {
  return named.sort((left, right) => compareNames(left.name, right.name));
}

// ---- reading

class Damage extends Error {}

function check(fits: boolean): asserts fits {
  if (!fits) throw new Damage();
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #take(bytes: number): number {
    const at = this.#at;
    check(bytes <= this.#bytes.length - at);
    this.#at = at + bytes;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): number {
    const value = this.u32() + this.u32() * 2 ** 32;
    check(Number.isSafeInteger(value));
    return value;
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes(): Uint8Array {
    return this.raw(this.u32());
  }

  /** A count of items of `size` bytes or more each, all of which are there. */
  count(size: number): number {
    const count = this.u32();
    check(count <= (this.#bytes.length - this.#at) / size);
    return count;
  }

  /** Names in strictly ascending order, each with what `read` reads behind it. */
  names(size: number, read: (name: string) => void): void {
    let before: Uint8Array | undefined;
    for (let count = this.count(size); count > 0; count--) {
      const name = this.raw(this.u8());
      check(before === undefined || compareNames(before, name) < 0);
      before = name;
      read(componentOf(name));
    }
  }

  end(): void {
    check(this.#at === this.#bytes.length);
  }
}

/** The tree in `bytes`, over what is `below`; undefined when they are damaged. */
export function restoreTree(bytes: Uint8Array, below: Below | undefined): SavedTree | undefined {
  try {
    return readTree(new Reader(bytes), below);
  } catch (error) {
    if (error instanceof Damage) return undefined;
    throw error;
  }
}

/** Numbers of what is in each directory, until all nodes are there. */
type Contents = Map<DirectoryNode, [name: string, number: number][]>;

function readTree(reader: Reader, below: Below | undefined): SavedTree {
  const nodes = new Map<number, Node>();
  const contents: Contents = new Map();
  const origins = new Set<string>();
  check(reader.u8() === VERSION);
  const next = reader.u64();
  let before = 0;
  for (let count = reader.count(NODE_BYTES); count > 0; count--) {
    const number = reader.u64();
    check(number > before && number < next);
    before = number;
    const node = readNode(reader, number === ROOT, below, contents);
    node.number = number;
    nodes.set(number, node);
    if (node.origin === undefined) continue;
    check(!origins.has(node.origin.path));
    origins.add(node.origin.path);
  }
  reader.end();
  const root = nodes.get(ROOT);
  check(root?.kind === "directory");
  fill(root, nodes, contents);
  return { root, nodes, next };
}

function readNode(reader: Reader, isRoot: boolean, below: Below | undefined, contents: Contents): Node {
  const kind = KINDS[reader.u8()];
  const flags = reader.u8();
  check(kind !== undefined && (flags & ~FLAGS) === 0);
  const own = (flags & OWN) !== 0;
  const origin = (flags & ORIGIN) === 0 ? undefined : originOf(reader.bytes(), isRoot, below);
  // What was made in the tree is its own, and has its times; a directory that shows through, and what is no file, never is.
  check(origin === undefined ? own && (flags & ALL_TIMES) === ALL_TIMES && kind !== "other" : true);
  check(!(own && origin !== undefined && (kind === "directory" || kind === "other")));
  check(!isRoot || (kind === "directory" && (origin === undefined) === (below === undefined)));
  const times = TIMES.map((_, k) => ((flags & (FIRST_TIME << k)) === 0 ? undefined : reader.i64()));
  const node = readContent(reader, kind, own, origin, contents);
  node.own = own;
  node.names = isRoot ? 1 : 0;
  for (const [k, time] of TIMES.entries()) node[time] = times[k];
  return node;
}

function readContent(
  reader: Reader,
  kind: EntryKind,
  own: boolean,
  origin: Below | undefined,
  contents: Contents,
): Node {
  if (kind === "other") return createShown({ kind, target: "", place: origin! });
  if (kind === "symlink") return createLink(targetOf(reader.bytes()), origin);
  if (kind === "file") {
    const file = createFile(origin);
    if (own) file.buffer = reader.bytes().slice();
    file.length = file.buffer.length;
    return file;
  }
  const directory = createDirectory(origin);
  const entries: [string, number][] = [];
  reader.names(ENTRY_BYTES, (name) => entries.push([name, reader.u64()]));
  contents.set(directory, entries);
  if (origin !== undefined) reader.names(HIDDEN_BYTES, (name) => directory.hidden.add(name));
  return directory;
}

/** Puts the nodes into their directories. Every directory that has anything in it is reached from the root, by one way. */
function fill(root: DirectoryNode, nodes: ReadonlyMap<number, Node>, contents: Contents): void {
  const reached = [root];
  for (const directory of reached) {
    for (const [name, number] of contents.get(directory)!) {
      const node = nodes.get(number);
      check(node !== undefined && node !== root);
      node.names++;
      // One that shows through has one name, as has a directory.
      check(node.names === 1 || (node.own && node.kind !== "directory"));
      directory.entries.set(name, node);
      if (node.kind !== "directory") continue;
      node.parent = directory;
      node.name = name;
      reached.push(node);
    }
    contents.delete(directory);
  }
  for (const unreached of contents.values()) check(unreached.length === 0);
}

function componentOf(bytes: Uint8Array): string {
  const name = decodeUtf8(bytes);
  check(name !== undefined && isComponent(name));
  return name;
}

function isComponent(name: string): boolean {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) return false;
  // A character has three bytes at most for each unit.
  return name.length <= NAME_BYTES / 3 || encodeUtf8(name).length <= NAME_BYTES;
}

function targetOf(bytes: Uint8Array): string {
  const target = bytes.length > 0 && bytes.length <= PATH_BYTES ? decodeUtf8(bytes) : undefined;
  check(target !== undefined && !target.includes("\0"));
  return target;
}

function originOf(bytes: Uint8Array, isRoot: boolean, below: Below | undefined): Below {
  const path = decodeUtf8(bytes);
  check(path !== undefined && below !== undefined && (path === "") === isRoot);
  if (isRoot) return below;
  const [before, ...names] = path.split("/");
  check(before === "" && names.every(isComponent));
  return below.at(names);
}
