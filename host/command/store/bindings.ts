/** `ashlar store bind`, `resolve`, `unbind` and `bindings`. */
import { FIRST_FREE, Namespace, nameOf, nameText, packName } from "../../asl/index.ts";
import { hex } from "../../assets/hash.ts";
import type { Arguments } from "../arguments.ts";
import { usageError } from "../failure.ts";
import { parseCount } from "../quantities.ts";
import { answer, jsonLine } from "./answer.ts";
import { keysThere, notFound } from "./keys.ts";
import { printLines } from "./lines.ts";
import { viewOf, withStore } from "./stores.ts";

const MOST_NAMESPACE = 2n ** 32n - 1n;

interface Name {
  readonly namespace: number;
  readonly name: Uint8Array;
}

/** Throws a usage error, or ASL-ARGUMENT. */
function nameIn({ positionals, options }: Arguments, allowsPacks: boolean): Name {
  const word = positionals[1]!;
  const text = options.get("namespace")?.[0];
  if (text !== undefined) {
    const namespace = Number(parseCount("namespace", text, MOST_NAMESPACE));
    if (namespace < FIRST_FREE)
      throw usageError(`--namespace takes a number from ${FIRST_FREE} on; lower ones are the store's own.`);
    if (!/^[0-9a-f]{64}$/i.test(word))
      throw usageError(`A name of namespace ${namespace} has 64 hexadecimal digits; ${JSON.stringify(word)} has not.`);
    return { namespace, name: Buffer.from(word, "hex") };
  }
  if (allowsPacks && word.startsWith("mi2:")) return { namespace: Namespace.PACK, name: packName(word) };
  return { namespace: Namespace.NAME, name: nameOf(word) };
}

export async function bind(args: Arguments): Promise<number> {
  const [, word, key] = args.positionals as readonly [string, string, string];
  return answer("bind", args, () => {
    const { namespace, name } = nameIn(args, false);
    return withStore(args, "write", async (store) => {
      const [bound] = keysThere(store.view(), [key]);
      await store.bind(namespace, name, bound!);
      return { data: { namespace, name: word, key: bound }, text: () => `${bound}\n` };
    });
  });
}

export async function resolve(args: Arguments): Promise<number> {
  const word = args.positionals[1]!;
  return answer("resolve", args, () => {
    const { namespace, name } = nameIn(args, true);
    return withStore(args, "read", (store) => {
      const key = viewOf(store, args).resolve(namespace, name);
      if (key === undefined) throw notFound(`nothing is bound to ${JSON.stringify(word)}`);
      return { data: { namespace, name: word, key }, text: () => `${key}\n` };
    });
  });
}

export async function unbind(args: Arguments): Promise<number> {
  const word = args.positionals[1]!;
  return answer("unbind", args, () => {
    const { namespace, name } = nameIn(args, true);
    return withStore(args, "write", async (store) => {
      const key = store.resolve(namespace, name);
      if (key === undefined) throw notFound(`nothing is bound to ${JSON.stringify(word)}`);
      await store.unbind(namespace, name);
      return { data: { namespace, name: word, key }, text: () => "" };
    });
  });
}

export async function bindings(args: Arguments): Promise<number> {
  const isJson = args.options.has("json");
  return answer("bindings", args, () =>
    withStore(args, "read", (store) => {
      const lines = function* (): Generator<string> {
        for (const { namespace, name, key } of viewOf(store, args).bindings()) {
          const text = namespace === Namespace.NAME ? nameText(name) : undefined;
          if (isJson) yield jsonLine("bindings", { namespace, name: text ?? hex(name), key });
          else yield `${key}  ${text ?? `${namespace} ${hex(name)}`}\n`;
        }
      };
      printLines(lines());
      return undefined;
    }),
  );
}
