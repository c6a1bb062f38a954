import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import t from "tap";

const bundle = readFileSync(new URL("../../dist/ashlar.browser.js", import.meta.url), "utf8");

/** `(func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)` */
const ADD = [
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  [0x01, 0x07, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f],
  [0x03, 0x02, 0x01, 0x00],
  [0x07, 0x07, 0x01, 0x03, 0x61, 0x64, 0x64, 0x00, 0x00],
  [0x0a, 0x09, 0x01, 0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0x6a, 0x0b],
].flat();

t.test("the browser bundle decodes and runs a guest with nothing but the language's own globals", async (t) => {
  const context = createContext({});
  // V8 gives every context a console of its own.
  runInContext("delete globalThis.console", context);
  const absent = ["process", "Buffer", "require", "URL", "TextDecoder", "console", "window", "setTimeout", "crypto"];
  t.equal(
    runInContext(`[${absent.map((name) => `typeof ${name}`)}].join()`, context),
    absent.map(() => "undefined").join(),
  );

  runInContext(bundle, context, { filename: "ashlar.browser.js" });
  const results = runInContext(
    `ashlar.Module.decode(Uint8Array.of(${ADD})).instantiate({ engine: "reference" }).invoke("add", [2, 3])`,
    context,
  );
  t.strictSame(Array.from(await results), [5]);
});
