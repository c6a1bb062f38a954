/** Ruby with its library, 32 MB, at work for longer: as on `node:wasi`, and the same fuel and state on both engines. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { useHostSha256 } from "../../host/digest.ts";
import { directoryFileSystem } from "../../host/fs/directory.ts";
import type { FileSystem } from "../../host/fs/file-system.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import type { Engine } from "../../vm/execution.ts";
import { Instance } from "../../vm/instance.ts";
import { Module } from "../../vm/module.ts";
import { Trap } from "../../vm/trap.ts";
import {
  ashlarMachine,
  Handles,
  nodeMachine,
  Ruby,
  type RubyMachine,
  readRuby,
  rubyImports,
  rubyPath,
} from "../programs/ruby/ruby.ts";

const FILE = "ruby+stdlib.wasm";
const skip = rubyPath(FILE) === undefined && process.env.CI !== "true" && "npm ci in test/programs/ruby";
const scratch = mkdtempSync(join(tmpdir(), "ashlar-ruby-"));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
useHostSha256();

const TASKS: readonly (readonly [code: string, shown: string])[] = [
  [
    `require "json"; JSON.generate(JSON.parse('{"a": [1, 2.5, null, "ü\\u00e9"]}'))`,
    `"{\\"a\\":[1,2.5,null,\\"üé\\"]}"`,
  ],
  ['require "erb"; ERB.new("<% 3.times do |k| %><%= k %>,<% end %>").result', '"0,1,2,"'],
  ['require "digest"; Digest::SHA256.hexdigest("abc")[..15]', '"ba7816bf8f01cfea"'],
  ['require "zlib"; z = Zlib.gzip("text " * 20_000, level: 9); [z.size < 1000, Zlib.gunzip(z).size]', "[true, 100000]"],
  ['require "yaml"; YAML.load(YAML.dump({ "a" => [1, "x", nil] }))', '{"a" => [1, "x", nil]}'],
  ['require "date"; (Date.new(2024, 1, 31) >> 1).to_s', '"2024-02-29"'],
  ['require "time"; Time.parse("2026-01-01T00:00:00Z").iso8601', '"2026-01-01T00:00:00Z"'],
  ['require "prism"; Prism.parse("1 + 1").value.class', "Prism::ProgramNode"],
  ['require "tempfile"; Tempfile.create("x", "/work") { |f| f.write("hi"); f.flush; File.size(f.path) }', "2"],
  [
    'require "fileutils"; FileUtils.mkdir_p("/work/a/b"); FileUtils.touch("/work/a/b/f"); FileUtils.cp_r("/work/a", "/work/z"); FileUtils.rm_rf("/work/a"); Dir.glob("/work/**/*").sort',
    '["/work/z", "/work/z/b", "/work/z/b/f"]',
  ],
  [
    'Dir.mkdir("/work/m"); 300.times { |k| File.write("/work/m/file-with-a-long-name-#{k}", k.to_s) }; Dir.children("/work/m").sum { File.read("/work/m/#{_1}").to_i }',
    "44850",
  ],
  [
    'File.write("/work/big", "x" * 3_000_000); File.open("/work/big") { |f| n = 0; while (s = f.read(65_537)) do n += s.sum end; n }',
    "10752",
  ],
  [
    'File.open("/work/big", "r+b") { |f| f.seek(5_000_000); f.write("end") }; File.binread("/work/big", 4, 4_999_999)',
    '"\\x00end"',
  ],
  [
    'File.symlink("loop", "/work/loop"); begin; File.read("/work/loop"); rescue SystemCallError; $!.class; end',
    "Errno::ELOOP",
  ],
  ['File.write("/work/lib.rb", "LIB = __FILE__"); require "/work/lib"; LIB', '"/work/lib.rb"'],
  ["def fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2); fib(18)", "2584"],
  ["r = Random.new(1); Array.new(5_000) { r.rand(1000) }.tally.max_by { |k, n| [n, k] }.size", "2"],
  ["(1..800).inject(:*).digits.sum", "7929"],
  ["('ab1c' * 2_000).scan(/[a-c]+\\d/).tally", '{"ab1" => 1, "cab1" => 1999}'],
];

function booted(machine: RubyMachine, handles: Handles): Ruby {
  const ruby = new Ruby(machine, handles);
  ruby.boot();
  return ruby;
}

t.test("Ruby's library", { skip, timeout: 600_000 }, (t) => {
  const bytes = readRuby(FILE);
  const module = Module.decode(bytes);
  const start = (fs: FileSystem, engine: Engine): { readonly ruby: Ruby; readonly instance: Instance } => {
    const handles = new Handles();
    const abi = createAbi({ name: "ruby.wasm", mounts: [{ guest: "/work", fs }] });
    const instance = module.instantiate({ ...abi, imports: rubyImports(module, abi.imports, handles), engine });
    return { ruby: booted(ashlarMachine(instance), handles), instance };
  };
  const [real, other] = ["ashlar", "node"].map((name) => join(scratch, name)) as [string, string];
  mkdirSync(real);
  mkdirSync(other);
  const handles = new Handles();
  const wasi = new WASI({ version: "preview1", args: ["ruby.wasm"], env: {}, preopens: { "/work": other } });
  const node = booted(nodeMachine(new WebAssembly.Module(bytes), wasi, handles), handles);
  const compiled = start(new MemoryFileSystem(), "compiled");
  const reference = start(new MemoryFileSystem(), "reference");
  const { ruby: onDisk } = start(directoryFileSystem(real), "compiled");
  for (const [code, text] of TASKS) {
    t.equal(node.inspect(code), text, `${code} on node:wasi`);
    t.equal(onDisk.inspect(code), text, `${code} on a folder`);
    t.equal(compiled.ruby.inspect(code), text, `${code} in memory`);
    t.equal(reference.ruby.inspect(code), text, `${code} on the reference engine`);
    t.equal(reference.instance.fuelUsed, compiled.instance.fuelUsed, `fuel of ${code}`);
  }
  t.equal(reference.instance.stateDigest(), compiled.instance.stateDigest());
  t.end();
});

const WORK = `x = (1..400).inject(:*)
  File.open("/work/f", "w") { |f| 40.times { |k| f.puts(k); f.flush } }
  [File.read("/work/f").lines.size, x.digits.sum, Time.now.nsec]`;
/** Fuel from pause to pause. */
const STEP = 500_000n;

t.test("[VM-FUEL-6, VM-SNAPSHOT-3] Ruby moves from store to store in the middle of its work", { skip }, (t) => {
  const module = Module.decode(readRuby());
  const abiOf = () => createAbi({ mounts: [{ guest: "/work", fs: new MemoryFileSystem() }] });
  const first = abiOf();
  const handles = new Handles();
  const imports = rubyImports(module, first.imports, handles);
  const compiled = module.instantiate({ ...first, imports, engine: "compiled" });
  const ruby = booted(ashlarMachine(compiled), handles);
  const restored = (snapshot: Uint8Array, fuel?: bigint): Instance => {
    const abi = abiOf();
    const given = { ...abi, imports: rubyImports(module, abi.imports, handles), engine: "reference" } as const;
    return Instance.restore(module, snapshot, fuel === undefined ? given : { ...given, fuel });
  };
  let instance = restored(compiled.snapshot(), compiled.fuelUsed + STEP);
  const expected = [ruby.inspect(WORK), compiled.fuelUsed, compiled.stateDigest()];
  t.match(expected[0], /^\[40, 3402, \d+\]$/);
  let pauses = 0;
  const call = (name: string, ...words: number[]): number => {
    let go = () => instance.invoke(name, words);
    for (;;)
      try {
        return (go()[0] ?? 0) as number;
      } catch (error) {
        if (!(error instanceof Trap && error.resumable)) throw error;
        if (pauses++ % 3 === 1) instance = restored(instance.snapshot());
        go = () => instance.resume(STEP);
      }
  };
  const moving = new Ruby({ call, memory: () => instance.memory("memory").bytes }, handles);
  t.strictSame([moving.inspect(WORK), instance.fuelUsed, instance.stateDigest()], expected);
  t.ok(pauses > 6, `${pauses} pauses`);
  t.end();
});
