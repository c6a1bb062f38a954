/** Guest modules (spec TOOL-MODULE-1). */
import { hex } from "../../host/assets/hash.ts";
import { decode } from "../../vm/bytecode/decode.ts";
import { validate } from "../../vm/bytecode/validate.ts";
import { AshlarError } from "../../vm/errors.ts";
import { DEFAULT_LIMITS } from "../../vm/limits.ts";
import type { Importer } from "../importer.ts";
import { Settings } from "./settings.ts";
import { wrongSource } from "./source-view.ts";

export const module: Importer = {
  name: "module",
  version: 1,
  bankTypes: ["module"],
  matches: (path) => /\.wasm$/i.test(path),
  import(source, settings) {
    const known = new Settings(settings);
    const isValidated = known.boolean("validate") ?? true;
    known.end();
    const { bytes } = source;
    if (bytes.length < 8 || hex(bytes.subarray(0, 8)) !== "0061736d01000000")
      throw wrongSource(source, "it does not begin as a WebAssembly module does", 0);
    if (isValidated) {
      try {
        validate(decode(bytes, DEFAULT_LIMITS), DEFAULT_LIMITS);
      } catch (error) {
        if (!(error instanceof AshlarError)) throw error;
        throw wrongSource(source, `it is no module that Ashlar can run: ${error.message}`);
      }
    }
    return [{ suffix: "", bankType: "module", bytes, metadata: {} }];
  },
};
