/** `ashlar store log`. */
import { keyText, type LogRecord, Namespace, nameText } from "../../asl/index.ts";
import { hex } from "../../assets/hash.ts";
import type { Arguments } from "../arguments.ts";
import { parseCount } from "../quantities.ts";
import { plain } from "../terminal.ts";
import { answer, jsonLine } from "./answer.ts";
import { printLines } from "./lines.ts";
import { withStore } from "./stores.ts";

const MOST_COUNT = 2n ** 53n - 1n;

export async function log(args: Arguments): Promise<number> {
  const { options } = args;
  const isJson = options.has("json");
  const count = (name: string): number | undefined => {
    const text = options.get(name)?.[0];
    return text === undefined ? undefined : Number(parseCount(name, text, MOST_COUNT));
  };
  const from = count("from") ?? 0;
  const limit = count("limit") ?? Number.POSITIVE_INFINITY;
  return answer("log", args, () =>
    withStore(args, "read", (store) => {
      const lines = function* (): Generator<string> {
        let left = limit;
        if (left === 0) return;
        for (const record of store.log({ from })) {
          yield isJson ? jsonLine("log", dataOf(record)) : textOf(record);
          if (--left === 0) return;
        }
      };
      printLines(lines());
      return undefined;
    }),
  );
}

/** What an entry is about, in the words of the command: keys as text, names as they are given. */
function factsOf({ payload }: LogRecord): { readonly [name: string]: string | number | readonly string[] | null } {
  switch (payload.kind) {
    case "put":
    case "publish": {
      const { algorithm, digest, typeTag, length } = payload;
      return { key: keyText(algorithm, digest), length, typeTag: typeTag ?? null };
    }
    case "tombstone":
      return { key: keyText(payload.algorithm, payload.digest) };
    case "binding": {
      const { namespace, name, algorithm, digest } = payload;
      const text = namespace === Namespace.NAME ? nameText(name) : undefined;
      return { namespace, name: text ?? hex(name), key: digest === undefined ? null : keyText(algorithm, digest) };
    }
    case "pin":
      return { label: payload.label, key: keyText(payload.algorithm, payload.digest) };
    case "snapshot":
      return { name: payload.name };
    case "drop":
      return { what: payload.what, name: payload.name };
    case "domain":
      return { index: payload.index, id: hex(payload.id) };
    case "references": {
      const { algorithm, digest, references } = payload;
      return {
        key: keyText(algorithm, digest),
        references: references.map((reference) => keyText(algorithm, reference)),
      };
    }
    case "lost":
      return {};
    default:
      return { number: payload.number };
  }
}

function dataOf(record: LogRecord): object {
  const { position, logseq, kind, hash } = record;
  const numbers = { position: Number(position), logseq: logseq === undefined ? null : Number(logseq) };
  return { ...numbers, kind, ...factsOf(record), hash: hex(hash) };
}

function textOf(record: LogRecord): string {
  const { position, logseq, kind } = record;
  const facts = Object.entries(factsOf(record)).flatMap(([name, value]) =>
    value === null ? [] : [name === "key" ? String(value) : `${name} ${plain(String(value))}`],
  );
  const cells = [String(position).padStart(8), String(logseq ?? "-").padStart(8), kind.padEnd(10), ...facts];
  return `${cells.join("  ")}\n`;
}
