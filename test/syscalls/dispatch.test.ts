/** The dispatcher: every check that a row of the table implies, for every row, in both import forms. */
import t from "tap";
import { type AbiOptions, createAbi } from "../../host/abi.ts";
import { openPack } from "../../host/assets/pack.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { loadWat } from "../../host/wat.ts";
import {
  type Call,
  type HostFunctions,
  hostFunctions,
  type Implementation,
  packedSize,
} from "../../syscalls/dispatch.ts";
import { KINDS, STREAM_KIND } from "../../syscalls/kinds.ts";
import { Panic } from "../../syscalls/panic.ts";
import { STATUS_MESSAGES, Status, type StatusName, statusName } from "../../syscalls/status.ts";
import { OpenFlag, SYSCALLS, type Syscall, syscall, syscallRow } from "../../syscalls/table.ts";
import { WASI_FUNCTIONS } from "../../syscalls/wasi/table.ts";
import { BYTES_CALLS } from "../../vm/bytes.ts";
import { functionTypeOf, packedTypeOf } from "../../vm/declaration.ts";
import type { Caller, HostFunction } from "../../vm/function.ts";
import { BYTES_KIND, Heap, STALE_OBJECT } from "../../vm/heap.ts";
import { type Engine, Module } from "../../vm/index.ts";
import { Fault, TrapCode } from "../../vm/trap.ts";

import { type Answer, Driver, NULL_REF, PAGES, type Ref, wide } from "../conformance/driver.ts";
import { ENGINES } from "../vm/compare.ts";
import { MemoryArtifacts } from "./artifacts.ts";
import { PACK } from "./packs.ts";
import { standOn } from "./stand.ts";

const { READ, WRITE, DIRECTORY } = OpenFlag;
const MEMORY_BYTES = PAGES * 65_536;

/** Who makes the calls: the driver, or a guest on either engine. */
const MAKERS = [undefined, ...ENGINES] as const;

/** A driver with a ref of each kind; every capability granted. */
function furnished(engine?: Engine): { guest: Driver; refs: { readonly [kind: string]: Ref }; fs: MemoryFileSystem } {
  const fs = new MemoryFileSystem({ "d/f": "0123456789" });
  const store = new MemoryArtifacts();
  const key = store.add(Buffer.from("an artifact"));
  const given: AbiOptions = {
    args: ["one"],
    env: { NAME: "value" },
    mounts: [{ guest: "/", fs }],
    stdin: new Uint8Array(5),
    stdout: () => {},
    stderr: () => {},
    assets: openPack(PACK),
    store,
  };
  const guest = new Driver(given, {}, engine && standOn(engine));
  const refs = {
    Bytes: guest.ref(guest.heap.newBytes(100)),
    File: guest.handle("/d/f", READ | WRITE),
    Dir: guest.handle("/d", DIRECTORY),
    Stream: guest.call("sys", "stdout").results[0] as Ref,
    Bank: guest.call("bank", "open_asset", 1).results[1] as Ref,
    Load: guest.call("bank", "request", 1, 1).results[1] as Ref,
    Artifact: guest.call("asl", "open", ...guest.path(key)).results[1] as Ref,
    Writer: guest.call("asl", "create", 0, 0).results[1] as Ref,
  };
  return { guest, refs, fs };
}

type Words = (number | Ref)[];

/** Arguments that `row` takes: the first of each parameter's kinds, windows of four bytes at 8, small numbers. */
function goodArguments(row: Syscall, refs: { readonly [kind: string]: Ref }): Words {
  const words: Words = row.params.map(({ name, type }) => {
    if (typeof type === "object") return refs[type.ref.split("|")[0]!]!;
    if (type === "i64" || type === "u64") return wide(0);
    return name === "flags" ? READ : 0;
  });
  for (const { offset, length } of row.windows) {
    words[offset] = 8;
    words[length] = 4;
  }
  return words;
}

/** What a trap must leave as it was. */
function state(guest: Driver, fs: MemoryFileSystem): string {
  const parts: string[] = [Buffer.from(guest.memory.bytes.subarray(0, 1000)).toString("hex")];
  guest.heap.digest((bytes) => parts.push(Buffer.from(bytes.subarray(0, 1000)).toString("hex")));
  for (const path of fs.paths()) parts.push(path, Buffer.from(fs.get(path)!).toString());
  return parts.join(" ");
}

t.test(
  "[ABI-ORDER-1, ABI-ORDER-2, ABI-TRANSFER-2, ABI-WINDOW-1, ABI-ARGUMENT-1, ABI-POLICY-1, ABI-FORM-2] every trap of every row, before any effect",
  async (t) => {
    for (const row of SYSCALLS) {
      const met = new Set<string>();
      const forms = row.results.length > 1 ? [false, true] : [false];
      for (const [packed, engine] of forms.flatMap((form) => MAKERS.map((maker) => [form, maker] as const))) {
        const { guest, refs, fs } = furnished(engine);
        const good = [...goodArguments(row, refs), ...(packed ? [64] : [])];
        const name = packed ? `${row.name}_p` : row.name;
        const check = (expected: string, words: Words, what: string): void => {
          const before = state(guest, fs);
          const trap = guest.trap(row.module, name, ...words);
          t.equal(trap, expected, `${row.module}.${name}: ${what}`);
          t.equal(state(guest, fs), before, `${row.module}.${name}: ${what} changes nothing`);
          met.add(trap);
        };
        const but = (index: number, word: number | Ref): Words => good.map((old, at) => (at === index ? word : old));
        for (const [index, { type, maximum, name: parameter, nullable }] of row.params.entries()) {
          if (maximum !== undefined) {
            check("BadArgument", but(index, maximum + 1), `${parameter} over its maximum`);
            check("BadArgument", but(index, -1), `${parameter} all ones`);
          }
          if (typeof type !== "object") continue;
          const [slot, generation] = good[index] as Ref;
          const absent = but(index, NULL_REF);
          if (nullable)
            t.equal(guest.trap(row.module, name, ...absent), "none", `${row.module}.${name}: null ${parameter}`);
          else check("HeapRefNull", absent, `null ${parameter}`);
          check("HeapRefStale", but(index, [slot, generation + 1]), `${parameter} of another generation`);
          check("HeapRefStale", but(index, [slot, 0]), `${parameter} of generation 0`);
          check("HeapRefStale", but(index, [999_999, 1]), `${parameter} of a slot that never was`);
          check("HeapRefStale", but(index, [-1, -1]), `${parameter} of all ones`);
          for (const kind of Object.keys(refs))
            if (!type.ref.split("|").includes(kind))
              check("HeapRefKind", but(index, refs[kind]!), `${parameter} is a ${kind}`);
        }
        for (const { ref, offset, length } of row.windows) {
          const at = (windowOffset: number, windowLength: number): Words =>
            but(offset, windowOffset).map((old, index) => (index === length ? windowLength : old));
          check("HeapWindow", at(97, 4), "window one byte over the end");
          check("HeapWindow", at(101, 0), "empty window behind the end");
          check("HeapWindow", at(-1, 4), "window whose end overflows");
          check("HeapWindow", at(0, -1), "window of 2^32 - 1 bytes");
          const own = at(MEMORY_BYTES - 3, 4);
          own[ref] = guest.own;
          check("HeapWindow", own, "window over the end of the memory");
        }
        if (row.transfer !== undefined) {
          const { offset, length } = row.transfer;
          check("BadArgument", but(offset, [-2, -1]), "offset -2");
          check("BadArgument", but(offset, [0, -0x8000_0000]), "the least offset");
          const end = but(offset, [-1, -1]);
          if (row.transfer.end) t.equal(guest.trap(row.module, name, ...end), "none", "offset -1 of a file is its end");
          else check("BadArgument", end, "offset -1 of a file");
          check("BadArgument", but(offset, [-4, 0x7fff_ffff]), "offset + length over 2^63 - 1");
          const near = but(offset, [-5, 0x7fff_ffff]);
          t.equal(guest.trap(row.module, name, ...near), "none", "offset + length of 2^63 - 1");
          const none = but(offset, [-1, 0x7fff_ffff]);
          none[length] = 0;
          t.equal(guest.trap(row.module, name, ...none), "none", "offset of 2^63 - 1 and no bytes");
        }
        if (/^(arg|env|mount)_(size|read)/.test(row.name)) check("BadArgument", but(0, 99), "index of nothing");
        if (packed) {
          const size = packedSize(row);
          const pointer = good.length - 1;
          check("BadPointer", but(pointer, MEMORY_BYTES - size + 1), "results over the end of the memory");
          check("BadPointer", but(pointer, -1), "results at the end of the address space");
          guest.callerMemory = undefined;
          check("BadPointer", good, "no memory");
          guest.callerMemory = guest.memory;
          // The order of the checks: a number, the pointer, refs from the left, each with its window.
          const allBad = good.map((word, index) => {
            if (typeof row.params[index]?.type === "object") return NULL_REF;
            return typeof word === "object" ? word : -1;
          });
          const numbers = row.params.some(({ maximum }) => maximum !== undefined) || row.transfer !== undefined;
          if (row.transfer !== undefined) allBad[row.transfer.offset] = [-2, -1];
          check(numbers ? "BadArgument" : "BadPointer", allBad, "everything wrong");
          check(
            "BadPointer",
            good.map((word, index) =>
              typeof word === "object" && typeof row.params[index]?.type === "object"
                ? NULL_REF
                : index === pointer
                  ? -1
                  : word,
            ),
            "pointer and refs",
          );
        }
        if (!["exit", "close"].includes(row.name))
          t.equal(guest.trap(row.module, name, ...good), "none", `${row.module}.${name}`);
        if (row.capability !== "none") {
          const bare = new Driver({}, {}, engine && standOn(engine));
          t.equal(bare.trap(row.module, name, ...good.map(() => -1)), "MissingCapability", `${row.module}.${name}`);
          met.add("MissingCapability");
        }
      }
      met.delete("none");
      t.same([...met].sort(), [...new Set(row.traps)].sort(), `${row.module}.${row.name} declares exactly these traps`);
    }
  },
);

t.test(
  "[ABI-ORDER-1] refs are checked from left to right, each with its window, then the handle's own rule",
  async (t) => {
    const { guest, refs } = furnished();
    const call = (...words: Words): string => guest.trap("fs", "read", ...words);
    t.equal(call(refs.Dir!, wide(0), NULL_REF, 0, 4), "HeapRefKind");
    t.equal(call(refs.File!, wide(0), refs.Dir!, 0, 4), "HeapRefKind");
    t.equal(call(NULL_REF, wide(-2), NULL_REF, 0, 4), "BadArgument");
    t.equal(call(refs.File!, wide(-1), NULL_REF, 0, 4), "HeapRefNull");
    t.equal(call(refs.File!, wide(-1), refs.Bytes!, 0, 101), "HeapWindow");
    t.equal(call(refs.File!, wide(-1), refs.Bytes!, 0, 100), "BadArgument");
  },
);

t.test("[ABI-CAPABILITY-1, ABI-LINK-1] grants are for each name, and all calls link without any", async (t) => {
  const bare = new Driver({});
  const syscalls = SYSCALLS.flatMap(({ module, name, results }) => [
    `${module}.${name}`,
    ...(results.length > 1 ? [`${module}.${name}_p`] : []),
  ]);
  const names = [...syscalls, ...WASI_FUNCTIONS.map(({ row: { module, name } }) => `${module}.${name}`)];
  const linked = Object.entries(bare.imports).flatMap(([module, calls]) =>
    Object.keys(calls).map((name) => `${module}.${name}`),
  );
  t.same(linked, names);
  t.equal(names.length, 20 + 7 + 19 + 11 + 8 + 46 + 9 + 7);
  t.equal(bare.trap("fs", "open", NULL_REF, 0, 0, 999), "MissingCapability");
  for (const only of ["stdin", "stdout", "stderr"]) {
    const guest = new Driver({ [only]: only === "stdin" ? new Uint8Array(0) : () => {} });
    for (const name of ["stdin", "stdout", "stderr"])
      t.equal(guest.trap("sys", name), name === only ? "none" : "MissingCapability");
  }
  const guest = new Driver({ assets: openPack(PACK) });
  t.equal(guest.trap("fs", "open", NULL_REF, 0, 0, 999), "MissingCapability");
  for (const name of ["open_slot", "open_asset", "request"]) {
    t.equal(bare.trap("bank", name, 0, 0), "MissingCapability");
    t.equal(guest.trap("bank", name, 0, 0), "none");
  }
  const keeper = new Driver({ store: new MemoryArtifacts() });
  for (const [name, ...words] of [
    ["open", keeper.own, 0, 0],
    ["create", 0, 0],
    ["list", keeper.own, 0, 0, keeper.own, 0, 0],
  ] as const) {
    t.equal(bare.trap("asl", name, ...words), "MissingCapability");
    t.equal(keeper.trap("asl", name, ...words), "none");
  }
});

t.test("[ABI-FORM-1, ABI-FORM-2] types of the two forms, and the layout of the result block", async (t) => {
  t.same(functionTypeOf(syscall("fs", "read")), {
    params: ["i64", "i64", "i64", "i32", "i32"],
    results: ["i32", "i32", "i32"],
  });
  t.same(packedTypeOf(syscall("fs", "read")), { params: ["i64", "i64", "i64", "i32", "i32", "i32"], results: ["i32"] });
  t.same(functionTypeOf(syscall("fs", "list")).results, ["i32", "i32", "i32", "i64"]);
  t.same(functionTypeOf(syscall("sys", "fuel_left")), { params: [], results: ["i64"] });
  t.same(
    SYSCALLS.filter(({ results }) => results.length > 1).map((row) => [row.name, packedSize(row)]),
    [
      ["open", 8],
      ["read", 8],
      ["write", 4],
      ["size", 8],
      ["stat", 52],
      ["readlink", 8],
      ["list", 16],
      ["open_slot", 8],
      ["open_asset", 8],
      ["info", 28],
      ["size", 8],
      ["read", 8],
      ["metadata", 8],
      ["request", 8],
      ["state", 4],
      ["open", 8],
      ["read", 8],
      ["info", 24],
      ["create", 8],
      ["write", 4],
      ["seal", 4],
      ["list", 8],
    ],
  );
  const { guest, refs } = furnished();
  const block = (name: string, size: number, ...words: Words): [number | undefined, number[]] => {
    guest.memory.bytes.fill(0xee, 1000, 1100);
    // An odd address: nothing needs to be aligned.
    const { returned } = guest.call("fs", name, ...words, 1001);
    t.same([guest.memory.bytes[1000], guest.memory.bytes[1001 + size]], [0xee, 0xee]);
    return [returned, [...guest.memory.bytes.subarray(1001, 1001 + size)]];
  };
  t.same(block("read_p", 8, refs.File!, wide(8), refs.Bytes!, 0, 4), [0, [2, 0, 0, 0, 1, 0, 0, 0]]);
  t.same(block("size_p", 8, refs.File!), [0, [10, 0, 0, 0, 0, 0, 0, 0]]);
  t.same(block("write_p", 4, refs.File!, wide(10), refs.Bytes!, 0, 5), [0, [5, 0, 0, 0]]);
  t.same(block("list_p", 16, refs.Dir!, wide(0), refs.Bytes!, 0, 100), [
    0,
    [3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
  ]);
  t.same(block("open_p", 8, NULL_REF, ...guest.path("/d/f"), READ), [0, [10, 0, 0, 0, 1, 0, 0, 0]]);
  t.same(block("open_p", 8, NULL_REF, ...guest.path("/none"), READ), [Status.NOT_FOUND, [0, 0, 0, 0, 0, 0, 0, 0]]);
  t.same(guest.call("fs", "read", refs.File!, wide(8), refs.Bytes!, 0, 4).results, [0, 4, 0]);
});

t.test("[ABI-FORM-2] the result block wins where it overlaps the window", async (t) => {
  const { guest, refs } = furnished();
  t.equal(guest.call("fs", "read_p", refs.File!, wide(0), guest.own, 2000, 10, 2004).returned, 0);
  t.same([...guest.memory.bytes.subarray(2000, 2012)], [0x30, 0x31, 0x32, 0x33, 10, 0, 0, 0, 1, 0, 0, 0]);
});

/** Imports for one row with a body of the test's own. */
function withBody(row: Syscall, body: Implementation[string][string]): { imports: HostFunctions; kinds: typeof KINDS } {
  return {
    imports: hostFunctions([row], { [row.module]: { [row.name]: body } }, new Set([row.capability]), KINDS),
    kinds: KINDS,
  };
}

t.test("[ABI-STATUS-1] the numbers of the statuses", async (t) => {
  t.same(Status, {
    OK: 0,
    OTHER: 1,
    INVALID: 2,
    NOT_FOUND: 3,
    EXISTS: 4,
    ACCESS: 5,
    READ_ONLY: 6,
    NO_SPACE: 7,
    QUOTA: 8,
    BUSY: 9,
    TRANSIENT: 10,
    CORRUPT: 11,
    UNSUPPORTED: 12,
    STALE: 13,
    NOT_DIRECTORY: 100,
    IS_DIRECTORY: 101,
    NAME_TOO_LONG: 102,
    LOOP: 103,
    TOO_MANY_OPEN: 104,
    TOO_LARGE: 105,
    SPECIAL_FILE: 106,
    NOT_EMPTY: 107,
    CROSS_DEVICE: 108,
    TOO_MANY_LINKS: 109,
    NOT_READY: 200,
    CANCELED: 201,
    NO_SLOT: 202,
    SEALED: 300,
    ABORTED: 301,
  });
  for (const [name, number] of Object.entries(Status)) {
    t.equal(statusName(number), name);
    t.ok(STATUS_MESSAGES[name as StatusName].length > 3);
  }
  t.equal(statusName(99), undefined);
});

t.test(
  "[ABI-STATUS-3, ABI-PANIC-1, ABI-POLICY-1] declared statuses come through with all else 0, others panic",
  async (t) => {
    let outcomes = 0;
    for (const row of SYSCALLS.filter(({ results }) => results[0]?.name === "status"))
      for (const [name, status] of Object.entries(Status)) {
        const guest = new Driver(
          withBody(row, (call: Call) => {
            for (let k = 1; k < row.results.length; k++) call.set(k, 7);
            return status;
          }),
          {},
        );
        const object = { positional: true };
        const refs: { [kind: string]: Ref } = { Bytes: guest.ref(guest.heap.newBytes(100)) };
        for (const kind of KINDS) refs[kind.name] = guest.ref(guest.heap.create(kind.id, object));
        const run = (): Answer => guest.call(row.module, row.name, ...goodArguments(row, refs));
        outcomes++;
        if (name !== "OK" && !row.statuses.includes(name as StatusName)) {
          t.throws(run, { code: "ABI-PANIC" }, `${row.name} ${name}`);
          continue;
        }
        const { returned, results } = run();
        const expected = row.results.slice(1).map(({ type }) => {
          const value = status === 0 ? 7 : 0;
          return type === "i32" || type === "u32" ? value : [value, 0];
        });
        t.same(row.results.length === 1 ? [returned] : results, [status, ...expected], `${row.name} ${name}`);
      }
    t.equal(outcomes, (17 + 11 + 9) * 29);
  },
);

t.test("[ABI-STATUS-2, ABI-PANIC-1] what a body throws", async (t) => {
  const row = syscall("fs", "size");
  const thrown = (error: unknown): (() => Answer) => {
    const guest = new Driver(
      withBody(row, () => {
        throw error;
      }),
    );
    const file = guest.ref(guest.heap.create(2, {}));
    return () => guest.call("fs", "size", file);
  };
  for (const error of [
    new Error("?"),
    new TypeError("?"),
    "text",
    undefined,
    Object.assign(new Error("x"), { code: "EIO" }),
  ])
    t.same(thrown(error)().results, [Status.OTHER, [0, 0]]);
  t.throws(thrown(new Panic("our fault")), { code: "ABI-PANIC" });
  t.throws(thrown(new Fault(TrapCode.BadArgument)), { code: TrapCode.BadArgument });
});

t.test("[ABI-PANIC-1] a table and an implementation that do not fit", async (t) => {
  const row = syscall("fs", "size");
  t.throws(() => hostFunctions([row], {}, new Set(), KINDS), { code: "ABI-PANIC" });
  t.throws(() => hostFunctions([], { fs: { size: () => 0 } }, new Set(), KINDS), { code: "ABI-PANIC" });
  const { fs } = hostFunctions([row], { fs: { size: () => 0 } }, new Set(), [STREAM_KIND]);
  t.throws(() => fs!.size, { code: "ABI-PANIC" });
});

t.test("[ABI-SNAPSHOT-2] a handle that could not be opened again is STALE, and can be closed", async (t) => {
  const { guest, refs } = furnished();
  const stale = (kind: number): Ref => guest.ref(guest.heap.create(kind, STALE_OBJECT));
  const [file, dir, stream] = [stale(2), stale(3), stale(4)];
  t.same(guest.call("fs", "read", file, wide(0), refs.Bytes!, 0, 4).results, [Status.STALE, 0, 0]);
  t.same(guest.call("fs", "read", stream, wide(0), refs.Bytes!, 0, 4).results, [Status.STALE, 0, 0]);
  t.same(guest.call("fs", "write", file, wide(0), refs.Bytes!, 0, 4).results, [Status.STALE, 0]);
  t.same(guest.call("fs", "size", file).results, [Status.STALE, [0, 0]]);
  t.same(guest.call("fs", "list", dir, wide(0), refs.Bytes!, 0, 100).results, [Status.STALE, 0, 0, [0, 0]]);
  t.equal(guest.trap("fs", "read", file, wide(-2), refs.Bytes!, 0, 4), "BadArgument");
  t.equal(guest.trap("fs", "read", file, wide(0), refs.Bytes!, 98, 4), "HeapWindow");
  for (const ref of [file, dir, stream]) {
    t.equal(guest.close(ref), 0);
    t.equal(guest.trap("fs", "close", ref), "HeapRefStale");
  }
});

t.test("[ABI-CLOSE-1] close ends the handle whatever its status", async (t) => {
  for (const name of ["OK", ...syscall("fs", "close").statuses] as StatusName[]) {
    const guest = new Driver(withBody(syscall("fs", "close"), () => Status[name]));
    const file = guest.ref(guest.heap.create(2, {}));
    t.equal(guest.call("fs", "close", file).returned, Status[name]);
    t.equal(guest.trap("fs", "close", file), "HeapRefStale");
    t.equal(guest.heap.objects, 1);
  }
});

t.test("[ABI-KIND-1] every kind names its calls, and they are there", async (t) => {
  t.same(
    [BYTES_KIND, ...KINDS].map(({ id, name }) => [id, name]),
    [
      [1, "Bytes"],
      [2, "File"],
      [3, "Dir"],
      [4, "Stream"],
      [5, "Bank"],
      [6, "Load"],
      [7, "Artifact"],
      [8, "Writer"],
    ],
  );
  const calls = new Map([...BYTES_CALLS, ...SYSCALLS].map((row) => [`${row.module}.${row.name}`, row]));
  for (const kind of [BYTES_KIND, ...KINDS])
    for (const life of ["create", "read", "update", "destroy"] as const) {
      const row = calls.get(kind[life]);
      t.ok(row !== undefined || /^none: .{10}/.test(kind[life]), `${kind.name} ${life}: ${kind[life]}`);
      if (row === undefined) continue;
      const parameters = life === "create" ? row.results : row.params;
      t.ok(
        parameters.some(({ type }) => typeof type === "object" && type.ref.split("|").includes(kind.name)),
        `${kind.name} ${life}`,
      );
      if (life === "destroy") t.equal(row.mayFree, true);
    }
  t.same(
    SYSCALLS.filter(({ mayFree }) => mayFree).map(({ module, name }) => `${module}.${name}`),
    ["fs.close", "bank.close", "asl.close"],
  );
});

t.test("[ABI-POLICY-2, ABI-FUEL-1] the table is sound", async (t) => {
  const kinds = new Set(["any", "Bytes", ...KINDS.map(({ name }) => name)]);
  for (const row of SYSCALLS) {
    const { module, name, fuel, params, results, statuses, windows } = row;
    const title = `${module}.${name}`;
    if (typeof fuel === "object") {
      t.equal(params[fuel.lengthArgument]?.type, "u32", title);
      t.ok(
        windows.some(({ length }) => length === fuel.lengthArgument),
        `${title} pays for its window`,
      );
    }
    t.equal(statuses.length > 0, results[0]?.name === "status", title);
    t.equal(statuses.includes("OTHER"), statuses.length > 0, `${title} has a status for unknown host errors`);
    t.equal(new Set(statuses).size, statuses.length, title);
    for (const { type } of [...params, ...results])
      if (typeof type === "object")
        t.ok(
          type.ref.split("|").every((kind) => kinds.has(kind)),
          title,
        );
    for (const { doc } of [row, ...params, ...results]) t.ok(doc.length > 0, title);
    for (const { ref, offset, length } of windows)
      t.same([params[ref]?.type, params[offset]?.type, params[length]?.type], [{ ref: "Bytes" }, "u32", "u32"], title);
  }
  t.same(
    SYSCALLS.map(({ module, name, fuel }) => [
      `${module}.${name}`,
      typeof fuel === "number" ? fuel : [fuel.base, fuel.perByte],
    ]),
    [
      ["fs.open", [2000, 8]],
      ["fs.read", [500, 1 / 32]],
      ["fs.write", [500, 1 / 32]],
      ["fs.size", 200],
      ["fs.truncate", 1000],
      ["fs.sync", 5000],
      ["fs.stat", [2000, 8]],
      ["fs.mkdir", [2000, 8]],
      ["fs.rmdir", [2000, 8]],
      ["fs.unlink", [2000, 8]],
      ["fs.rename", [2000, 8]],
      ["fs.link", [2000, 8]],
      ["fs.symlink", [2000, 8]],
      ["fs.readlink", [2000, 8]],
      ["fs.list", [2000, 1 / 32]],
      ["fs.close", 500],
      ["fs.set_times", [2000, 8]],
      ["fs.mount_count", 5],
      ["fs.mount_size", 5],
      ["fs.mount_read", [20, 1 / 64]],
      ["sys.abi_version", 1],
      ["sys.args_count", 5],
      ["sys.arg_size", 5],
      ["sys.arg_read", [20, 1 / 64]],
      ["sys.env_count", 5],
      ["sys.env_size", 5],
      ["sys.env_read", [20, 1 / 64]],
      ["sys.name_size", 5],
      ["sys.name_read", [20, 1 / 64]],
      ["sys.clock", 20],
      ["sys.sleep", 50],
      ["sys.random", [50, 1 / 8]],
      ["sys.stdin", 50],
      ["sys.stdout", 50],
      ["sys.stderr", 50],
      ["sys.interactive", 5],
      ["sys.log", [200, 1 / 32]],
      ["sys.exit", 1],
      ["sys.fuel_left", 5],
      ["bank.open_slot", 200],
      ["bank.open_asset", 500],
      ["bank.info", 50],
      ["bank.size", 50],
      ["bank.read", [500, 1 / 32]],
      ["bank.metadata", [200, 1 / 32]],
      ["bank.request", 500],
      ["bank.state", 50],
      ["bank.commit", 100],
      ["bank.cancel", 100],
      ["bank.close", 100],
      ["asl.open", 3000],
      ["asl.read", [3000, 1 / 16]],
      ["asl.info", 50],
      ["asl.create", 1000],
      ["asl.write", [500, 1 / 8]],
      ["asl.seal", 3000],
      ["asl.abort", 100],
      ["asl.close", 100],
      ["asl.list", [3000, 1]],
    ],
  );
  t.throws(() => syscall("fs", "none"), RangeError);
  t.ok(new Heap({ heapObjects: 1, heapBytes: 16 }, KINDS).hasRoom);
});

t.test("[ABI-ORDER-1, ABI-DEFINE-3] what a body gets", async (t) => {
  const row = syscallRow("own", {
    name: "take",
    doc: "Takes one of everything.",
    params: [
      { name: "handle", type: { ref: "File|Dir" }, doc: "h", nullable: true },
      { name: "near", type: "i64", doc: "n" },
      { name: "exact", type: "i64", doc: "e", exact: true },
      { name: "positive", type: "u64", doc: "p", exact: true },
      { name: "ref", type: { ref: "Bytes" }, doc: "r" },
      { name: "offset", type: "u32", doc: "o" },
      { name: "length", type: "u32", doc: "l" },
    ],
    results: [{ name: "status", type: "i32", doc: "s" }],
    windows: [{ ref: 4, offset: 5, length: 6 }],
    statuses: ["OTHER", "STALE"],
    fuel: 1,
  });
  let given: unknown[] = [];
  const guest = new Driver(
    withBody(row, (_call: Call, ...values: unknown[]) => {
      given = values;
      return Status.OK;
    }),
  );
  const object = { positional: true };
  const file = guest.ref(guest.heap.create(2, object));
  const take = (handle: Ref, near: bigint, exact: bigint, positive: bigint): Answer =>
    guest.call("own", "take", handle, wide(near), wide(exact), wide(positive), guest.own, 8, 4);
  t.equal(take(file, -1n, -1n, -1n).returned, 0);
  const window = guest.memory.bytes.subarray(8, 12);
  t.same(given, [object, -1, -1n, 2n ** 64n - 1n, window]);
  t.equal(given[0], object);
  t.equal((given[4] as Uint8Array).byteOffset, 8);
  take(NULL_REF, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n);
  t.same(given, [undefined, 2 ** 53, -(2n ** 63n), 2n ** 63n, window]);
  take(NULL_REF, 0n, 2n ** 53n + 1n, 0xffff_ffffn);
  t.same(given, [undefined, 0, 2n ** 53n + 1n, 0xffff_ffffn, window]);
  given = [];
  const trap = (...words: Words): string => guest.trap("own", "take", ...words);
  t.equal(trap([0, 1], wide(0), wide(0), wide(0), guest.own, 0, 0), "HeapRefStale");
  t.equal(trap(guest.own, wide(0), wide(0), wide(0), guest.own, 0, 0), "HeapRefKind");
  t.equal(trap(NULL_REF, wide(0), wide(0), wide(0), NULL_REF, 0, 0), "HeapRefNull");
  const stale = guest.ref(guest.heap.create(3, STALE_OBJECT));
  t.equal(take(stale, 0n, 0n, 0n).returned, Status.STALE);
  t.same(given, [], "no body ran");
});

t.test("[ABI-LINK-1, ABI-PANIC-1] functions are made when they are asked for, once", async (t) => {
  const { imports } = new Driver({ mounts: [{ guest: "/", fs: new MemoryFileSystem() }] });
  t.ok(Object.hasOwn(imports.fs!, "open"));
  const { open } = imports.fs!;
  t.equal(imports.fs!.open, open);
  t.equal({ ...imports.fs }.open, open);
  t.not(imports.fs!.open_p, open);
  t.throws(() => {
    (imports.fs as { open: unknown }).open = open;
  }, TypeError);
  const values = "abcdef".split("").map((name) => ({ name, type: "u32", doc: name }) as const);
  const of = (rest: object): (() => HostFunction) => {
    const row = syscallRow("own", { name: "call", doc: "d", fuel: 1, ...rest });
    return () => hostFunctions([row], { own: { call: () => 0 } }, new Set(), KINDS).own!.call!;
  };
  t.ok(of({ params: values.slice(1) })());
  t.throws(of({ params: values }), { code: "ABI-PANIC" });
  t.throws(of({ results: [{ name: "x", type: "f64", doc: "x" }] }), { code: "ABI-PANIC" });
  t.throws(of({ params: [{ name: "x", type: { ref: "File|Cat" }, doc: "x" }] }), { code: "ABI-PANIC" });
});

t.test("[VM-HOST-4] a bound function does what its call does, and a copy with another call has none", async (t) => {
  const module = Module.decode(
    await loadWat(`(module
      (import "own" "swap" (func $swap (param i64 i32) (result i32 i64)))
      (func (export "swap") (param i64 i32) (result i32 i64) (call $swap (local.get 0) (local.get 1))))`),
  );
  const used: string[] = [];
  const swap = ({ results }: Caller, low: number, high: number, small: number): void => {
    results.setI32(0, small + 1);
    results.setI64(1, high, low);
  };
  const own: HostFunction = {
    type: { params: ["i64", "i32"], results: ["i32", "i64"] },
    fuel: 3,
    mayFree: false,
    call: (caller, ...words) => {
      used.push("call");
      swap(caller, ...(words as [number, number, number]));
    },
    bind: (caller) => (low, high, small) => {
      caller.look?.();
      used.push("bound");
      swap(caller, low!, high!, small!);
    },
  };
  for (const engine of ENGINES) {
    used.length = 0;
    const instance = module.instantiate({ imports: { own: { swap: own } }, engine });
    t.same(instance.invoke("swap", [0x1_0000_0002n, 8]), [9, 0x2_0000_0001n]);
    t.same(used, [instance.store.engine === "compiled" ? "bound" : "call"]);
    t.throws(() => instance.invoke("swap", [0n, 0], { signal: { aborted: true } }), { code: "VM-STOPPED" });
    t.equal(used.length, 1, "it looks before it does anything");
  }
  const heard: number[] = [];
  const { imports, kinds } = createAbi();
  const { abi_version } = imports.sys!;
  t.type(abi_version!.bind, "function");
  const listening: HostFunction = {
    ...abi_version!,
    call: (caller) => {
      heard.push(caller.instance);
      return 77;
    },
  };
  t.equal(listening.bind, undefined);
  const version = Module.decode(
    await loadWat(
      `(module (import "sys" "abi_version" (func $v (result i32))) (func (export "v") (result i32) (call $v)))`,
    ),
  );
  for (const engine of ENGINES) {
    const given = { ...imports, sys: { ...imports.sys, abi_version: listening } };
    t.same(version.instantiate({ imports: given, kinds, engine }).invoke("v"), [77]);
    const plain = version.instantiate({ imports, kinds, engine });
    t.same(plain.invoke("v"), [1]);
    t.throws(() => plain.invoke("v", [], { signal: { aborted: true } }), { code: "VM-STOPPED" });
  }
  t.same(heard, [0, 0]);
  t.equal(
    createAbi({ observe: () => {} }).imports.sys!.abi_version!.bind,
    undefined,
    "who listens hears of every call",
  );
});
