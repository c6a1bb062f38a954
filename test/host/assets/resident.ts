/**
 * How a process grows while it reads a pack: `node resident.ts FILE first|never STRIDE` reads every STRIDE-th piece of each asset, and
 * prints JSON. A process of its own, since what ran before hides growth.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openPack } from "../../../host/assets/index.ts";

export interface Resident {
  readonly seconds: number;
  /** By which the process grew at most. */
  readonly grownBytes: number;
  readonly readBytes: number;
  /** Whether each asset began with what a sparse pack's begins with. */
  readonly isRight: boolean;
}

const PIECE_BYTES = 65_536;

/** Measures in a process of its own. */
export async function residentOf(path: string, verify: "first" | "never", stride = 1): Promise<Resident> {
  const script = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, ["--no-warnings", script, path, verify, `${stride}`]);
  return JSON.parse(stdout) as Resident;
}

function measure(path: string, verify: "first" | "never", stride: number): Resident {
  const start = performance.now();
  const before = process.memoryUsage.rss();
  let most = before;
  let readBytes = 0;
  let isRight = true;
  const pack = openPack(path, { verify });
  const piece = new Uint8Array(PIECE_BYTES);
  for (const asset of pack.assets()) {
    const opened = asset.open();
    for (let at = 0; at < asset.decodedSize; at += stride * PIECE_BYTES) {
      readBytes += opened.read(at, piece);
      if (at === 0) isRight &&= Buffer.from(piece).toString("latin1").startsWith(`asset ${asset.id}\0`);
      if (at % (256 * PIECE_BYTES) === 0) most = Math.max(most, process.memoryUsage.rss());
    }
    opened.close();
  }
  most = Math.max(most, process.memoryUsage.rss());
  pack.close();
  return { seconds: (performance.now() - start) / 1000, grownBytes: most - before, readBytes, isRight };
}

if (import.meta.main) {
  const [path, verify, stride] = process.argv.slice(2);
  console.log(JSON.stringify(measure(path!, verify === "never" ? "never" : "first", Number(stride))));
}
