/**
 * What a snapshot holds of the host (spec ABI-SNAPSHOT): how far clock and randomness are, the numbers of files, the trees
 * of file systems that are the guest's own, and handles, which are opened again through the grants of the new instance.
 */
import { DIR_KIND, FILE_KIND, STREAM_KIND } from "../syscalls/kinds.ts";
import type { Json } from "../syscalls/recording-file.ts";
import { Status } from "../syscalls/status.ts";
import { OpenFlag } from "../syscalls/table.ts";
import type { Personality } from "../syscalls/wasi/personality.ts";
import type { Kind } from "../vm/heap.ts";
import { hex, sha256 } from "../vm/sha256.ts";
import type { HostState } from "../vm/store.ts";
import { decodeUtf8, encodeUtf8 } from "../vm/utf8.ts";
import type { Artifacts } from "./asl/syscalls.ts";
import type { Banks } from "./assets/banks.ts";
import type { Clock } from "./clock.ts";
import type { FileSystem, OpenFile, Transfer } from "./fs/file-system.ts";
import { handleOf, type NodeHandle, type StreamHandle, type StreamName } from "./fs/handles.ts";
import { areOpenFlags, type Namespace } from "./fs/namespace.ts";
import type { Random } from "./random.ts";
import type { InputStream } from "./streams.ts";

/** Files in the order of first sight (spec FS-STAT-3). */
export interface Sightings {
  /** The number of a file. */
  numberOf(fs: FileSystem, id: string | number | bigint): number;
  /** In the order of their numbers, from 1; a number counts those between that are gone. */
  readonly keys: readonly (string | number)[];
  restore(keys: readonly (string | number)[]): void;
}

/** Most files that are remembered before any that are gone are forgotten. */
const REMEMBERED = 4096;

export function createSightings(systems: readonly FileSystem[]): Sightings {
  const numbers = new Map<string, number>();
  let last = 0;
  let most = REMEMBERED;
  // A guest that makes and looks at one file after another does not fill the host's memory.
  const forget = (): void => {
    for (const key of numbers.keys()) {
      const colon = key.indexOf(":");
      if (systems[Number(key.slice(0, colon))]?.isGone?.(key.slice(colon + 1)) === true) numbers.delete(key);
    }
    most = Math.max(REMEMBERED, 2 * numbers.size);
  };
  return {
    numberOf(fs, id) {
      const key = `${systems.indexOf(fs)}:${id}`;
      const known = numbers.get(key);
      if (known !== undefined) return known;
      if (numbers.size >= most) forget();
      numbers.set(key, ++last);
      return last;
    },
    get keys() {
      forget();
      const keys: (string | number)[] = [];
      let before = 0;
      for (const [key, number] of numbers) {
        if (number > before + 1) keys.push(number - before - 1);
        keys.push(key);
        before = number;
      }
      if (last > before) keys.push(last - before);
      return keys;
    },
    restore(keys) {
      numbers.clear();
      last = 0;
      for (const key of keys)
        if (typeof key === "number") last += key;
        else numbers.set(key, ++last);
    },
  };
}

export interface HostParts {
  readonly namespace: Namespace;
  readonly stdin: InputStream | undefined;
  readonly granted: ReadonlySet<string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly sightings: Sightings;
  readonly banks: Banks;
  readonly artifacts: Artifacts;
  /** Called for each handle on a file or directory that is opened again. */
  opened(): void;
  closed(): void;
}

/** The file systems behind the mounts, each once. */
export function systemsOf({ mounts }: Namespace): readonly FileSystem[] {
  return [...new Set(mounts.map(({ fs }) => fs))];
}

/** Fields of a saved state: a JSON array, and behind it the trees. */
export function hostState(
  { namespace, stdin, clock, random, sightings, banks }: HostParts,
  personality: Pick<Personality, "save" | "restore">,
): HostState {
  const trees = systemsOf(namespace).filter((fs) => fs.save !== undefined);
  return {
    save() {
      const saved = trees.map((fs) => fs.save!());
      const lengths = saved.map((tree) => tree.length);
      const fields: unknown[] = [String(clock.slept), random.position, sightings.keys, lengths, stdin?.position ?? 0];
      const own = personality.save();
      const slots = banks.save();
      if (own !== null || slots !== null) fields.push(own);
      if (slots !== null) fields.push(slots);
      const head = encodeUtf8(JSON.stringify(fields));
      const bytes = new Uint8Array(4 + head.length + lengths.reduce((sum, length) => sum + length, 0));
      new DataView(bytes.buffer).setUint32(0, head.length, true);
      bytes.set(head, 4);
      let at = 4 + head.length;
      for (const tree of saved) {
        bytes.set(tree, at);
        at += tree.length;
      }
      return bytes;
    },
    restore(bytes) {
      if (bytes.length < 4) return false;
      let at = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      const [slept, position, keys, lengths, input, own = null, slots = null] = decodeSaved(bytes.subarray(4, at));
      if (typeof slept !== "string" || !/^(0|[1-9]\d{0,18})$/.test(slept) || !isCount(position) || !isCount(input))
        return false;
      if (!isArrayOf(keys, (key) => typeof key === "string" || isCount(key)) || !isArrayOf(lengths, isCount))
        return false;
      const total = (lengths as number[]).reduce((sum, length) => sum + length, at);
      if (lengths.length !== trees.length || total !== bytes.length) return false;
      const takeOver = personality.restore(own as Json);
      const fillSlots = banks.restore(slots);
      if (takeOver === undefined || fillSlots === undefined) return false;
      // When a tree does not fit, those before it become what they were.
      const before: Uint8Array[] = [];
      for (const [index, fs] of trees.entries()) {
        const end = at + (lengths[index] as number);
        if (index < trees.length - 1) before.push(fs.save!());
        if (fs.restore?.(bytes.subarray(at, end)) !== true) {
          for (let k = 0; k < index; k++) trees[k]!.restore!(before[k]!);
          return false;
        }
        at = end;
      }
      takeOver();
      fillSlots();
      clock.slept = BigInt(slept);
      random.position = position;
      sightings.restore(keys as (string | number)[]);
      // Where the input cannot go, handles on it are STALE.
      stdin?.seek(input);
      return true;
    },
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isArrayOf(value: unknown, is: (item: unknown) => boolean): value is readonly unknown[] {
  return Array.isArray(value) && value.every(is);
}

/**
 * The kinds with what snapshots and digests need (spec ABI-SNAPSHOT-1). A node of a file system that is saved whole is
 * named by its number there; any other by its place, and a file also by the SHA-256 of its contents.
 */
export function savedKinds(parts: HostParts): Kind[] {
  const { namespace, stdin, granted, banks, artifacts } = parts;
  const restoreNode = (bytes: Uint8Array, type: NodeHandle["type"]): NodeHandle | undefined => {
    const handle = reopen(namespace, decodeSaved(bytes), type);
    if (handle !== undefined) parts.opened();
    return handle;
  };
  const close = (object: unknown): void => {
    parts.closed();
    (object as NodeHandle).node.close();
  };
  return [
    { ...FILE_KIND, close, save: saveNode, restore: (bytes) => restoreNode(bytes, "file") },
    { ...DIR_KIND, close, save: saveNode, restore: (bytes) => restoreNode(bytes, "directory") },
    {
      ...STREAM_KIND,
      save: (object) => {
        const { name } = object as StreamHandle;
        return encodeSaved([name, name === "stdin" ? stdin!.position : 0]);
      },
      restore: (bytes): StreamHandle | undefined => {
        const [name, position] = decodeSaved(bytes);
        if (!isStreamName(name) || !granted.has(name) || !isCount(position)) return undefined;
        if (name === "stdin" && !stdin!.seek(position)) return undefined;
        return { type: "stream", positional: false, name };
      },
    },
    ...banks.kinds,
    ...artifacts.kinds,
  ];
}

function isStreamName(name: unknown): name is StreamName {
  return name === "stdin" || name === "stdout" || name === "stderr";
}

/** Flags that mean something after the file is open. */
const KEPT_FLAGS = OpenFlag.READ | OpenFlag.WRITE | OpenFlag.APPEND | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

function saveNode(object: unknown): Uint8Array | undefined {
  const { type, mount, path, flags, node } = object as NodeHandle;
  const kept = flags & KEPT_FLAGS;
  const place = [mount.guest, path, kept];
  if (node.saved !== undefined) return encodeSaved([...place, node.saved]);
  if (type === "directory") return encodeSaved(place);
  const digest = digestOf(node as OpenFile);
  return digest === undefined ? undefined : encodeSaved([...place, digest]);
}

function reopen(namespace: Namespace, saved: readonly unknown[], type: NodeHandle["type"]): NodeHandle | undefined {
  const [guest, path, flags, named] = saved;
  if (typeof path !== "string" || !isCount(flags)) return undefined;
  // Opening must not make or empty anything: what is saved is not trusted.
  if ((flags & ~KEPT_FLAGS) !== 0 || flags > KEPT_FLAGS || !areOpenFlags(flags)) return undefined;
  if (typeof named === "number") {
    const mount = namespace.mounts.find((candidate) => candidate.guest === guest);
    const node = mount?.fs.reopen?.(named);
    if (mount === undefined || node === undefined) return undefined;
    const handle = handleOf({ mount, path, node }, flags);
    if (handle.type === type && !(mount.readOnly && (flags & OpenFlag.WRITE) !== 0)) return handle;
    node.close();
    return undefined;
  }
  const opened = namespace.reopen(guest, path, flags);
  if (opened === undefined) return undefined;
  const handle = handleOf(opened, flags);
  if (handle.type === type && (handle.type === "directory" || digestOf(handle.node) === named)) return handle;
  handle.node.close();
  return undefined;
}

function encodeSaved(fields: readonly (string | number)[]): Uint8Array {
  return encodeUtf8(JSON.stringify(fields));
}

/** The JSON array in `bytes`; no fields at all for anything else. */
function decodeSaved(bytes: Uint8Array): readonly unknown[] {
  try {
    const fields: unknown = JSON.parse(decodeUtf8(bytes) ?? "");
    return Array.isArray(fields) ? fields : [];
  } catch {
    return [];
  }
}

/** SHA-256 in hex of what a file holds now, or undefined when it cannot be read. */
function digestOf(node: OpenFile): string | undefined {
  const hash = sha256();
  const piece = new Uint8Array(65_536);
  const transfer: Transfer = { bytes: 0, eof: false };
  for (let position = 0; !transfer.eof; position += transfer.bytes) {
    if (node.read(position, piece, transfer) !== Status.OK) return undefined;
    hash.update(piece.subarray(0, transfer.bytes));
  }
  return hex(hash.digest());
}
