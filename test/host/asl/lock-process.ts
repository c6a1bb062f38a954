/** A process that takes a lock: `node lock-process.ts FOLDER [waitMs]`. It says what it has, and goes on until something is said to it. */
import { folderVolume } from "../../../host/asl/folder-volume.ts";
import { waitForLockSync } from "../../../host/asl/lock.ts";
import { processOwners } from "../../../host/asl/owner.ts";

const [folder, waitMs] = process.argv.slice(2);
try {
  const lock = waitForLockSync(folderVolume(folder!), processOwners(), Number(waitMs ?? 0), ({ epoch }) =>
    console.log(`waits for ${epoch}`),
  );
  console.log(`has ${lock.epoch}`);
  process.stdin.once("data", () => {
    lock.release();
    process.exit();
  });
} catch (error) {
  console.log(`${(error as { code?: string }).code}: ${(error as Error).message}`);
}
