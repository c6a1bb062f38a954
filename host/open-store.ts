/** Opens the store that is granted. Loaded when there is one: a store takes code that most guests do not need. */
import { AslError } from "./asl/errors.ts";
import type { ArtifactStore } from "./asl/syscalls.ts";
import type { StoreGrant } from "./grants.ts";

export interface OpenStore {
  readonly artifacts: ArtifactStore;
  /** Gives up what was not committed, and closes the store. */
  close(): void;
}

/** Throws an AslError. */
export function openStore({ host }: StoreGrant): OpenStore {
  throw new AslError("ASL-NO-STORE", `${host} holds no store`);
}
