/** Which Node.js the commands run on (spec CLI-NODE-1). */

/** The first that has `process.getBuiltinModule`. */
const OLDEST = "22.3";

/** Says so and sets the exit code when this one is too old. */
export function checkNode(program: string): boolean {
  const [major, minor] = process.versions.node.split(".").map(Number) as [number, number];
  const [leastMajor, leastMinor] = OLDEST.split(".").map(Number) as [number, number];
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return true;
  console.error(
    `${program} needs Node.js ${OLDEST} or newer, and this is ${process.versions.node} (${process.execPath}).`,
  );
  process.exitCode = 1;
  return false;
}
