/** All importers. A source without a rule of its own goes to the first that takes its path, so `data` is the last (spec TOOL-IMPORT-1). */
import type { Importer } from "../importer.ts";
import { bdf } from "./bdf.ts";
import { data } from "./data.ts";
import { json } from "./json.ts";
import { module } from "./module.ts";
import { png } from "./png.ts";
import { text } from "./text.ts";
import { truetype } from "./truetype.ts";
import { wav } from "./wav.ts";

export const IMPORTERS: readonly Importer[] = [png, wav, bdf, truetype, json, text, module, data];
