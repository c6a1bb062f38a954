/** Tells the size of each file that it is given. */
import * as ashlar from "./ashlar/ashlar";

function main(): void {
  const paths = ashlar.args();
  if (paths.length == 0) ashlar.print("Hello from a guest! Give it paths of files.");
  let failed = false;
  for (let k = 0; k < paths.length; k++) {
    const bytes = ashlar.readFile(paths[k]);
    if (bytes != null) {
      ashlar.print(`${paths[k]}: ${bytes.length} bytes`);
    } else {
      ashlar.printError(`${paths[k]}: ${ashlar.statusName(ashlar.lastStatus)}`);
      failed = true;
    }
  }
  if (failed) ashlar.exit(1);
}

main();
