/**
 * The contract of a file system behind the `fs` syscalls (spec 16, FS and ABI-TRANSFER), for any implementation of
 * `FileSystem`. Run it from a test file of your own, with any test runner:
 *
 *     import { test } from "node:test";
 *     import { fillTree, suite } from "ashlar/conformance";
 *
 *     suite({ name: "mine", test, create: (tree) => fillTree(myFileSystem(), tree) });
 *
 * Every call of module `fs` is made as a guest makes it, in every state in which it means something. What the manifest of
 * the file system says that it cannot do, the suite asserts to be refused as declared.
 */
import type { FileSystem } from "../../host/fs/file-system.ts";
import { backendCases } from "./cases/backend.ts";
import { createContext, type Exception } from "./cases/context.ts";
import { directoryHandleCases } from "./cases/directory-handles.ts";
import { linkCases } from "./cases/links.ts";
import { listCases } from "./cases/list.ts";
import { metadataCases } from "./cases/metadata.ts";
import { nameCases } from "./cases/names.ts";
import { openCases } from "./cases/open.ts";
import { pathCases } from "./cases/paths.ts";
import { refusalCases } from "./cases/refusals.ts";
import { renameCases } from "./cases/rename.ts";
import { transferCases } from "./cases/transfer.ts";
import type { Tree } from "./tree.ts";

export type { Exception } from "./cases/context.ts";
export { fillTree, type Tree } from "./tree.ts";

export interface SuiteOptions {
  /** Name of the file system, for titles. */
  readonly name: string;
  /** Registers a case. Its body is synchronous and throws when the case fails. */
  readonly test: (title: string, body: () => void) => unknown;
  /**
   * A new file system that holds exactly `tree`; directories above files are made. Links are only in trees for file
   * systems that declare `symlinks`. Its quotas, if it has any, leave room for 1 MiB and 1,000 names.
   */
  readonly create: (tree: Tree) => FileSystem;
  /** Where the file system says beforehand that it keeps less than the contract; the suite asserts that it does. */
  readonly exceptions?: readonly Exception[];
}

/** Registers all cases with `test`; nothing has run before it runs them. */
export function suite({ name, test, create, exceptions = [] }: SuiteOptions): void {
  const context = createContext(name, test, create, new Set(exceptions));
  openCases(context);
  pathCases(context);
  transferCases(context);
  listCases(context);
  metadataCases(context);
  nameCases(context);
  renameCases(context);
  linkCases(context);
  directoryHandleCases(context);
  refusalCases(context);
  backendCases(context);
}
