/** What the cases of the suite have in common: trees, guests on them, and the calls that take a path. */
import assert from "node:assert";
import type { AbiOptions } from "../../../host/abi.ts";
import type { Capabilities, FileSystem } from "../../../host/fs/file-system.ts";
import type { Mount } from "../../../host/fs/namespace.ts";
import { OpenFlag, TimesFlag } from "../../../syscalls/table.ts";
import { Driver, NULL_REF, type Ref } from "../driver.ts";
import type { Tree } from "../tree.ts";

/** The assertions of the cases: they throw, so that any test runner will do. */
export interface Assert {
  equal(actual: unknown, expected: unknown, what?: string): void;
  /** Deeply equal. */
  same(actual: unknown, expected: unknown, what?: string): void;
}

const THROWING: Assert = {
  equal(actual, expected, what = "not the same") {
    assert.ok(Object.is(actual, expected), `${what}: ${actual} where ${expected} was expected`);
  },
  same(actual, expected, what = "not the same") {
    try {
      assert.deepStrictEqual(actual, expected);
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
    }
  },
};

/**
 * What a file system may keep less of than the contract:
 * - `directories-by-name`: a handle on a directory is good only while that has the name it was opened by
 * - `links-to-links`: giving a symbolic link another name is UNSUPPORTED
 * - `letters-alike`: names that differ in case only, or in how Unicode composes a letter, may be one name
 * - `ids-come-back`: what is made later may have the id of what is gone
 * - `no-races`: it is for tests in which nobody else changes the tree, and does not tell what has changed since a look-up
 */
export type Exception = "directories-by-name" | "links-to-links" | "letters-alike" | "ids-come-back" | "no-races";

/** How a guest is given the file system, beside the mount at `/`. */
export interface DriveOptions extends Omit<AbiOptions, "mounts"> {
  readonly readOnly?: boolean;
  /** More mounts. */
  readonly mounts?: readonly Mount[];
  /** Limit of the guest's heap; its own memory is one object. */
  readonly heapObjects?: number;
}

export interface Context {
  readonly capabilities: Capabilities;
  readonly exceptions: ReadonlySet<Exception>;
  readonly create: (tree: Tree) => FileSystem;
  /** Adds a case. */
  check(title: string, body: (t: Assert) => void): void;
  /** Adds a case that changes something: where the manifest allows it. */
  change(title: string, body: (t: Assert) => void): void;
  /** A guest that has a file system with `tree` at `/`. Its handles end with the case. */
  drive(tree: Tree, options?: DriveOptions): Driver;
}

export function createContext(
  name: string,
  test: (title: string, body: () => void) => unknown,
  create: (tree: Tree) => FileSystem,
  exceptions: ReadonlySet<Exception>,
): Context {
  const { capabilities } = create({});
  const drivers: Driver[] = [];
  const check: Context["check"] = (title, body) => {
    test(`${name}: ${title}`, () => {
      try {
        body(THROWING);
      } finally {
        for (const driver of drivers.splice(0)) driver.heap.close();
      }
    });
  };
  return {
    capabilities,
    exceptions,
    create,
    check,
    change(title, body) {
      if (capabilities.writable) check(title, body);
    },
    drive(tree, { readOnly = false, mounts = [], heapObjects, ...options } = {}) {
      const all: Mount[] = [{ guest: "/", fs: create(tree), readOnly }, ...mounts];
      const driver = new Driver({ ...options, mounts: all }, heapObjects === undefined ? {} : { heapObjects });
      drivers.push(driver);
      return driver;
    },
  };
}

/** A tree with something of most sorts. */
export const TREE: Tree = { "a.txt": "alpha", "dir/b.txt": "beta", "dir/sub/c": "", empty: null };

/** A call that takes a path, and answers a status. */
export interface PathCall {
  readonly name: string;
  /** True when it would change something. */
  readonly changes: boolean;
  /** True when its path names what is to be made, removed or renamed. */
  readonly names: boolean;
  readonly call: (path: string | Uint8Array, dir?: Ref) => number;
}

/** Every call that takes a path, each of its paths once. `/a.txt` of {@link TREE} must be there. */
export function pathCalls(guest: Driver): readonly PathCall[] {
  const open =
    (flags: number) =>
    (path: string | Uint8Array, dir: Ref = NULL_REF) => {
      const { status, handle } = guest.open(path, flags, dir);
      if (status === 0) guest.close(handle);
      return status;
    };
  const { READ, WRITE, CREATE, DIRECTORY } = OpenFlag;
  return [
    { name: "open", changes: false, names: false, call: open(READ) },
    { name: "open DIRECTORY", changes: false, names: false, call: open(DIRECTORY) },
    { name: "open CREATE", changes: true, names: false, call: open(WRITE | CREATE) },
    { name: "stat", changes: false, names: false, call: (path, dir) => guest.stat(path, 0, dir).status },
    {
      name: "set_times",
      changes: true,
      names: false,
      call: (path, dir) => guest.setTimes(path, TimesFlag.MODIFIED, 0n, 0n, dir),
    },
    { name: "readlink", changes: false, names: false, call: (path, dir) => guest.readlink(path, 100, dir).status },
    { name: "mkdir", changes: true, names: true, call: (path, dir) => guest.mkdir(path, dir) },
    { name: "rmdir", changes: true, names: true, call: (path, dir) => guest.rmdir(path, dir) },
    { name: "unlink", changes: true, names: true, call: (path, dir) => guest.unlink(path, dir) },
    { name: "rename", changes: true, names: true, call: (path, dir) => guest.rename(path, "/new", dir) },
    { name: "rename to", changes: true, names: true, call: (path, dir) => guest.rename("/a.txt", path, NULL_REF, dir) },
    { name: "link", changes: true, names: false, call: (path, dir) => guest.link(path, "/new", dir) },
    { name: "link to", changes: true, names: true, call: (path, dir) => guest.link("/a.txt", path, NULL_REF, dir) },
    { name: "symlink", changes: true, names: true, call: (path, dir) => guest.symlink("target", path, dir) },
  ];
}
