/** Which Node.js the commands run on (spec CLI-NODE-1). */

const OLDEST = 22;

/** Says so and sets the exit code when this one is too old. */
export function checkNode(program: string): boolean {
  if (Number.parseInt(process.versions.node, 10) >= OLDEST) return true;
  console.error(
    `${program} needs Node.js ${OLDEST} or newer, and this is ${process.versions.node} (${process.execPath}).`,
  );
  process.exitCode = 1;
  return false;
}
