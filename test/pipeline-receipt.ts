/** Prints the receipt of `examples/pipeline` on each engine, and the digest of its picture: what every version of Node.js must tell alike. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Store } from "ashlar/store";
import { runPipeline } from "../examples/pipeline/pipeline.ts";
import { ENGINES } from "./vm/compare.ts";

const texts = fileURLToPath(new URL("../examples/wordfreq/data/texts", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "ashlar-receipt-"));
try {
  for (const engine of ENGINES) {
    const store = await Store.open(join(scratch, engine), { create: true });
    const { result, picture } = await runPipeline(store, texts, { engine });
    await store.close();
    console.log(result.claim, result.executed, createHash("sha256").update(picture!).digest("hex"));
  }
} finally {
  rmSync(scratch, { recursive: true });
}
