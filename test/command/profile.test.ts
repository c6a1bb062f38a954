/** `--profile`, and the source places of trap reports. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import t from "tap";
import { foldedStacks } from "../../host/command/profile.ts";
import { profilePage } from "../../host/command/profile-page.ts";
import type { RunRequest } from "../../host/command/run-messages.ts";
import { readableName } from "../../host/command/rust-names.ts";
import { describeTrap } from "../../host/command/trap-text.ts";
import { runGuest } from "../../host/guest.ts";
import { loadWat } from "../../host/wat.ts";
import type { ProfileRow } from "../../vm/fuel-profile.ts";
import { Random } from "../vm/random.ts";
import { ashlar, firstLine, scratch, wat } from "./ashlar.ts";
import { TOOL } from "./tool.ts";

await wat("tool.wasm", TOOL);
for (const name of ["c4.wasm", "as.wasm", "as.wasm.map"])
  copyFileSync(new URL(`../fixtures/source/${name}`, import.meta.url), join(scratch, name));

function written(name: string): string {
  return readFileSync(join(scratch, name), "utf8");
}

const row = (depth: number, name: string, fuel: number): ProfileRow => ({ depth, name, fuel });

// ---- folded stacks

t.test("[PROFILE-FOLDED-1] a line for each stack that charged anything", (t) => {
  const rows = [
    row(1, "(instantiation)", 3),
    row(1, "main", 0),
    row(2, "a;b c", 10),
    row(3, "fs.read", 2 ** 53 - 1),
    row(2, "\n\u001b[31m\u202e\\u{3b}", 1),
    row(3, "<script>", 0),
    row(4, "é\u{1f600}", 7),
    row(1, "main2", 5),
  ];
  t.same([...foldedStacks(rows)].join("").split("\n"), [
    "(instantiation) 3",
    "main;a\\u{3b}b c 10",
    "main;a\\u{3b}b c;fs.read 9007199254740991",
    "main;\\u{a}\\u{1b}[31m\\u{202e}\\u{3b} 1",
    "main;\\u{a}\\u{1b}[31m\\u{202e}\\u{3b};<script>;é\u{1f600} 7",
    "main2 5",
    "",
  ]);
  t.same([...foldedStacks([])], []);
  t.end();
});

// ---- the page

const EVIL = '</script><script>alert(1)</script><!--"&amp;\u2028';
const ROWS = [
  row(1, "start", 10),
  row(1, "main", 20),
  row(2, "parse", 30),
  row(3, EVIL, 100),
  row(2, "print", 0),
  row(3, "fs.write", 39),
  row(3, "tiny", 1),
  row(2, "main", 800),
];

function pageOf(rows: readonly ProfileRow[], module = "guest.wasm"): string {
  return [...profilePage(rows, module)].join("");
}

/** As much of a document as the page's script uses. */
class Element {
  readonly style: { [name: string]: string } = {};
  readonly attributes = new Map<string, string>();
  readonly listeners = new Map<string, (event: object) => void>();
  children: Element[] = [];
  className = "";
  textContent = "";
  value = "";
  id = "";
  hidden = false;
  isFocused = false;
  readonly clientWidth = 1000;
  readonly offsetWidth = 100;
  readonly offsetHeight = 20;
  readonly classList = {
    add: (name: string) => {
      this.className += ` ${name}`;
    },
    remove: (name: string) => {
      this.className = this.className.replace(` ${name}`, "");
    },
  };
  append(...added: Element[]): void {
    this.children.push(...added);
  }
  replaceChildren(fragment: Element): void {
    this.children = fragment.children;
  }
  setAttribute(name: string, value: unknown): void {
    this.attributes.set(name, String(value));
  }
  addEventListener(type: string, listener: (event: object) => void): void {
    this.listeners.set(type, listener);
  }
  closest(): Element | undefined {
    return this.className.startsWith("frame") ? this : undefined;
  }
  focus(): void {
    this.isFocused = true;
  }
  scrollIntoView(): void {}
  get left(): number {
    return Number(/left:([\d.]+)px/.exec(this.style.cssText!)![1]);
  }
  get width(): number {
    return Number(/width:([\d.]+)px/.exec(this.style.cssText!)![1]);
  }
}

function open(page: string) {
  const elements = new Map<string, Element>();
  const byId = (id: string): Element => {
    const known = elements.get(id) ?? new Element();
    elements.set(id, known);
    return known;
  };
  byId("data").textContent = /<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(page)![1]!;
  const document = Object.assign(new Element(), {
    getElementById: byId,
    createElement: () => new Element(),
    createDocumentFragment: () => new Element(),
  });
  const window = new Element();
  const script = /<script>([\s\S]*?)<\/script>/.exec(page)![1]!;
  runInNewContext(script, {
    document,
    innerWidth: 1000,
    innerHeight: 800,
    addEventListener: (type: string, listener: (event: object) => void) => window.addEventListener(type, listener),
  });
  const graph = byId("graph");
  const frame = (name: string): Element =>
    graph.children.find((one) => one.attributes.get("aria-label")!.startsWith(`${name}: `))!;
  const fire = (target: Element, type: string, event: object): boolean => {
    let prevented = false;
    target.listeners.get(type)!({ preventDefault: () => (prevented = true), ...event });
    return prevented;
  };
  return {
    byId,
    graph,
    frame,
    window,
    click: (name: string) => fire(graph, "click", { target: frame(name) }),
    key: (key: string, target = graph) => fire(target, "keydown", { key, target }),
    keyAnywhere: (key: string) => fire(document, "keydown", { key, target: graph }),
    hover: (name: string) => fire(graph, "mousemove", { target: frame(name), clientX: 990, clientY: 790 }),
    leave: () => fire(graph, "mouseleave", {}),
    search: (value: string) => fire(byId("query"), "input", { target: { value } }),
    resize: () => fire(window, "resize", {}),
    /** Left edge, width and text of each frame. */
    shown: () => graph.children.map((one) => `${one.left} ${one.width} ${one.textContent}`).sort(),
    current: () =>
      graph.children
        .find(({ id }) => id === graph.attributes.get("aria-activedescendant"))!
        .attributes.get("aria-label"),
  };
}

t.test("[PROFILE-PAGE-1] the page shows every stack as wide as its fuel, and zooms", (t) => {
  const page = open(pageOf(ROWS));
  t.equal(page.byId("total").textContent, "1,000 units of fuel.");
  const plainEvil = EVIL.replace("\u2028", "\\u{2028}");
  const whole = [
    "0 1000 all",
    "0 10 ",
    "10 990 main",
    `10 130 parse`,
    `10 100 ${plainEvil}`,
    "140 40 print",
    "140 39 fs.write",
    "179 1 ",
    "180 800 main",
  ].sort();
  t.same(page.shown(), whole);
  t.equal(page.byId("status").textContent, "all: 1,000 units of fuel, 100.00 %; own 0, 0.00 %");
  t.equal(page.graph.style.height, "72px");

  page.click("parse");
  // Callers are as wide as the page, above what it is zoomed to.
  t.same(page.shown(), ["0 1000 all", "0 1000 main", "0 1000 parse", `0 ${(1000 * 100) / 130} ${plainEvil}`].sort());
  t.equal(page.byId("status").textContent, "parse: 130 units of fuel, 13.00 %; own 30, 3.00 %");
  t.match(page.frame("main").className, /above/);
  page.byId("reset").listeners.get("click")!({});
  t.same(page.shown(), whole);
  page.resize();
  t.same(page.shown(), whole);

  page.hover("fs.write");
  t.equal(page.byId("tip").textContent, "fs.write: 39 units of fuel, 3.90 %; own 39, 3.90 %");
  t.same(
    [page.byId("tip").hidden, page.byId("tip").style.left, page.byId("tip").style.top],
    [false, "892px", "762px"],
    "within the window",
  );
  page.leave();
  t.equal(page.byId("tip").hidden, true);

  // By function: a function within itself counts its callees once.
  t.same(
    page
      .byId("functions")
      .children.map(({ children }) => children.map(({ textContent }) => textContent).join("|"))
      .slice(0, 4),
    [
      "820|82.00 %|990|99.00 %|main",
      `100|10.00 %|100|10.00 %|${plainEvil}`,
      "39|3.90 %|39|3.90 %|fs.write",
      "30|3.00 %|130|13.00 %|parse",
    ],
  );
  t.end();
});

t.test("[PROFILE-PAGE-1] it is used with a keyboard, searched, and read aloud", (t) => {
  const page = open(pageOf(ROWS));
  const steps: [key: string, current: string][] = [
    ["ArrowDown", "main: 990"],
    ["ArrowLeft", "start: 10"],
    ["ArrowLeft", "start: 10"],
    ["ArrowRight", "main: 990"],
    ["ArrowDown", "main: 800"],
    ["ArrowLeft", "print: 40"],
    ["ArrowDown", "fs.write: 39"],
    ["ArrowUp", "print: 40"],
    ["Enter", "print: 40"],
  ];
  for (const [key, current] of steps) {
    t.ok(page.key(key), key);
    t.ok(page.current()!.startsWith(`${current} units`), `${key}: ${page.current()}`);
  }
  t.equal(page.frame("print").width, 1000, "Enter zooms");
  t.equal(page.frame("print").attributes.get("aria-level"), "3");
  t.equal(page.key("x"), false);
  page.keyAnywhere("Escape");
  t.equal(page.frame("print").width, 40);
  t.ok(page.key("Home"));
  t.ok(page.keyAnywhere("/"));
  t.ok(page.byId("query").isFocused);

  page.search("MAIN");
  t.equal(page.byId("found").textContent, "990 units of fuel, 99.00 %", "one within another counts once");
  t.same(page.graph.children.filter(({ className }) => className.includes(" hit")).length, 2);
  page.search("nothing");
  t.equal(page.byId("found").textContent, "0 units of fuel, 0.00 %");
  page.search("");
  t.equal(page.byId("found").textContent, "");
  t.notOk(page.graph.children.some(({ className }) => className.includes(" hit")));
  t.end();
});

t.test("[PROFILE-PAGE-1] names stay text, nothing is fetched, and an empty profile is a page", (t) => {
  const text = pageOf(ROWS, "</title><script>x\u001b");
  t.equal(text.match(/<script/g)!.length, 2, "the data and the script");
  t.ok(text.includes("<title>Fuel of &lt;/title>&lt;script>x\\u{1b}</title>"));
  t.notMatch(text.replace(/<meta.*>/g, ""), /\b(src|href|url|import|fetch|XMLHttpRequest|https?:)\b/);
  t.match(
    text,
    /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"/,
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them is in it
  t.notMatch(text, /[\u0000-\u0009\u000b-\u001f\u2028]/);
  t.equal(text, pageOf(ROWS, "</title><script>x\u001b"));
  const empty = open(pageOf([]));
  t.same(empty.shown(), ["0 1000 all"]);
  t.equal(empty.byId("total").textContent, "0 units of fuel.");
  const deep = open(pageOf(Array.from({ length: 256 }, (_, k) => row(k + 1, `f${k}`, 1))));
  t.equal(deep.shown().length, 257);
  t.end();
});

// ---- names of Rust

/** As llvm-cxxfilt has them. */
const MANGLED: readonly (readonly [mangled: string, name: string])[] = [
  ["_RINvCs2OpA4fNwd7R_1r4takeFUKCPhOxEuEB2_", 'r::take::<unsafe extern "C" fn(*const u8, *mut i64)>'],
  [
    "_RINvCs2OpA4fNwd7R_1r4takeFG_hRL0_eEINtNtCsgEmfK2I1SDS_4core6option6OptioncEEB2_",
    "r::take::<for<'a> fn(u8, &'a str) -> core::option::Option<char>>",
  ],
  [
    "_RINvCs2OpA4fNwd7R_1r4takeINtNtCslNYArtu3iFV_5alloc5boxed3BoxDG_INtNtNtCsgEmfK2I1SDS_4core3ops8function2FnTRL0_hEEp6OutputRL0_hNtNtB16_6marker4SendEL_EEB2_",
    "r::take::<alloc::boxed::Box<dyn for<'a> core::ops::function::Fn<(&'a u8,), Output = &'a u8> + core::marker::Send>>",
  ],
  ["_RINvCs2OpA4fNwd7R_1r4takeAsj2_EB2_", "r::take::<[i16; 2]>"],
  ["_RINvCs2OpA4fNwd7R_1r4takeOmEB2_", "r::take::<*mut u32>"],
  ["_RINvCs2OpA4fNwd7R_1r4takeThEEB2_", "r::take::<(u8,)>"],
  [
    "_RINvCs2OpA4fNwd7R_1r5applyNCNvMs_B2_INtB2_6SquarehKj3_E3own0EB2_",
    "r::apply::<<r::Square<u8, 3>>::own::{closure#0}>",
  ],
  [
    "_RNSNvYNCINvNtNtCsjrHSEGnQ3l9_3std6thread9lifecycle15spawn_uncheckedNCNvCs2OpA4fNwd7R_1r3runs1_0uEs_0INtNtNtCsgEmfK2I1SDS_4core3ops8function6FnOnceuE9call_once6vtableB17_",
    "<std::thread::lifecycle::spawn_unchecked<r::run::{closure#3}, ()>::{closure#1} as core::ops::function::FnOnce<()>>::call_once::{shim:vtable#0}",
  ],
  ["_RNvXCs2OpA4fNwd7R_1rINtB2_6SquarehKj3_ENtB2_5Shape4areaB2_", "<r::Square<u8, 3> as r::Shape>::area"],
  [
    "_RNvYINtNvNtCsjrHSEGnQ3l9_3std2io17default_write_fmt7AdapterNtNtNtNtB9_3sys5stdio4unix6StderrENtNtCsgEmfK2I1SDS_4core3fmt5Write10write_charCs2OpA4fNwd7R_1r",
    "<std::io::default_write_fmt::Adapter<std::sys::stdio::unix::Stderr> as core::fmt::Write>::write_char",
  ],
  [
    "_RNvMs0_NtNtCsjrHSEGnQ3l9_3std6thread11join_handleINtB5_10JoinHandleuE4joinCs2OpA4fNwd7R_1r",
    "<std::thread::join_handle::JoinHandle<()>>::join",
  ],
  [
    "_RINvMNtCsgEmfK2I1SDS_4core6optionINtB3_6OptionReE11map_or_elseNtNtCslNYArtu3iFV_5alloc6string6StringNCNvNtB12_3fmt6format0NvYeNtNtB12_6borrow7ToOwned8to_ownedECs2OpA4fNwd7R_1r",
    "<core::option::Option<&str>>::map_or_else::<alloc::string::String, alloc::fmt::format::{closure#0}, <str as alloc::borrow::ToOwned>::to_owned>",
  ],
  ["_RINvCs2OpA4fNwd7R_1r4takeReEB2_", "r::take::<&str>"],
  [
    "_RINvMNtNtCsjrHSEGnQ3l9_3std6thread7builderNtB3_7Builder15spawn_uncheckedNCNvCs2OpA4fNwd7R_1r3runs1_0uEB1c_",
    "<std::thread::builder::Builder>::spawn_unchecked::<r::run::{closure#3}, ()>",
  ],
  ["_RINvCs2OpA4fNwd7R_1r4takeRDNtNtCsgEmfK2I1SDS_4core3fmt5DebugEL_EB2_", "r::take::<&dyn core::fmt::Debug>"],
  ["_RNvNvNtNtCs2OpA4fNwd7R_1r5inner4deep1f6nested", "r::inner::deep::f::nested"],
];
const LEGACY: readonly (readonly [mangled: string, name: string])[] = [
  ["_ZN4main6ashlar8print_to17hd3c773ab9a149548E", "main::ashlar::print_to"],
  [
    "_ZN44_$LT$$RF$T$u20$as$u20$core..fmt..Display$GT$3fmt17hc92374489ffe7fd2E.llvm.14717814173739458714",
    "<&T as core::fmt::Display>::fmt",
  ],
  ["_ZN3a_b28_$u7b$$u7b$closure$u7d$$u7d$17h92146838d288bbf1E", "a_b::{{closure}}"],
  ["_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$4grow17hc9f0e4db55ffb879E", "alloc::raw_vec::RawVec<T,A>::grow"],
];

/** Forty types, each twice in the next. */
function doubling(): string {
  const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const base62 = (value: number): string =>
    value > 62 ? `${digits[Math.floor((value - 1) / 62)]}${digits[(value - 1) % 62]}_` : `${digits[value - 1]}_`;
  let mangled = "INvC1a1bTuuE";
  let last = mangled.indexOf("T");
  for (let count = 0; count < 40; count++) {
    const again = `B${base62(last)}`;
    last = mangled.length;
    mangled += `T${again}${again}E`;
  }
  return `_R${mangled}E`;
}

t.test("[CLI-NAME-1] names of Rust are told as Rust has them, and all others as they are", (t) => {
  for (const [mangled, name] of [...MANGLED, ...LEGACY]) t.equal(readableName(mangled), name, mangled);
  t.equal(readableName("_RINvCs2OpA4fNwd7R_1r5konstKan5_Kb1_Kce9_EB2_"), "r::konst::<-5, true, 'é'>");
  t.equal(readableName("_RNvCs2OpA4fNwd7R_1ru9gre_6ka8l"), "r::punycode{gre_6ka8l}");
  for (const name of [
    "",
    "main",
    "_R",
    "_RX",
    "_ZN3fooE",
    "_ZN17h92146838d288bbf1E",
    "_ZN9shorter17h92146838d288bbf1E",
    "_ZN3a17h92146838d288bbf1E",
    "_ZNK3Foo3barEv",
    "_RNvC1a9b",
    "_RNvB_1a",
    `_RNvC1a${"NvC1a".repeat(500)}`,
    `_RINvC1a1b${"R".repeat(200)}eE`,
    doubling(),
  ])
    t.equal(readableName(name), name);
  const random = new Random(7);
  const letters = "_0123456789ABCDEFGIKLMNOPQRSTUXYBCabcdefpsuvz";
  let changed = 0;
  for (let round = 0; round < 20_000; round++) {
    let [name] = random.pick([...MANGLED, ...LEGACY]);
    for (let count = 1 + random.below(3); count > 0; count--) {
      const at = 2 + random.below(name.length);
      name = name.slice(0, at) + random.pick([...letters]) + name.slice(at + random.below(3));
    }
    const readable = readableName(name);
    if (readable !== name) changed++;
    if (readable.length > 5000) t.fail(name);
  }
  t.ok(changed > 2000, `${changed} were names all the same`);
  t.same([...foldedStacks([row(1, LEGACY[0]![0], 5)])], ["main::ashlar::print_to 5\n"]);
  t.same(open(pageOf([row(1, LEGACY[0]![0], 5)])).shown(), ["0 1000 all", "0 1000 main::ashlar::print_to"]);
  const trap = { code: 1, name: "Unreachable", message: "m", function: 0, offset: 1 };
  const backtrace = [{ function: 0, offset: 1, name: MANGLED[3]![0], instance: 0 }];
  t.match(
    describeTrap({ ...trap, backtrace }, { module: "m" } as RunRequest, 0n),
    "  at r::take::<[i16; 2]>  function 0",
  );
  t.end();
});

// ---- the command

t.test(
  "[CLI-PROFILE-1, PROFILE-FUEL-2] the same run gives the same files, whose sum is the fuel of any run",
  async (t) => {
    const args = ["run", "tool.wasm", "--invoke", "talk_and_exit"];
    const plain = await ashlar([...args, "--report", "plain.json"]);
    const profiled = await ashlar([
      ...args,
      "--profile",
      "a.HTML",
      "--profile",
      "a.folded",
      "--report",
      "a.json",
      "--engine",
      "compiled",
    ]);
    t.same([profiled.code, profiled.stdout, profiled.stderr], [5, plain.stdout, plain.stderr]);
    const [one, other] = [JSON.parse(written("plain.json")), JSON.parse(written("a.json"))];
    t.equal(other.fuelUsed, one.fuelUsed);
    t.equal(other.engine, "reference");
    const folded = written("a.folded");
    const lines = folded.trim().split("\n");
    t.equal(
      lines.reduce((sum, line) => sum + Number(/ (\d+)$/.exec(line)![1]), 0),
      one.fuelUsed,
    );
    t.same(
      lines.map((line) => line.replace(/ \d+$/, "")),
      [
        "(instantiation)",
        "talk_and_exit",
        "talk_and_exit;talk",
        "talk_and_exit;talk;sys.stdout",
        "talk_and_exit;talk;put",
        "talk_and_exit;talk;put;fs.write_p",
        "talk_and_exit;talk;sys.stderr",
        "talk_and_exit;sys.exit",
      ],
    );
    t.equal(
      open(written("a.HTML")).byId("total").textContent,
      `${String(one.fuelUsed).replace(/\B(?=(\d{3})+$)/g, ",")} units of fuel.`,
    );
    await ashlar([...args, "--profile", "b.HTML", "--profile=b.folded", "--trace-file", "trace"]);
    t.equal(written("b.folded"), folded);
    t.equal(written("b.HTML"), written("a.HTML"));

    // A replay has the profile of the run.
    await ashlar([...args, "--record", "run.rec"]);
    t.equal((await ashlar(["run", "tool.wasm", "--replay", "run.rec", "--profile", "c.folded"])).code, 5);
    t.equal(written("c.folded"), folded);
    // Without fuel, and after a trap, there is one too.
    t.equal((await ashlar(["run", "tool.wasm", "--invoke", "loop", "--fuel", "1000", "--profile", "d.htm"])).code, 134);
    t.match(open(written("d.htm")).byId("total").textContent, /^1,00\d units/);
    t.equal((await ashlar(["run", "tool.wasm", "--invoke", "trap", "--profile", "e"])).code, 134);
    t.match(written("e"), /^\(instantiation\) \d+\ntrap 1\n$/);
  },
);

t.test("[CLI-PROFILE-2] files of profiles that cannot be, or stay empty", async (t) => {
  writeFileSync(join(scratch, "old.html"), "old");
  t.equal((await ashlar(["run", "none.wasm", "--profile", "old.html"])).code, 1);
  t.equal(written("old.html"), "");
  for (const path of ["none/x.html", "."]) {
    const ended = await ashlar(["run", "tool.wasm", "--profile", path]);
    t.same(
      [ended.code, firstLine(ended).slice(0, 19), ended.stdout],
      [1, "error[CLI-PROFILE]:", ""],
      "nothing of the guest ran",
    );
  }
  t.match(await ashlar(["run", "tool.wasm", "--profile", "-"]), { code: 2, stdout: "" });
  for (const other of ["--profile", "--report", "--trace-file", "--record"])
    t.match(await ashlar(["run", "tool.wasm", "--profile", "x", other, "./x"]), { code: 2, stdout: "" }, other);
  t.match(await ashlar(["run", "tool.wasm", "--profile"]), { code: 2 });
  if (process.platform !== "linux") return;
  const full = await ashlar(["run", "tool.wasm", "--profile", "/dev/full", "--report", "full.json"]);
  t.match(full, { code: 1, stdout: "hello\n", stderr: /^error\[CLI-PROFILE\]: The profile cannot be written/ });
  t.match(JSON.parse(written("full.json")), { outcome: "error", exitCode: 1, error: { code: "CLI-PROFILE" } });
});

t.test("[SOURCE-PLACE-5, SOURCE-PLACE-2, SOURCE-PLACE-3] a trap tells its places in the source", async (t) => {
  const trapped = await ashlar(["run", "c4.wasm", "--invoke", "run(10, 0)", "--report", "trap.json"]);
  t.same(trapped.stderr.split("\n").slice(0, 6), [
    "trap: integer divide by zero [IntegerDivideByZero]",
    "  at divide  ./inner.h:3:21  inlined",
    "  at half    ./inner.h:7:10  inlined",
    "  at deep    main.c:7:12     function 0, offset 0x53",
    "  at deep    main.c:8:16     function 0, offset 0x62",
    "  at run     main.c:14:10    function 1, offset 0x7d",
  ]);
  t.same(JSON.parse(written("trap.json")).trap.backtrace, [
    {
      function: 0,
      offset: 0x53,
      name: "deep",
      instance: 0,
      sources: [
        { file: "./inner.h", line: 3, column: 21, inlined: "divide" },
        { file: "./inner.h", line: 7, column: 10, inlined: "half" },
        { file: "main.c", line: 7, column: 12 },
      ],
    },
    { function: 0, offset: 0x62, name: "deep", instance: 0, sources: [{ file: "main.c", line: 8, column: 16 }] },
    { function: 1, offset: 0x7d, name: "run", instance: 0, sources: [{ file: "main.c", line: 14, column: 10 }] },
  ]);
  const mapped = await ashlar(["run", "as.wasm", "--invoke", "run(1, 0)"]);
  t.same(mapped.stderr.split("\n").slice(1, 3), [
    "  at index/divide  index.ts:2:10  function 0, offset 0x45",
    "  at index/run     index.ts:6:10  function 1, offset 0x4e",
  ]);
  // Through standard input there is no folder that it lies in.
  const piped = await ashlar(["run", "-", "--invoke", "run(1, 0)"], { input: readFileSync(join(scratch, "as.wasm")) });
  t.same(piped.stderr.split("\n").slice(1, 3), [
    "  at index/divide  function 0, offset 0x45",
    "  at index/run     function 1, offset 0x4e",
  ]);
  // What drives a terminal is told, not done.
  const map = JSON.parse(written("as.wasm.map"));
  writeFileSync(join(scratch, "as.wasm.map"), JSON.stringify({ ...map, sources: ["", "\u001b[31m\n"] }));
  t.match(
    (await ashlar(["run", "as.wasm", "--invoke", "run(1, 0)"])).stderr,
    "  at index/run     \\u{1b}[31m\\u{a}:6:10  function 1",
  );
  writeFileSync(join(scratch, "as.wasm.map"), "{");
  t.match(await ashlar(["run", "as.wasm", "--invoke", "run(1, 0)"]), {
    code: 134,
    stderr: /at index\/run {5}function 1, offset 0x4e\n/,
  });
});

t.test("[PROFILE-FUEL-2] runGuest tells the rows", async (t) => {
  const module = await loadWat(TOOL);
  const { profile, engine, fuelUsed, exitCode } = runGuest({
    module,
    profile: true,
    invoke: { name: "exit", values: [3] },
  });
  t.same([engine, exitCode], ["reference", 3]);
  t.same(
    profile!.map(({ depth, name }) => `${depth} ${name}`),
    ["1 (instantiation)", "1 exit", "2 sys.exit"],
  );
  t.equal(
    profile!.reduce((sum, { fuel }) => sum + BigInt(fuel), 0n),
    fuelUsed,
  );
  t.equal(runGuest({ module }).profile, undefined);
});
