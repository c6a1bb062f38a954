/** Entry of the `assets-tool` command: `ashlar assets` under a name of its own. As of `ashlar`, it loads on any Node.js. */
import { VERSION } from "./command.ts";
import { checkNode } from "./node-version.ts";
import { main } from "./program.ts";

if (checkNode("assets-tool")) {
  const { assetsProgram } = await import("./assets/verbs.ts");
  const { commands, ...program } = assetsProgram("assets-tool");
  process.exitCode = await main({ ...program, commands: [...commands, VERSION] }, process.argv.slice(2), undefined);
}
