/** Ruby, which nobody here wrote: a library of 17 MB, driven from outside, beside the same on `node:wasi`. */
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import t from "tap";
import { type Abi, type AbiOptions, createAbi } from "../../host/abi.ts";
import { useHostSha256 } from "../../host/digest.ts";
import { directoryFileSystem } from "../../host/fs/directory.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { runGuest } from "../../host/guest.ts";
import { Exit } from "../../syscalls/exit.ts";
import { createRecorder, outcomeOf } from "../../syscalls/recording.ts";
import { openRecording, type ReplayAbi, replayAbi } from "../../syscalls/replay.ts";
import type { Engine } from "../../vm/execution.ts";
import { Instance } from "../../vm/instance.ts";
import { Module } from "../../vm/module.ts";
import { TrapCode } from "../../vm/trap.ts";
import {
  ashlarMachine,
  Handles,
  nodeMachine,
  Ruby,
  type RubyError,
  readRuby,
  rubyImports,
  rubyPath,
} from "../programs/ruby/ruby.ts";

const skip = rubyPath() === undefined && process.env.CI !== "true" && "npm ci in test/programs/ruby";
const scratch = mkdtempSync(join(tmpdir(), "ashlar-ruby-"));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
useHostSha256();

const SCRIPT = readFileSync(new URL("../programs/ruby/inventory.rb", import.meta.url), "utf8");

/** A piece of Ruby and how its value is shown, or what it raises. */
const EXPRESSIONS: readonly (readonly [code: string, shown: string])[] = [
  ["1 + 1", "2"],
  ["2**200 / 3**50", "2238393297946874000179418290327143433"],
  ["-7.divmod(2) + [7.fdiv(2), 0.1 + 0.2, 10.0 / 0]", "[-4, 1, 3.5, 0.30000000000000004, Infinity]"],
  ["(1..200).inject(:*).digits.sum", "1404"],
  ["Rational(3, 4) + Complex(0, 1)", "((3/4)+1i)"],
  [
    "'Grüße, 世界'.then { [_1.upcase, _1.reverse, _1.bytesize, _1.index('世')] }",
    '["GRÜSSE, 世界", "界世 ,eßürG", 15, 7]',
  ],
  ["'straße'.encode('UTF-16BE').bytes.last(2)", "[0, 101]"],
  ["'a1b22'.scan(/[a-z]|(?<n>\\d+)/)", '[[nil], ["1"], [nil], ["22"]]'],
  ["{ b: 1, 'a' => [2, nil, true] }.to_a.flatten(1)", '[:b, 1, "a", [2, nil, true]]'],
  ["[3, 1, 2].sort.each_slice(2).map(&:sum)", "[3, 3]"],
  ["x = 0; 3.times { |k| x += k }; x", "3"],
  ["e = [1, 2].each; [e.next, e.next, (e.next rescue $!.class)]", "[1, 2, StopIteration]"],
  ["Fiber.new { |a| b = Fiber.yield(a * 2); b + 1 }.then { [_1.resume(4), _1.resume(6)] }", "[8, 7]"],
  [
    "Struct.new(:a) { include Comparable; def <=>(o) = a <=> o.a }.then { |s| s.new(1).clamp(s.new(2), s.new(3)).a }",
    "2",
  ],
  ["(1..Float::INFINITY).lazy.select(&:even?).map { _1 ** 2 }.first(3)", "[4, 16, 36]"],
  ["catch(:out) { 10.times { throw :out, _1 if _1 == 3 } }", "3"],
  ["def sum(n) = n.zero? ? 0 : n + sum(n - 1); sum(2000)", "2001000"],
  ["case { name: 'x', tags: [1, 2] }\nin { name: String => n, tags: [*, 2] } then n end", '"x"'],
  ["raise ArgumentError, 'wrong'", "ArgumentError: wrong"],
  ["Integer('x')", 'ArgumentError: invalid value for Integer(): "x"'],
  ["nil.size", "NoMethodError: undefined method 'size' for nil"],
  ["1 / 0", "ZeroDivisionError: divided by 0"],
  ["def deeper(n) = deeper(n + 1) + 1; deeper(0)", "SystemStackError: stack level too deep"],
  ["begin; raise 'inner'; rescue => e; raise TypeError, e.message + ' outer'; end", "TypeError: inner outer"],
  ["exit 3", "SystemExit: exit"],
  ["GC.start; ObjectSpace.each_object(Class).count > 100", "true"],
  ["[$0, ARGV, Dir.pwd, RUBY_PLATFORM, Encoding.default_external.to_s]", '["-e", [], "/", "wasm32-wasi", "UTF-8"]'],
];

function shown(ruby: Ruby, code: string): string {
  try {
    return ruby.inspect(code);
  } catch (error) {
    const { raised, message } = error as RubyError;
    if (raised === undefined) throw error;
    return `${raised}: ${message}`;
  }
}

interface Running {
  readonly ruby: Ruby;
  readonly instance: Instance;
  readonly handles: Handles;
}

function start(module: Module, abi: Abi | ReplayAbi, engine: Engine): Running {
  const handles = new Handles();
  const instance = module.instantiate({ ...abi, imports: rubyImports(module, abi.imports, handles), engine });
  const ruby = new Ruby(ashlarMachine(instance), handles);
  ruby.boot();
  return { ruby, instance, handles };
}

/** Goes on from a snapshot with what the guest is given now. */
function goOn(module: Module, snapshot: Uint8Array, abi: Abi, engine: Engine): Running {
  const handles = new Handles();
  const imports = rubyImports(module, abi.imports, handles);
  const instance = Instance.restore(module, snapshot, { ...abi, imports, engine });
  return { ruby: new Ruby(ashlarMachine(instance), handles), instance, handles };
}

/** Collects what a guest writes. */
function collector(): { readonly write: (bytes: Uint8Array) => void; text(): string } {
  const pieces: Uint8Array[] = [];
  return { write: (bytes) => void pieces.push(bytes.slice()), text: () => Buffer.concat(pieces).toString() };
}

/** Paths below `folder` with their contents. */
function treeOf(folder: string): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return paths.map((path) => {
    const place = join(folder, path);
    return statSync(place).isDirectory() ? path : `${path}: ${readFileSync(place, "hex").slice(0, 200)}`;
  });
}

function folder(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

t.test("Ruby says the same as on node:wasi", { skip }, async (t) => {
  const bytes = readRuby();
  const module = Module.decode(bytes);
  const given: AbiOptions = { name: "ruby.wasm", mounts: [{ guest: "/work", fs: new MemoryFileSystem() }] };
  const compiled = start(module, createAbi(given), "compiled");
  const booted = { fuel: compiled.instance.fuelUsed, digest: compiled.instance.stateDigest() };
  const snapshot = compiled.instance.snapshot();
  t.strictSame(compiled.handles.saved, [], "no handle is left");

  const host = folder("node");
  const path = join(scratch, "stdout");
  const stdout = openSync(path, "w");
  const node = ((): Ruby => {
    const handles = new Handles();
    const wasi = new WASI({ version: "preview1", args: ["ruby.wasm"], env: {}, preopens: { "/work": host }, stdout });
    const ruby = new Ruby(nodeMachine(new WebAssembly.Module(bytes), wasi, handles), handles);
    ruby.boot();
    return ruby;
  })();
  const expected = ((): { readonly output: string; readonly tree: readonly string[] } => {
    node.inspect(SCRIPT);
    closeSync(stdout);
    return { output: readFileSync(path, "utf8"), tree: treeOf(host) };
  })();

  t.test("expressions and exceptions", (t) => {
    for (const [code, text] of EXPRESSIONS) {
      t.equal(shown(compiled.ruby, code), text, code);
      t.equal(shown(node, code), text, `${code} on node:wasi`);
    }
    t.end();
  });

  t.test("a script on a granted folder, on every file system", (t) => {
    t.match(expected.output, /^fruit\.txt\n {2}Kirschen {3}300 × {3}0\.03 €\n/);
    t.match(expected.output, /\nMissing: \/work\/stock\/none\.txt is empty\n/);
    const real = folder("directory");
    const systems = [new MemoryFileSystem(), directoryFileSystem(real)];
    for (const fs of systems) {
      const out = collector();
      const abi = createAbi({ ...given, mounts: [{ guest: "/work", fs }], hostMetadata: true, stdout: out.write });
      const { ruby, instance } = start(module, abi, "compiled");
      ruby.inspect(SCRIPT);
      t.equal(out.text(), expected.output);
      // On node:wasi it is EBADF; Linux says what this does.
      t.match(shown(ruby, "File.read('/work/stock')"), /^Errno::EISDIR: /);
      instance.store.close();
    }
    t.strictSame(treeOf(real), expected.tree);
    t.end();
  });

  t.test(
    "[VM-ENGINE-1, VM-SNAPSHOT-6] fuel and state are the same on both engines, from the start and from a snapshot",
    (t) => {
      const reference = start(module, createAbi(given), "reference");
      t.equal(reference.instance.fuelUsed, booted.fuel);
      t.equal(reference.instance.stateDigest(), booted.digest);
      t.ok(booted.fuel > 100_000_000n);
      const code =
        "$kept = ('a'..'e').each_cons(2).to_a; File.write('/work/x', $kept.inspect); [rand(1 << 64), Time.now]";
      const others = (["compiled", "reference"] as const).map((engine) =>
        goOn(
          module,
          snapshot,
          createAbi({ ...given, mounts: [{ guest: "/work", fs: new MemoryFileSystem() }] }),
          engine,
        ),
      );
      const ends = [reference, ...others].map(({ ruby, instance }) => {
        const text = ruby.inspect(code);
        return {
          text,
          read: ruby.inspect("File.read('/work/x')"),
          fuel: instance.fuelUsed,
          digest: instance.stateDigest(),
        };
      });
      t.match(ends[0], {
        text: /^\[\d+, 1970-01-01 00:00:0\d\.\d+ \+0000\]$/,
        read: '"[[\\"a\\", \\"b\\"], [\\"b\\", \\"c\\"], [\\"c\\", \\"d\\"], [\\"d\\", \\"e\\"]]"',
      });
      t.strictSame(ends[1], ends[0]);
      t.strictSame(ends[2], ends[0]);
      t.end();
    },
  );

  t.test("[REC-REPLAY-1] a recorded run is replayed without its host", (t) => {
    const recording = collector();
    const pieces: Uint8Array[] = [];
    const write = (piece: Uint8Array): void => void pieces.push(piece.slice());
    const recorder = createRecorder({ module: module.digest, about: null, write });
    const fs = new MemoryFileSystem({ note: "from the host" });
    const mounts = [{ guest: "/work", fs }];
    const abi = createAbi({ mounts, clock: "real", seed: "real", stdout: recording.write, record: recorder });
    const code = "puts File.read('/work/note'), Time.now.to_f, rand; $stdout.flush; File.write('/work/made', 'x')";
    const run = ({ ruby, instance }: Running): ReturnType<typeof outcomeOf> => {
      t.equal(ruby.inspect(code), "1");
      return outcomeOf(instance.fuelUsed, undefined, instance.stateDigest());
    };
    recorder.end(run(start(module, abi, "compiled")));
    t.match(recording.text(), /^from the host\n\d{10}\.\d+\n0\.\d+\n$/);
    const player = openRecording(new Uint8Array(Buffer.concat(pieces)));
    const replayed = collector();
    player.end(run(start(module, replayAbi(player, { stdout: replayed.write }), "compiled")));
    t.equal(replayed.text(), recording.text());
    t.end();
  });

  t.test("[CLI-UNKNOWN-3, CLI-LIBRARY-1] what reaches for JavaScript traps, and what does not runs", (t) => {
    const { ruby } = goOn(module, snapshot, createAbi(given), "compiled");
    t.equal(ruby.inspect("require 'js'"), "true");
    const trap = { code: TrapCode.UnknownImport, message: /"rb-js-abi-host" "eval-js: func/ };
    t.throws(() => ruby.inspect("JS.eval('1')"), trap);
    const invoke = { name: "ruby-show-version: func() -> ()" };
    const shownVersion = runGuest({ module, invoke, unknownImports: "trap" });
    t.match(shownVersion, { outcome: "exit", exitCode: 0 });
    t.match(Buffer.from(shownVersion.stdout).toString(), /^ruby 4\.0\.0 .*\[wasm32-wasi\]\n$/);
    t.match(runGuest({ module, invoke }), { outcome: "error", error: { code: "VM-LINK" } });
    t.match(runGuest({ module, unknownImports: "trap" }), { outcome: "error", error: { code: "CLI-ENTRY" } });
    t.end();
  });

  t.test("how it ends", (t) => {
    const { ruby } = goOn(module, snapshot, createAbi(given), "compiled");
    let thrown: unknown;
    try {
      ruby.eval("exit!(7)");
    } catch (error) {
      thrown = error;
    }
    t.ok(thrown instanceof Exit && thrown.exitCode === 7);
    t.end();
  });
});
