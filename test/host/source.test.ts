/** Places in a guest's source: against what llvm-symbolizer says, by hand, and of damaged debug information. */
import { readFileSync } from "node:fs";
import t from "tap";
import { DAMAGED } from "../../host/source/cursor.ts";
import { type DwarfSections, linesOf } from "../../host/source/dwarf-lines.ts";
import { type SourcePlace, sourcePlaces } from "../../host/source/places.ts";
import { sourceMapName } from "../../host/source/source-map.ts";
import { type CustomSection, type ModuleStructure, SectionId } from "../../vm/bytecode/structure.ts";
import { Module, Trap } from "../../vm/index.ts";
import { Random } from "../vm/random.ts";

const DWARF_FIXTURES = ["c2", "c3", "c4", "c5", "c5-O0", "rust"];

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/source/${name}`, import.meta.url));
}

function structureOf(name: string): ModuleStructure {
  return Module.decode(fixture(name)).structure;
}

function codeStart({ sections }: ModuleStructure): number {
  return sections.find(({ id }) => id === SectionId.code)!.start;
}

/** What llvm-symbolizer says, by code address: function, file, line and column of each frame, innermost first. */
function symbolsOf(name: string): Map<number, string[]> {
  const symbols = new Map<number, string[]>();
  for (const entry of fixture(`${name}.symbols`).toString().trim().split("\n\n")) {
    const [address, ...lines] = entry.split("\n");
    const frames: string[] = [];
    for (let at = 0; at < lines.length; at += 2) {
      const place = lines[at + 1]!.replace(/^\.\//, "");
      // It names a place without a line; we do not.
      if (!/:0:\d+$/.test(place)) frames.push(`${lines[at]} ${place}`);
    }
    symbols.set(Number(address), frames);
  }
  return symbols;
}

function textOf({ file, line, column }: SourcePlace): string {
  return `${file.replace(/^\.\//, "")}:${line}:${column}`;
}

t.test("[SOURCE-PLACE-1, SOURCE-PLACE-2] places and inlined calls are those that llvm-symbolizer finds", (t) => {
  let inlined = 0;
  for (const name of DWARF_FIXTURES) {
    const structure = structureOf(`${name}.wasm`);
    const base = codeStart(structure);
    const symbols = symbolsOf(name);
    const places = sourcePlaces(
      structure,
      [...symbols.keys()].map((address) => base + address),
    );
    let known = 0;
    for (const [address, frames] of symbols) {
      const found = places.get(base + address) ?? [];
      // The name of the function itself is not the debug information's to tell.
      const own = frames.at(-1)?.split(" ", 1)[0];
      t.same(
        found.map((place) => `${place.inlined ?? own} ${textOf(place)}`),
        frames,
        `${name}, 0x${address.toString(16)}`,
      );
      if (found.length > 0) known++;
      if (found.length > 1) inlined++;
    }
    t.ok(known > 0.7 * symbols.size && known > 10, `${name}: ${known} of ${symbols.size} instructions`);
    t.same(sourcePlaces(structure, [0, -1, base, structure.bytes.length, 2 ** 31]), new Map(), "no code, no place");
  }
  t.ok(inlined > 60, `${inlined} with inlined calls`);
  t.end();
});

t.test("[SOURCE-PLACE-1] the frames of a trap", (t) => {
  const module = Module.decode(fixture("c4.wasm"));
  let trap: unknown;
  try {
    module.instantiate().invoke("run", [10, 0]);
  } catch (error) {
    trap = error;
  }
  if (!(trap instanceof Trap)) throw trap;
  t.equal(trap.reason, "IntegerDivideByZero");
  const places = sourcePlaces(
    module.structure,
    trap.backtrace.map(({ offset }) => offset),
  );
  t.same(
    trap.backtrace.map(({ name, offset }) => [
      name,
      ...places.get(offset)!.map((place) => `${place.inlined} ${textOf(place)}`),
    ]),
    [
      ["deep", "divide inner.h:3:21", "half inner.h:7:10", "undefined main.c:7:12"],
      ["deep", "undefined main.c:8:16"],
      ["run", "undefined main.c:14:10"],
    ],
  );
  t.end();
});

// ---- source maps

t.test("[SOURCE-PLACE-3] places by a source map beside the module", (t) => {
  const module = Module.decode(fixture("as.wasm"));
  const map = fixture("as.wasm.map").toString();
  let trap: unknown;
  try {
    module.instantiate().invoke("run", [1, 0]);
  } catch (error) {
    trap = error;
  }
  if (!(trap instanceof Trap)) throw trap;
  const offsets = trap.backtrace.map(({ offset }) => offset);
  const asked: string[] = [];
  const placesBy = (text: string | undefined) =>
    sourcePlaces(module.structure, offsets, (name) => {
      asked.push(name);
      return text;
    });
  const lines = JSON.parse(map).sourcesContent[1].split("\n") as string[];
  const places = offsets.map((offset) => placesBy(map).get(offset));
  t.same(
    places.map((chain) => chain?.map(({ file, line, column }) => `${file} ${lines[line - 1]!.slice(column - 1)}`)),
    [["index.ts a / b;"], ["index.ts divide(a, b) + 1;"]],
  );
  t.same([...new Set(asked)], ["as.wasm.map"]);
  t.equal(placesBy(undefined).size, 0);
  t.equal(sourcePlaces(module.structure, offsets).size, 0, "nothing reads it");
  // Before the function's first mapping there is none, though another function's stands before.
  const second = module.structure.bodies.at(-1)!;
  t.equal(sourcePlaces(module.structure, [second.start], () => map).size, 0);

  for (const bad of [
    "",
    "{",
    "null",
    "[]",
    '{"version":2,"mappings":"AAAA","sources":["a"]}',
    '{"version":3,"mappings":5,"sources":["a"]}',
    '{"version":3,"mappings":"AAAA","sources":"a"}',
    '{"version":3,"mappings":"A","sources":["a"]}',
    '{"version":3,"mappings":"AAAA","sources":[7]}',
    '{"version":3,"mappings":"ACAA","sources":["a"]}',
    '{"version":3,"mappings":"AADA","sources":["a"]}',
    '{"version":3,"mappings":"AAAAgggggggggggggg","sources":["a"]}',
    '{"version":3,"mappings":"!","sources":["a"]}',
    `{"version":3,"mappings":"${"9".repeat(5000)}","sources":["a"]}`,
  ])
    t.equal(placesBy(bad).size, 0, bad.slice(0, 60));
  const offset = offsets[0]!;
  const mappings = (columns: string) => JSON.stringify({ version: 3, mappings: columns, sources: ["a", "b"] });
  t.same(placesBy(mappings(`${vlq(offset, 1, 2, 3)},${vlq(1)}`)).get(offset), [{ file: "b", line: 3, column: 4 }]);
  t.same(placesBy(mappings(`${vlq(offset, 1, 2, 3, 0)},${vlq(0, -1, 1, 0)};AAAA`)).get(offset), [
    { file: "a", line: 4, column: 4 },
  ]);
  t.equal(placesBy(mappings(`${vlq(offset, 1, 2, 3)},${vlq(0)}`)).get(offset), undefined, "a mapping to nothing");
  t.end();
});

function vlq(...values: number[]): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let text = "";
  for (const value of values) {
    let rest = value < 0 ? -2 * value + 1 : 2 * value;
    do {
      text += digits[(rest & 31) | (rest > 31 ? 32 : 0)];
      rest >>>= 5;
    } while (rest > 0);
  }
  return text;
}

t.test("[SOURCE-PLACE-3] a source map is a name in the module's folder, and nothing else", (t) => {
  const named = (url: string) => sourceMapName(Uint8Array.from([url.length, ...Buffer.from(url)]));
  t.equal(named("a.wasm.map"), "a.wasm.map");
  t.equal(named("./a.wasm.map"), "a.wasm.map");
  for (const url of [
    "../a.map",
    "/etc/passwd",
    "x/a.map",
    "..",
    ".",
    "./..",
    "",
    "http://host/a.map",
    "data:application/json,{}",
    "C:a.map",
    "x\\a.map",
    "a%2fb.map",
    "a\0b",
    "a?b",
    "a#b",
  ])
    t.equal(named(url), undefined, JSON.stringify(url));
  for (const bytes of [[], [5, 97], [0x80], [0xff, 0xff, 0xff, 0xff, 0x7f, 97], [0x80, 0x80, 0x80, 0x80, 0x80, 1]])
    t.equal(sourceMapName(Uint8Array.from(bytes)), undefined, bytes.join());
  t.end();
});

// ---- line tables by hand

const EMPTY = new Uint8Array(0);

function sections(given: Partial<DwarfSections>, steps = 100_000): DwarfSections {
  const empty = { line: EMPTY, lineStr: EMPTY, str: EMPTY, strOffsets: EMPTY, addr: EMPTY, info: EMPTY };
  return {
    ...empty,
    abbrev: EMPTY,
    ranges: EMPTY,
    rnglists: EMPTY,
    spend: () => {
      if (--steps < 0) throw DAMAGED;
    },
    ...given,
  };
}

const word = (value: number, size = 4): number[] =>
  Array.from({ length: size }, (_, k) => Math.floor(value / 256 ** k) % 256);
const text = (value: string): number[] => [...Buffer.from(value), 0];

interface Table {
  readonly version: number;
  readonly is64?: boolean;
  readonly minimumLength?: number;
  readonly operations?: number;
  readonly opcodeBase?: number;
  readonly tables: readonly number[];
  readonly program: readonly number[];
}

/** A line table with line base −3 and line range 12. */
function lineTable({
  version,
  is64 = false,
  minimumLength = 1,
  operations = 1,
  opcodeBase = 13,
  ...rest
}: Table): number[] {
  const size = is64 ? 8 : 4;
  const lengths = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 2, 0].slice(0, opcodeBase - 1);
  const header = [
    minimumLength,
    ...(version >= 4 ? [operations] : []),
    1,
    253,
    12,
    opcodeBase,
    ...lengths,
    ...rest.tables,
  ];
  const unit = [
    ...word(version, 2),
    ...(version === 5 ? [4, 0] : []),
    ...word(header.length, size),
    ...header,
    ...rest.program,
  ];
  return [...(is64 ? word(0xffffffff) : []), ...word(unit.length, size), ...unit];
}

const setAddress = (address: number, size = 4): number[] => [0, size + 1, 2, ...word(address, size)];
const END = [0, 1, 1];
const TABLES4 = [
  ...text("sub"),
  ...text("/abs/"),
  0,
  ...text("a.c"),
  0,
  0,
  0,
  ...text("b.c"),
  1,
  0,
  0,
  ...text("c.c"),
  2,
  0,
  0,
  ...text("/d.c"),
  1,
  0,
  0,
  0,
];

function shown(table: readonly number[], addresses: readonly number[], given: Partial<DwarfSections> = {}): string[] {
  const lines = linesOf(sections({ line: Uint8Array.from(table), ...given }), addresses);
  return addresses.map((address) => {
    const line = lines.get(address);
    return line === undefined ? "-" : `${line.file}:${line.line}:${line.column}`;
  });
}

t.test("[SOURCE-PLACE-1] every opcode of a line program", (t) => {
  const program = [
    ...setAddress(16),
    ...[5, 9, 3, 41, 1], // column 9, line 42; a row at 16
    ...[2, 4, 4, 2, 3, 0x7d, 1], // 4 further, file 2, line 39; a row at 20
    13 + 3 + 12 * 2 + 1, // special: 2 further, line 40
    8, // const_add_pc: ⌊242 / 12⌋ = 20 further
    ...[9, 6, 0], // fixed_advance_pc: 6
    ...[10, 11, 6, 7, 12, 5], // that say nothing of lines
    ...[0, 2, 4, 7], // a discriminator
    ...[0, 3, 0x80, 1, 2], // unknown and extended
    ...[4, 3, 5, 0, 1], // file 3, no column; a row at 48
    ...[2, 2, 4, 4, 1], // file 4 at 50
    ...[2, 2, 4, 9, 1], // a file that is not there at 52
    ...[2, 2, 4, 1, 3, 0x58, 1], // line 0 at 54
    ...[2, 2],
    ...END,
    ...setAddress(100),
    ...[1, 2, 1],
    ...END,
  ];
  const expected = [
    "-",
    "a.c:42:9",
    "a.c:42:9",
    "sub/b.c:39:9",
    "sub/b.c:40:9",
    "sub/b.c:40:9",
    "/abs/c.c:40:0",
    "/d.c:40:0",
    "-",
    "a.c:0:0",
    "-",
    "a.c:1:0",
    "-",
  ];
  const addresses = [15, 16, 19, 20, 22, 47, 48, 50, 52, 54, 56, 100, 101];
  for (const version of [2, 3, 4]) {
    t.same(shown(lineTable({ version, tables: TABLES4, program }), addresses), expected, `version ${version}`);
    t.same(
      shown(lineTable({ version, is64: true, tables: TABLES4, program }), addresses),
      expected,
      `${version}, 64-bit`,
    );
  }
  // A file that the program names has the number behind the table's last.
  const defined = [...setAddress(16), 0, 8, 3, ...text("e.c"), 1, 0, 0, 4, 5, 1, 2, 1, ...END];
  t.same(shown(lineTable({ version: 4, tables: TABLES4, program: defined }), [16]), ["sub/e.c:1:0"]);
  // Instructions of four bytes, and two operations in one.
  const steps = [...setAddress(16), 1, 2, 3, 3, 1, 1, 2, 1, 1, ...END];
  t.same(shown(lineTable({ version: 4, minimumLength: 4, tables: TABLES4, program: steps }), [16, 27, 28, 31, 32]), [
    "a.c:1:0",
    "a.c:1:0",
    "a.c:2:0",
    "a.c:2:0",
    "-",
  ]);
  t.same(
    shown(
      lineTable({ version: 4, minimumLength: 4, operations: 2, tables: TABLES4, program: steps }),
      [16, 19, 20, 23, 24],
    ),
    ["a.c:1:0", "a.c:1:0", "a.c:2:0", "a.c:2:0", "-"],
  );
  // Fewer standard opcodes: 10 is special, and goes 0 further and a line back.
  const few = [...setAddress(16), 3, 9, 1, 12, 2, 4, ...END];
  t.same(shown(lineTable({ version: 4, opcodeBase: 10, tables: TABLES4, program: few }), [16]), ["a.c:9:0"]);
  t.end();
});

t.test("[SOURCE-PLACE-1] tables of version 5, and code that is gone", (t) => {
  const program = [...setAddress(8), 4, 0, 1, 2, 2, 4, 1, 1, 2, 2, 4, 2, 1, 2, 2, ...END];
  const str = Uint8Array.from([...text("unused"), ...text("s.c")]);
  const lineStr = Uint8Array.from([...text("/build"), ...text("l.c"), ...text("lib")]);
  const directories = [1, 1, 0x1f, 2, ...word(0), ...word(11)];
  // Path, directory, size as a block, MD5, time; in forms that differ.
  const formats = [5, 1, 0x1f, 2, 0x0b, 3, 0x09, 5, 0x1e, 4, 0x07];
  const rest = [2, 1, 1, ...word(0, 16), ...word(0, 8)];
  const files = [...formats, 3, ...word(7), 0, ...rest, ...word(7), 1, ...rest, ...word(0), 1, ...rest];
  const expected = ["l.c:1:0", "lib/l.c:1:0", "/build:1:0"];
  t.same(
    shown(lineTable({ version: 5, tables: [...directories, ...files], program }), [8, 10, 12], { str, lineStr }),
    expected,
  );
  const inPlace = [
    1,
    1,
    0x08,
    2,
    ...text("/build"),
    ...text("lib/"),
    2,
    1,
    0x0e,
    2,
    0x0f,
    3,
    ...[...word(7), 0],
    ...[...word(7), 1],
    ...[...word(7), 9],
  ];
  t.same(shown(lineTable({ version: 5, tables: inPlace, program }), [8, 10, 12], { str, lineStr }), [
    "s.c:1:0",
    "lib/s.c:1:0",
    "s.c:1:0",
  ]);
  const wide = [1, 1, 0x1f, 1, ...word(0, 8), 1, 1, 0x1f, 1, ...word(7, 8)];
  t.same(shown(lineTable({ version: 5, is64: true, tables: wide, program }), [8, 10], { lineStr }), ["l.c:1:0", "-"]);

  const row = (address: number, size = 4) => [...setAddress(address, size), 1, 2, 100, ...END];
  for (const gone of [0, 0xffffffff, 0xfffffffe])
    t.same(shown(lineTable({ version: 4, tables: TABLES4, program: [...row(gone), ...row(60)] }), [1, 59, 60]), [
      "-",
      "-",
      "a.c:1:0",
    ]);
  t.same(
    shown(
      lineTable({ version: 4, tables: TABLES4, program: [1, 2, 100, ...END, ...row(2 ** 40, 8), ...row(60, 8)] }),
      [1, 60],
    ),
    ["-", "a.c:1:0"],
  );
  // The first table that has an address counts; one that is damaged hides no other.
  const other = lineTable({ version: 4, tables: [0, ...text("z.c"), 0, 0, 0, 0], program: row(10) });
  const damaged = lineTable({ version: 4, tables: TABLES4, program: [...row(10), 2] });
  const unknown = lineTable({ version: 6, tables: TABLES4, program: row(10) });
  t.same(shown([...unknown, ...damaged, ...other], [10, 109]), ["a.c:1:0", "a.c:1:0"]);
  t.same(shown([...unknown, ...other, ...damaged], [10]), ["z.c:1:0"]);
  t.end();
});

// ---- damage

t.test("[SOURCE-PLACE-4] nothing is read without a trap, nor more of a section than is there", (t) => {
  const { structure } = Module.decode(fixture("c5.wasm"));
  let read = 0;
  const watched: ModuleStructure = {
    ...structure,
    get customs(): readonly CustomSection[] {
      read++;
      return structure.customs;
    },
  };
  t.equal(sourcePlaces(watched, []).size, 0);
  t.equal(read, 0, "of no frames nothing is asked");
  t.equal(sourcePlaces(watched, [codeStart(structure) + 9]).size, 1);
  t.ok(read > 0);
  t.end();
});

t.test("[SOURCE-PLACE-4] damaged debug information gives places or none, and never fails", (t) => {
  const random = new Random(4);
  let cases = 0;
  let found = 0;
  for (const name of DWARF_FIXTURES) {
    const { structure } = Module.decode(fixture(`${name}.wasm`));
    const base = codeStart(structure);
    const offsets = [...symbolsOf(name).keys()].map((address) => base + address);
    const debug = structure.customs.filter((custom) => custom.name.startsWith(".debug_"));
    const attempt = (customs: readonly CustomSection[], bytes: Uint8Array): void => {
      const places = sourcePlaces({ ...structure, customs, bytes }, offsets);
      cases++;
      for (const chain of places.values()) {
        found++;
        if (!chain.every(({ file, line, column }) => typeof file === "string" && line > 0 && column >= 0))
          t.fail(JSON.stringify(chain));
      }
    };
    // Every section cut at every length, or at many.
    for (const section of debug) {
      const length = section.end - section.start;
      for (let cut = 0; cut < length; cut += Math.max(1, length >> 7))
        attempt(
          structure.customs.map((one) => (one === section ? { ...one, end: one.start + cut } : one)),
          structure.bytes,
        );
    }
    for (let round = 0; round < 300; round++) {
      const bytes = structure.bytes.slice();
      for (let flips = 1 + random.below(4); flips > 0; flips--) {
        const { start, end } = debug[random.below(debug.length)]!;
        if (end > start) bytes[start + random.below(end - start)] = random.below(3) === 0 ? 255 : random.below(256);
      }
      attempt(structure.customs, bytes);
    }
  }
  t.ok(cases > 3000 && found > 10_000, `${cases} cases, ${found} places`);
  t.end();
});

t.test("[SOURCE-PLACE-4] counts and references that damage makes up cost little", (t) => {
  const program = [...setAddress(8), 1, 2, 100, ...END];
  const most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
  // Tables that state more entries than there are bytes, of no bytes each, or with a name that has no end.
  t.same(shown(lineTable({ version: 5, tables: [0, ...most, 0, ...most], program }), [8]), ["-"]);
  t.same(shown(lineTable({ version: 5, tables: [1, 1, 0x08, ...most], program }), [8]), ["-"]);
  t.same(
    shown(lineTable({ version: 5, tables: [1, 1, 0x08, 0, 1, 1, 0x1f, 2, ...word(0), ...word(0)], program }), [8], {
      lineStr: new Uint8Array(1e6).fill(97),
    }),
    ["-"],
  );
  t.same(
    shown(lineTable({ version: 4, tables: [0, ...Buffer.from("x".repeat(5000)), 0, 0, 0, 0, 0], program }), [8]),
    ["-"],
    "a name of 5,000 bytes",
  );
  // Lengths beyond the section, and none at all.
  t.same(shown([...word(0xffffffff), ...word(2 ** 40, 8), 4, 0], [8]), ["-"]);
  t.same(shown([...word(0xfffffff8), 4, 0], [8]), ["-"]);
  t.same(shown(new Array(100_000).fill(0), [8]), ["-"]);
  // Rows that each cover all addresses, with a file that is not there.
  const rows = Array.from({ length: 20_000 }, () => [...setAddress(8), 1, 2, 100, 1]).flat();
  const all = Array.from({ length: 64 }, (_, k) => 8 + k);
  const missing = shown(lineTable({ version: 4, tables: TABLES4, program: [4, 99, ...rows] }), all);
  t.ok(missing.every((line) => line === "-"));

  // Units that each begin in another place of one table of abbreviations, and entries that name one another.
  const { structure } = Module.decode(fixture("c4.wasm"));
  const withSections = (given: { readonly [name: string]: readonly number[] | Uint8Array }): ModuleStructure => {
    const customs = structure.customs.filter(({ name }) => !(name in given));
    let { bytes } = structure;
    for (const [name, contents] of Object.entries(given)) {
      const start = bytes.length;
      const joined = new Uint8Array(start + contents.length);
      joined.set(bytes);
      joined.set(contents, start);
      bytes = joined;
      customs.push({ name, start, end: bytes.length, after: 11 });
    }
    return { ...structure, customs, bytes };
  };
  const offsets = [...symbolsOf("c4").keys()].map((address) => codeStart(structure) + address);
  const abbreviations = new Uint8Array(400_000).fill(1);
  const units = Array.from({ length: 50_000 }, (_, k) => [...word(8), 4, 0, ...word(8 * k), 4, 1]).flat();
  const lines = sourcePlaces(structure, offsets).size;
  t.equal(sourcePlaces(withSections({ ".debug_info": units, ".debug_abbrev": abbreviations }), offsets).size, lines);
  // Each an inlined call that covers all, named by the entry itself.
  const self = [
    1, 0x11, 1, 0x10, 0x17, 0, 0, 2, 0x1d, 0, 0x11, 0x01, 0x12, 0x06, 0x31, 0x13, 0x58, 0x0b, 0x59, 0x0b, 0, 0, 0,
  ];
  const entries = Array.from({ length: 20_000 }, (_, k) => [
    2,
    ...word(1),
    ...word(0xffffff),
    ...word(16 + 15 * k),
    1,
    1,
  ]).flat();
  const unit = [4, 0, ...word(0), 4, 1, ...word(0), ...entries, 0];
  const circular = sourcePlaces(
    withSections({ ".debug_info": [...word(unit.length), ...unit], ".debug_abbrev": self }),
    offsets,
  );
  t.equal(circular.size, offsets.length, "also where the line table has none");
  t.equal(circular.get(offsets[0]!)!.length, 65, "64 calls, and the function");
  t.end();
});
