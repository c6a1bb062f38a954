/** Opens the store that is granted. Loaded when there is one: a store takes code that most guests do not need. */
import { artifactsOf } from "./asl/staged.ts";
import { Store } from "./asl/store.ts";
import type { ArtifactStore } from "./asl/syscalls.ts";
import type { View } from "./asl/view.ts";
import type { StoreGrant } from "./grants.ts";

/** How long another writer is waited for. */
const DEFAULT_WAIT_SECONDS = 30;

export interface OpenStore {
  readonly artifacts: ArtifactStore;
  /** What it held when it was opened. */
  readonly view: View;
  /** Gives up what was not committed, and closes the store. */
  close(): void;
}

/** `note` hears who is waited for. Throws an AslError. */
export function openStore(
  { host, readOnly = false, wait = DEFAULT_WAIT_SECONDS }: StoreGrant,
  note: (text: string) => void,
): OpenStore {
  const store = Store.openSync(host, {
    readOnly,
    waitMs: wait * 1000,
    onWaiting: ({ owner }) =>
      note(
        `${host}: waiting for ${owner === undefined ? "another process" : `process ${owner.pid}`}, which writes to it`,
      ),
  });
  const artifacts = artifactsOf(store);
  return {
    artifacts,
    view: store.view(),
    close: () => {
      try {
        artifacts.discard();
      } finally {
        store.closeSync();
      }
    },
  };
}
