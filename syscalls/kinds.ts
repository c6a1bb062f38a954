/** The kinds of HeapRef that the syscalls bring (spec ABI-KIND-1); `Bytes` (1) is the VM's. Numbers are fixed for ever. */
import type { Kind } from "../vm/heap.ts";

export const FILE_KIND: Kind = {
  id: 2,
  name: "File",
  create: "fs.open",
  read: "fs.read",
  update: "fs.write",
  destroy: "fs.close",
};

export const DIR_KIND: Kind = {
  id: 3,
  name: "Dir",
  create: "fs.open",
  read: "fs.list",
  update: "none: a directory is changed through the paths in it",
  destroy: "fs.close",
};

export const STREAM_KIND: Kind = {
  id: 4,
  name: "Stream",
  create: "sys.stdin",
  read: "fs.read",
  update: "fs.write",
  destroy: "fs.close",
};

export const KINDS: readonly Kind[] = [FILE_KIND, DIR_KIND, STREAM_KIND];
