/** Artifacts that a line names: by their keys, by the first digits of them, by what is bound to them. */
import { ALGORITHMS, type ArtifactKey, Namespace, nameOf, packName, type View } from "../../asl/index.ts";
import { CommandError, ExitCode } from "../failure.ts";

/** Fewest digits of an abbreviated key. */
const FEWEST_DIGITS = 8;
const ALL_DIGITS = 64;
/** Most keys that are shown of those that begin alike. */
const MOST_SHOWN = 5;

/** The key that the word stands for, whether there is such an artifact or not. Throws CLI-KEY, or an AslError. */
export function keyNamed(view: View, word: string): ArtifactKey {
  if (word.startsWith("mi2:")) return bound(view, word, Namespace.PACK, packName(word));
  const colon = word.indexOf(":");
  const digits = word.slice(colon + 1);
  if (colon < 0) {
    if (/^[0-9a-f]{8,}$/i.test(word)) return abbreviated(view, word, undefined, digits);
    return bound(view, word, Namespace.NAME, nameOf(word));
  }
  const algorithm = word.slice(0, colon);
  if (!ALGORITHMS.some(({ name }) => name === algorithm)) {
    const known = ALGORITHMS.map(({ name }) => `${name}:`).join(", ");
    throw noKey(`${quote(word)} is no key: one begins with ${known} or is the identity of a pack, mi2:…`);
  }
  if (!/^[0-9a-f]*$/i.test(digits))
    throw noKey(`${quote(word)} is no key: ${algorithm}: and hexadecimal digits were expected`);
  if (digits.length === ALL_DIGITS) return `${algorithm}:${digits.toLowerCase()}` as ArtifactKey;
  if (digits.length < FEWEST_DIGITS)
    throw noKey(`${quote(word)} has ${digits.length} digits; abbreviated keys have at least ${FEWEST_DIGITS}`);
  return abbreviated(view, word, algorithm, digits);
}

/** The one key with this beginning. */
function abbreviated(view: View, word: string, algorithm: string | undefined, text: string): ArtifactKey {
  const digits = text.toLowerCase();
  if (digits.length > ALL_DIGITS) throw noKey(`${quote(word)} has ${digits.length} digits; keys have ${ALL_DIGITS}`);
  const found: ArtifactKey[] = [];
  for (const { key } of view.list({ prefix: digits })) {
    if (algorithm !== undefined && !key.startsWith(`${algorithm}:`)) continue;
    found.push(key);
    if (found.length > MOST_SHOWN) break;
  }
  const [first, second] = found;
  if (first === undefined) throw notFound(`there is no artifact whose key begins with ${word}`);
  if (second === undefined) return first;
  const shown = found.slice(0, MOST_SHOWN);
  const more = found.length > shown.length ? ", and more" : "";
  throw noKey(`${quote(word)} is ambiguous: ${shown.join(", ")}${more}`);
}

function bound(view: View, word: string, namespace: number, name: Uint8Array): ArtifactKey {
  const key = view.resolve(namespace, name);
  if (key !== undefined) return key;
  throw notFound(`nothing is bound to ${quote(word)}`);
}

function noKey(message: string): CommandError {
  return new CommandError("CLI-KEY", ExitCode.FAILURE, message, "`ashlar store ls DIR` lists keys, `bindings` names.");
}

/** Not an AslError: those of the library have no hint of a command. */
export function notFound(message: string): CommandError {
  return new CommandError("ASL-NOT-FOUND", ExitCode.FAILURE, message);
}

function quote(word: string): string {
  return JSON.stringify(word.length > 100 ? `${word.slice(0, 100)}…` : word);
}

/** The keys that the words stand for, each once. Throws ASL-NOT-FOUND when there is no such artifact. */
export function keysThere(view: View, words: readonly string[]): readonly ArtifactKey[] {
  const keys = words.map((word) => {
    const key = keyNamed(view, word);
    if (!view.has(key)) throw notFound(`there is no artifact ${key}`);
    return key;
  });
  return [...new Set(keys)];
}
