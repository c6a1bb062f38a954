/** `ashlar version`. */
import { ABI_VERSION } from "../../syscalls/table.ts";
import { FUEL_SCHEDULE } from "../../vm/fuel.ts";
import type { Arguments } from "./arguments.ts";
import { ExitCode } from "./failure.ts";
import { packageRoot } from "./package.ts";
import { print } from "./terminal.ts";

export async function version(args: Arguments): Promise<number> {
  const versions = {
    ashlar: packageRoot().version,
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
