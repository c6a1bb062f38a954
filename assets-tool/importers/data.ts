/** Any file as it is (spec TOOL-DATA-1). */
import type { Importer } from "../importer.ts";
import { Settings } from "./settings.ts";

export const data: Importer = {
  name: "data",
  version: 1,
  bankTypes: ["data"],
  verbatim: true,
  matches: () => true,
  import(source, settings) {
    new Settings(settings).end();
    return [{ suffix: "", bankType: "data", bytes: source.bytes, metadata: {} }];
  },
};
