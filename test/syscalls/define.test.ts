/** Tables of an embedder: what they may say, what their bodies get, and that they are checked as Ashlar's own are. */
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { loadWat } from "../../host/wat.ts";
import {
  type Call,
  createRecorder,
  defineSyscalls,
  FIRST_OWN_KIND,
  openRecording,
  outcomeOf,
  type Row,
  replayAbi,
  Status,
  type SyscallBody,
  type SyscallTable,
  TableError,
  traceLine,
} from "../../syscalls/index.ts";
import { type Kind, Module, Store } from "../../vm/index.ts";
import { Driver, NULL_REF, type Ref, wide } from "../conformance/driver.ts";
import { onEngines } from "./guest.ts";

const COUNTER: Kind = {
  id: FIRST_OWN_KIND,
  name: "Counter",
  create: "shop.counter",
  read: "shop.next",
  update: "shop.next",
  destroy: "shop.drop",
};

interface Counter {
  value: number;
}

/** A parameter or result. */
function of<const T extends Row extends { readonly params?: readonly (infer P)[] } ? Partial<P> : never>(
  name: string,
  rest: T,
) {
  return { name, doc: name, ...rest } as const;
}

const TABLE = {
  module: "shop",
  kinds: [COUNTER],
  rows: [
    {
      name: "price",
      doc: "Tells what an article costs.",
      params: [of("article", { type: "u32", maximum: 9 })],
      results: [of("cents", { type: "u32" })],
      fuel: 100,
    },
    {
      name: "describe",
      doc: "Describes an article.",
      params: [
        of("article", { type: "u32" }),
        of("dst_ref", { type: { ref: "Bytes" } }),
        of("dst_offset", { type: "u32" }),
        of("max_bytes", { type: "u32" }),
      ],
      results: [of("status", { type: "i32" }), of("bytes", { type: "u32" })],
      windows: [{ ref: 1, offset: 2, length: 3, written: 1 }],
      fuel: { base: 10, perByte: 1 / 4, lengthArgument: 3 },
      statuses: ["OTHER", "NOT_FOUND"],
      capability: "catalogue",
    },
    {
      name: "counter",
      doc: "Makes a counter.",
      params: [of("start", { type: "i64", exact: true }), of("scale", { type: "f64" })],
      results: [of("counter", { type: { ref: "Counter" } })],
      fuel: 5,
    },
    {
      name: "next",
      doc: "Counts.",
      params: [of("counter", { type: { ref: "Counter" }, nullable: true })],
      results: [of("value", { type: "u64" })],
      fuel: 1,
    },
    {
      name: "drop",
      doc: "Ends a counter.",
      params: [of("counter", { type: { ref: "Counter" } })],
      destroys: 0,
      fuel: 1,
    },
  ],
} as const satisfies SyscallTable;

const ARTICLES = ["bread", "wine"];

function shop(options: Parameters<typeof defineSyscalls>[2] = {}) {
  return defineSyscalls(
    TABLE,
    {
      price: (_call, article) => 100 * (article + 1),
      describe: (call, article, into) => {
        const text = ARTICLES[article];
        if (text === undefined) return Status.NOT_FOUND;
        const bytes = Buffer.from(text).subarray(0, into.length);
        into.set(bytes);
        call.set(1, bytes.length);
        return Status.OK;
      },
      counter: (call, start, scale) => {
        const counter: Counter = { value: Number(start) * scale };
        call.setRef(0, call.heap.create(COUNTER.id, counter));
        return undefined;
      },
      next: (call, counter: Counter | undefined) => {
        call.set(0, counter === undefined ? 0 : counter.value++);
        return undefined;
      },
      drop: () => undefined,
    },
    options,
  );
}

t.test("[ABI-DEFINE-1, ABI-DEFINE-4] rows of an embedder are checked as Ashlar's own are", async (t) => {
  const guest = new Driver(shop({ granted: ["catalogue"] }));
  t.equal(guest.call("shop", "price", 4).returned, 500);
  t.equal(guest.trap("shop", "price", 10), "BadArgument");
  t.same(guest.call("shop", "describe", 1, guest.own, 100, 3).results, [0, 3]);
  t.equal(Buffer.from(guest.memory.bytes.subarray(100, 104)).toString("latin1"), "win\0");
  t.equal(guest.call("shop", "describe_p", 0, guest.own, 100, 9, 200).returned, 0);
  t.equal(guest.memory.bytes[200], 5);
  t.same(guest.call("shop", "describe", 7, guest.own, 100, 3).results, [Status.NOT_FOUND, 0]);
  t.equal(guest.trap("shop", "describe", 0, NULL_REF, 0, 0), "HeapRefNull");
  t.equal(guest.trap("shop", "describe", 0, guest.own, 0, 2 ** 31), "HeapWindow");
  t.equal(guest.trap("shop", "describe_p", 0, guest.own, 0, 0, -1), "BadPointer");
  t.equal(new Driver(shop()).trap("shop", "describe", 0, guest.own, 0, 0), "MissingCapability");
  const counter = guest.call("shop", "counter", wide(-3), 2).results[0] as Ref;
  t.same(guest.call("shop", "next", counter).results, [[-6, -1]]);
  t.same(guest.call("shop", "next", counter).results, [[-5, -1]]);
  t.same(guest.call("shop", "next", NULL_REF).results, [[0, 0]]);
  t.equal(guest.trap("shop", "next", guest.own), "HeapRefKind");
  guest.call("shop", "drop", counter);
  t.equal(guest.trap("shop", "next", counter), "HeapRefStale");
});

onEngines("[ABI-DEFINE-1] beside createAbi, in the VM, observed, recorded and replayed", async (t, engine) => {
  const module = Module.decode(
    await loadWat(`(module
      (import "shop" "price" (func $price (param i32) (result i32)))
      (import "shop" "describe" (func $describe (param i32 i64 i32 i32) (result i32 i32)))
      (import "shop" "counter" (func $counter (param i64 f64) (result i64)))
      (import "shop" "next" (func $next (param i64) (result i64)))
      (import "sys" "args_count" (func $args (result i32)))
      (import "bytes" "of_memory" (func $own (result i64)))
      (memory 1)
      (func (export "run") (result i64) (local $counter i64)
        (local.set $counter (call $counter (i64.const 5) (f64.const 1.5)))
        (drop (call $price (call $args)))
        (drop (drop (call $describe (i32.const 1) (call $own) (i32.const 8) (i32.const 40))))
        (i64.add (call $next (local.get $counter)) (i64.load (i32.const 8)))))`),
  );
  const { digest } = module;
  const pieces: Uint8Array[] = [];
  const recorder = createRecorder({ module: digest, write: (bytes) => void pieces.push(bytes.slice()) });
  const run = (abi: Pick<ReturnType<typeof createAbi>, "imports" | "kinds">, own: ReturnType<typeof shop>) => {
    const store = new Store({ kinds: [...abi.kinds, ...own.kinds], engine });
    const instance = module.instantiate({ store, imports: { ...abi.imports, ...own.imports } });
    const results = instance.invoke("run");
    return { results, outcome: outcomeOf(store.fuelUsed, undefined, instance.stateDigest()) };
  };
  const lines: string[] = [];
  const live = run(
    createAbi({ args: ["a"], record: recorder }),
    shop({ granted: ["catalogue"], tape: recorder, observe: (event) => lines.push(traceLine(event)) }),
  );
  recorder.end(live.outcome);
  t.same(live.results, [BigInt(Buffer.from("wine\0\0\0\0").readBigUInt64LE()) + 7n]);
  // 5 + 1 + 5 + 100 + 10 + 40/4 + 1 and the guest's own.
  t.same(
    lines.map((line) => line.replace(/^ *\d+ /, "")),
    [
      "shop.counter(5, 1.5) = Counter#1",
      "shop.price(1) = 200",
      `shop.describe(1, Bytes#2[8..+40]) = OK, bytes 4, "wine"`,
      "shop.next(Counter#1) = 7",
    ],
  );
  const player = openRecording(new Uint8Array(Buffer.concat(pieces)));
  t.same(player.header.granted, ["catalogue"]);
  const silent: SyscallTable = TABLE;
  const notCalled: SyscallBody = () => {
    throw new Error("a body ran");
  };
  const none = Object.fromEntries(TABLE.rows.map(({ name }) => [name, notCalled]));
  const again: string[] = [];
  const own = defineSyscalls(silent, none, { tape: player, observe: (event) => again.push(traceLine(event)) });
  const replayed = run(replayAbi(player), own);
  player.end(replayed.outcome);
  t.same(replayed, live);
  t.same(again, lines);
});

t.test("[ABI-DEFINE-3] types of bodies follow from the rows", async (t) => {
  const row = (rest: Partial<Row>): Row => ({ name: "call", doc: "call", fuel: 1, ...rest });
  // What does not compile is the test; none of it is run.
  const notRun = (): void => {
    const numbers = {
      module: "own",
      rows: [
        { name: "add", doc: "d", params: [of("a", { type: "u32" })], results: [of("r", { type: "i32" })], fuel: 1 },
      ],
    } as const;
    defineSyscalls(numbers, { add: (_call, a) => a + 1 });
    defineSyscalls(numbers, { add: (_call: Call, a: number) => a });
    defineSyscalls(numbers, { add: () => 1 });
    // @ts-expect-error a u32 is a number
    defineSyscalls(numbers, { add: (_call, a: string) => a.length });
    // @ts-expect-error a u32 is no bigint
    defineSyscalls(numbers, { add: (_call, a: bigint) => Number(a) });
    // @ts-expect-error there is one value
    defineSyscalls(numbers, { add: (_call, a: number, b: number) => a + b });
    // @ts-expect-error a first result of 32 bits is returned
    defineSyscalls(numbers, { add: () => undefined });
    // @ts-expect-error it is a number
    defineSyscalls(numbers, { add: () => "1" });
    // @ts-expect-error a row without a body
    defineSyscalls(numbers, {});
    // @ts-expect-error a body without a row
    defineSyscalls(numbers, { add: () => 1, subtract: () => 1 });
    defineSyscalls(
      { module: "own", rows: [{ name: "wait", doc: "d", params: [of("n", { type: "u64", exact: true })], fuel: 1 }] },
      // @ts-expect-error exact 64 bits are a bigint
      { wait: (_call, n: number) => void n },
    );
    defineSyscalls(
      {
        module: "own",
        rows: [
          {
            name: "put",
            doc: "d",
            params: [
              of("ref", { type: { ref: "Bytes" } }),
              of("offset", { type: "u32" }),
              of("length", { type: "u32" }),
              of("n", { type: "i64" }),
            ],
            windows: [{ ref: 0, offset: 1, length: 2 }],
            fuel: 1,
          },
        ],
      },
      {
        put: (_call, bytes, n) => {
          const length: number = bytes.length + n;
          // @ts-expect-error a window is a Uint8Array
          bytes.toFixed(length);
        },
      },
    );
    // @ts-expect-error there is no such status
    defineSyscalls({ module: "own", rows: [{ name: "x", doc: "d", fuel: 1, statuses: ["FINE"] }] }, { x: () => {} });
    // @ts-expect-error there is no such type
    defineSyscalls({ module: "own", rows: [{ name: "x", doc: "d", fuel: 1, params: [of("a", { type: "u8" })] }] }, {});
  };
  t.type(notRun, "function");
  // A table that is put together while the program runs takes any body.
  const made = defineSyscalls({ module: "own", rows: [row({ name: "one" })] }, { one: () => undefined });
  t.same(Object.keys(made.imports.own!), ["one"]);
});

t.test("[ABI-DEFINE-2] tables that make no sense", async (t) => {
  const status = of("status", { type: "i32" });
  const bytes = [of("r", { type: { ref: "Bytes" } }), of("o", { type: "u32" }), of("l", { type: "u32" })];
  const number = of("n", { type: "u32" });
  const window = { ref: 0, offset: 1, length: 2 };
  const file = of("f", { type: { ref: "File" } });
  const at = of("at", { type: "i64" });
  const good: Row = { name: "call", doc: "call", fuel: 1 };
  const define = (rows: readonly object[], module = "own", kinds: readonly Kind[] = []): void => {
    const bodies = Object.fromEntries(rows.map((row) => [(row as Row).name, () => undefined]));
    defineSyscalls({ module, rows: rows as readonly Row[], kinds } as SyscallTable, bodies);
  };
  const sound: readonly Partial<Row>[] = [
    {},
    { fuel: 2 ** 30 },
    { fuel: { base: 0, perByte: 1024, lengthArgument: 0 }, params: [number] },
    { params: bytes, windows: [window] },
    { params: bytes, windows: [{ ...window, written: "all" }] },
    { results: [status, number], statuses: ["OTHER"] },
    { params: [{ ...file, nullable: true }] },
    { params: [{ ...number, flags: { A: 1, B: 0x8000_0000 } }] },
    {
      params: [file, at, ...bytes],
      windows: [{ ref: 2, offset: 3, length: 4 }],
      transfer: { handle: 0, offset: 1, length: 4 },
    },
    { params: [file], destroys: 0, traps: ["BadArgument"] },
    { results: [of("r", { type: { ref: "Bytes" } })] },
  ];
  for (const change of sound) define([{ ...good, ...change }]);
  define([good], "own", [COUNTER]);
  define([good], "wasix");

  const refused = (what: string, run: () => void): void => {
    const error = (() => {
      try {
        run();
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    t.ok(error instanceof TableError && error.code === "ABI-TABLE", `${what}: ${error}`);
  };
  for (const module of ["bytes", "fs", "sys", "wasi_snapshot_preview1", "wasi_", "", "a b", "1a", "a-b", "ä"])
    refused(`module ${module}`, () => define([good], module));
  for (const kinds of [
    [{ ...COUNTER, id: FIRST_OWN_KIND - 1 }],
    [{ ...COUNTER, id: 65_536 }],
    [{ ...COUNTER, id: 40_000.5 }],
    [{ ...COUNTER, name: "" }],
    [{ ...COUNTER, name: "File" }],
    [COUNTER, { ...COUNTER, id: FIRST_OWN_KIND + 1 }],
    [COUNTER, { ...COUNTER, name: "Other" }],
  ])
    refused(`kinds ${JSON.stringify(kinds)}`, () => define([good], "own", kinds));
  refused("two calls of one name", () => define([good, good]));
  refused("the name of a form", () =>
    define([
      { ...good, results: [number, at] },
      { ...good, name: "call_p" },
    ]),
  );
  const changes: readonly object[] = [
    { name: "" },
    { name: "a b" },
    { doc: "" },
    { capability: "" },
    { params: [number, number] },
    { params: [number], results: [number] },
    { params: [{ ...number, name: "a-b" }] },
    { results: [{ ...number, name: "" }] },
    { params: [{ ...number, type: "u8" }] },
    { params: [{ ...number, type: { ref: "Cat" } }] },
    { params: [{ ...number, type: { ref: "File|Cat" } }] },
    { results: [{ ...number, type: { ref: "Cat" } }] },
    { results: [{ ...number, type: "f64" }] },
    { results: [{ ...number, type: "f32" }] },
    { params: [{ ...number, nullable: true }] },
    { params: [{ ...number, exact: true }] },
    { params: [{ ...file, maximum: 1 }] },
    { params: [{ ...at, exact: true, maximum: 1 }] },
    { params: [{ ...number, maximum: Number.NaN }] },
    { params: [{ ...number, flags: { A: 0 } }] },
    { params: [{ ...number, flags: { A: 2 ** 32 } }] },
    { params: [{ ...at, flags: { A: 1 } }] },
    { params: bytes, windows: [{ ...window, ref: 1 }] },
    { params: bytes, windows: [{ ...window, length: 3 }] },
    { params: bytes, windows: [{ ...window, length: 1 }] },
    { params: bytes, windows: [window, window] },
    { params: [{ ...bytes[0], nullable: true }, ...bytes.slice(1)], windows: [window] },
    { params: [{ ...bytes[0], type: { ref: "File" } }, ...bytes.slice(1)], windows: [window] },
    { params: [{ ...bytes[0], type: { ref: "Bytes|File" } }, ...bytes.slice(1)], windows: [window] },
    { params: [...bytes.slice(0, 2), { ...bytes[2], maximum: 4 }], windows: [window] },
    { params: [...bytes.slice(0, 2), { ...bytes[2], type: "i32" }], windows: [window] },
    { params: bytes, windows: [{ ...window, written: 0 }] },
    { params: bytes, windows: [{ ...window, written: 0 }], results: [status], statuses: ["OTHER"] },
    { fuel: -1 },
    { fuel: 0.5 },
    { fuel: 2 ** 30 + 1 },
    { fuel: undefined },
    { fuel: { base: -1, perByte: 1, lengthArgument: 0 }, params: [number] },
    { fuel: { base: 1, perByte: 2 ** -11, lengthArgument: 0 }, params: [number] },
    { fuel: { base: 1, perByte: 1025, lengthArgument: 0 }, params: [number] },
    { fuel: { base: 1, perByte: -1, lengthArgument: 0 }, params: [number] },
    { fuel: { base: 1, perByte: 1, lengthArgument: 1 }, params: [number] },
    { fuel: { base: 1, perByte: 1, lengthArgument: 0 }, params: [at] },
    { results: [status] },
    { statuses: ["OTHER"] },
    { results: [status], statuses: ["INVALID"] },
    { results: [status], statuses: ["OTHER", "OTHER"] },
    { results: [status], statuses: ["OTHER", "OK"] },
    { results: [status], statuses: ["OTHER", "FINE"] },
    { results: [{ ...status, type: "u32" }], statuses: ["OTHER"] },
    { results: [number, status], statuses: ["OTHER"] },
    { traps: ["Fine"] },
    { params: [file, at, number], transfer: { handle: 1, offset: 1, length: 2 } },
    { params: [file, at, number], transfer: { handle: 0, offset: 2, length: 2 } },
    { params: [file, at, number], transfer: { handle: 0, offset: 1, length: 3 } },
    { params: [file, { ...at, exact: true }, number], transfer: { handle: 0, offset: 1, length: 2 } },
    { params: [{ ...file, nullable: true }, at, number], transfer: { handle: 0, offset: 1, length: 2 } },
    { params: [number], destroys: 0 },
    { params: [file], destroys: 1 },
    { params: [{ ...file, nullable: true }], destroys: 0 },
    { params: [{ ...file, type: { ref: "File|Bytes" } }], destroys: 0 },
    { params: ["a", "b", "c", "d", "e", "f"].map((name) => ({ ...number, name })) },
  ];
  for (const change of changes) refused(JSON.stringify(change), () => define([{ ...good, ...change }]));
  const table = { module: "own", rows: [good] } as SyscallTable;
  refused("no body", () => defineSyscalls(table, {}));
  refused("no function", () => defineSyscalls(table, { call: 1 as never }));
  refused("a body without a row", () => defineSyscalls(table, { call: () => undefined, more: () => undefined }));
});
