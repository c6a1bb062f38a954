/** `ashlar version`. */
import { readFileSync } from "node:fs";
import { ABI_VERSION } from "../../syscalls/table.ts";
import { FUEL_SCHEDULE } from "../../vm/fuel.ts";
import type { Arguments } from "./arguments.ts";
import { ExitCode } from "./failure.ts";
import { print } from "./terminal.ts";

/** Version of the package: of the nearest manifest above this file, whether it runs from the sources or from `dist`. */
function packageVersion(): string {
  for (let up = ".."; ; up += "/..") {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(`${up}/package.json`, import.meta.url), "utf8"));
      if (name === "ashlar") return version;
    } catch (error) {
      if (up.length > 30) throw error;
    }
  }
}

export async function version(args: Arguments): Promise<number> {
  const versions = {
    ashlar: packageVersion(),
    abi: ABI_VERSION,
    fuelSchedule: FUEL_SCHEDULE,
    node: process.versions.node,
  };
  if (args.options.has("json")) print(`${JSON.stringify({ schema: "ashlar.version/1", ...versions })}\n`);
  else
    print(
      `ashlar ${versions.ashlar} (ABI ${versions.abi}, fuel schedule ${versions.fuelSchedule}, Node.js ${versions.node})\n`,
    );
  return ExitCode.OK;
}
