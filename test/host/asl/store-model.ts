/** What a store should hold, kept in the plainest way; and what one holds, asked of it: both as texts that can be compared. */
import { createHash } from "node:crypto";
import type { LogRecord, Store } from "../../../host/asl/store.ts";
import type { View } from "../../../host/asl/view.ts";

/** A record of an artifact: its tag, if it has one, and its visibility. */
type RecordName = `${string} ${"internal" | "published"}`;

/** What can be seen at a position: records by key, keys by binding. */
class Seen {
  readonly records: Map<string, Set<RecordName>> = new Map();
  readonly bindings: Map<string, string> = new Map();

  text(): string {
    const records = [...this.records]
      .filter(([, names]) => names.size > 0)
      .map(([key, names]) => `${key} ${[...names].sort().join()}`);
    const bindings = [...this.bindings].map(([name, key]) => `${name}=${key}`);
    return [...records.sort(), ...bindings.sort()].join("\n");
  }
}

function recordName(typeTag: number | undefined, visibility: string): RecordName {
  return `${typeTag ?? "-"} ${visibility}` as RecordName;
}

function bindingName(namespace: number, name: Uint8Array): string {
  return `${namespace}:${Buffer.from(name).toString("hex")}`;
}

export function keyOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function textOf(seen: string, snapshots: ReadonlyMap<string, string>, pins: ReadonlyMap<string, string>): string {
  const parts = [seen];
  for (const [name, content] of [...snapshots].sort()) parts.push(`snapshot ${name}\n${content}`);
  for (const [label, key] of [...pins].sort()) parts.push(`pin ${label} ${key}`);
  return parts.join("\n\n");
}

/** A store that is told what is done to it. */
export class StoreModel {
  #seen = new Seen();
  readonly snapshots: Map<string, string> = new Map();
  readonly pins: Map<string, string> = new Map();
  /** Every artifact that was ever put. */
  readonly contents: Map<string, Uint8Array>;

  constructor(contents: Map<string, Uint8Array> = new Map()) {
    this.contents = contents;
  }
  get keys(): string[] {
    return [...this.#seen.records].filter(([, names]) => names.size > 0).map(([key]) => key);
  }
  get bindings(): readonly string[] {
    return [...this.#seen.bindings.keys()];
  }
  put(key: string, typeTag: number | undefined, visibility: string): void {
    const names = this.#seen.records.get(key) ?? new Set();
    this.#seen.records.set(key, names.add(recordName(typeTag, visibility)));
  }
  remove(key: string): void {
    this.#seen.records.delete(key);
  }
  publish(key: string): void {
    for (const name of this.#seen.records.get(key) ?? [])
      this.#seen.records.get(key)!.add(name.replace("internal", "published") as RecordName);
  }
  bind(namespace: number, name: Uint8Array, key: string | undefined): void {
    if (key === undefined) this.#seen.bindings.delete(bindingName(namespace, name));
    else this.#seen.bindings.set(bindingName(namespace, name), key);
  }
  snapshot(name: string): void {
    this.snapshots.set(name, this.#seen.text());
  }
  text(): string {
    return textOf(this.#seen.text(), this.snapshots, this.pins);
  }
  /** What a store holds, taken as it is. */
  static of(store: Store, contents?: ReadonlyMap<string, Uint8Array>): StoreModel {
    const model = new StoreModel(new Map(contents));
    const take = (view: View | Store): Seen => {
      const seen = new Seen();
      for (const { key, records } of view.list()) {
        seen.records.set(key, new Set(records.map(({ typeTag, visibility }) => recordName(typeTag, visibility))));
        model.contents.set(key, view.get(key)!);
      }
      for (const { namespace, name, key } of view.bindings()) seen.bindings.set(bindingName(namespace, name), key);
      return seen;
    };
    for (const { name } of store.snapshots()) model.snapshots.set(name, take(store.at(name)).text());
    for (const { label, key } of store.pins()) model.pins.set(label, key);
    model.#seen = take(store);
    return model;
  }
}

/** What a store holds, in the words of the model. Throws if bytes are not those of their keys, or if two ways of asking differ. */
export function observe(store: Store, contents: ReadonlyMap<string, Uint8Array>): string {
  const view = (at: View | Store, isWhole: boolean): string => {
    const seen = new Seen();
    for (const { key, length, records } of at.list()) {
      seen.records.set(key, new Set(records.map(({ typeTag, visibility }) => recordName(typeTag, visibility))));
      const expected = contents.get(key);
      if (expected === undefined) throw new Error(`${key} was never put`);
      if (!isWhole) continue;
      const bytes = at.get(key);
      if (bytes === undefined) throw new Error(`${key} is in the list and has no bytes`);
      if (length !== expected.length || Buffer.compare(bytes, expected) !== 0)
        throw new Error(`${key} has other bytes`);
      if (!at.has(key)) throw new Error(`${key} is in the list and cannot be found`);
    }
    // What is not in the list is not found either.
    for (const key of contents.keys())
      if (at.has(key) !== seen.records.has(key)) throw new Error(`has and list differ on ${key}`);
    for (const { namespace, name, key } of at.bindings()) {
      seen.bindings.set(bindingName(namespace, name), key);
      if (at.resolve(namespace, name) !== key) throw new Error("resolve and bindings differ");
    }
    return seen.text();
  };
  const snapshots = new Map<string, string>();
  for (const { name } of store.snapshots()) snapshots.set(name, view(store.at(name), true));
  const pins = new Map<string, string>();
  for (const { label, key } of store.pins()) pins.set(label, key);
  return textOf(view(store, true), snapshots, pins);
}

/** The log as texts, one an entry. */
export function logOf(store: Store): string[] {
  const texts: string[] = [];
  for (const record of store.log()) texts.push(logText(record));
  return texts;
}

function logText({ position, hash, payload }: LogRecord): string {
  const fields = Object.entries(payload).map(
    ([name, value]) => `${name}=${value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value)}`,
  );
  return `${position} ${Buffer.from(hash).toString("hex", 0, 8)} ${fields.join(" ")}`;
}

/** What follows from the log alone, entry by entry from the first one. */
export function replay(store: Store): string {
  const model = new StoreModel();
  for (const { payload, visibility } of store.log()) {
    switch (payload.kind) {
      case "put":
      case "publish":
        model.put(keyFrom(payload.digest), payload.typeTag, visibility);
        break;
      case "tombstone":
        model.remove(keyFrom(payload.digest));
        break;
      case "binding":
        model.bind(payload.namespace, payload.name, payload.digest && keyFrom(payload.digest));
        break;
      case "pin":
        model.pins.set(payload.label, keyFrom(payload.digest));
        break;
      case "snapshot":
        model.snapshot(payload.name);
        break;
      case "drop":
        (payload.what === "pin" ? model.pins : model.snapshots).delete(payload.name);
        break;
      default:
    }
  }
  return model.text();
}

function keyFrom(digest: Uint8Array): string {
  return `sha256:${Buffer.from(digest).toString("hex")}`;
}
