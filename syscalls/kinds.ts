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

export const BANK_KIND: Kind = {
  id: 5,
  name: "Bank",
  create: "bank.open_slot",
  read: "bank.read",
  update: "none: the bytes of an asset never change",
  destroy: "bank.close",
};

export const LOAD_KIND: Kind = {
  id: 6,
  name: "Load",
  create: "bank.request",
  read: "bank.state",
  update: "bank.commit",
  destroy: "bank.close",
};

export const ARTIFACT_KIND: Kind = {
  id: 7,
  name: "Artifact",
  create: "asl.open",
  read: "asl.read",
  update: "none: the bytes of an artifact never change",
  destroy: "asl.close",
};

export const WRITER_KIND: Kind = {
  id: 8,
  name: "Writer",
  create: "asl.create",
  read: "asl.info",
  update: "asl.write",
  destroy: "asl.close",
};

export const KINDS: readonly Kind[] = [
  FILE_KIND,
  DIR_KIND,
  STREAM_KIND,
  BANK_KIND,
  LOAD_KIND,
  ARTIFACT_KIND,
  WRITER_KIND,
];
