/**
 * As a program: boots Ruby, does a few things in it and prints as JSON what came of them, with fuel and the digest of the
 * state. `node digests.ts compiled|reference`.
 */
import { createAbi } from "../../../host/abi.ts";
import { useHostSha256 } from "../../../host/digest.ts";
import { MemoryFileSystem } from "../../../host/fs/memory.ts";
import type { Engine } from "../../../vm/execution.ts";
import { Module } from "../../../vm/module.ts";
import { ashlarMachine, Handles, Ruby, readRuby, rubyImports } from "./ruby.ts";

const TASKS: readonly string[] = [
  "[2**100, 'Grüße'.upcase, [1.5, 0.1].sum.to_s, rand(1 << 60), Time.now.nsec]",
  "File.write('/work/a', (1..500).map { |k| Math.sin(k).to_s }.join(' ')); Dir.glob('/work/*')",
  "File.read('/work/a').split.map(&:to_f).sort.last(3)",
  "h = Hash.new(0); 5_000.times { |k| h[k * k % 97] += 1 }; h.sort.first(5)",
  "begin; deep = ->(n) { deep.(n + 1) }; deep.(0); rescue SystemStackError; $!.message; end",
];

const engine = process.argv[2] as Engine;
useHostSha256();
const module = Module.decode(readRuby());
const handles = new Handles();
const abi = createAbi({ mounts: [{ guest: "/work", fs: new MemoryFileSystem() }] });
const instance = module.instantiate({ ...abi, imports: rubyImports(module, abi.imports, handles), engine });
const ruby = new Ruby(ashlarMachine(instance), handles);
ruby.boot();
const booted = String(instance.fuelUsed);
const shown = TASKS.map((code) => [ruby.inspect(code), String(instance.fuelUsed)]);
const ending = { engine: instance.store.engine, booted, shown, stateDigest: instance.stateDigest() };
process.stdout.write(JSON.stringify(ending));
