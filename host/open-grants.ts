/** From grants as data to what stands behind them. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { AbiOptions } from "./abi.ts";
import type { AssetSet } from "./assets/pack.ts";
import { directoryFileSystem } from "./fs/directory.ts";
import { type FileSystem, GrantError } from "./fs/file-system.ts";
import type { MemoryQuota } from "./fs/memory.ts";
import type { Mount } from "./fs/namespace.ts";
import { overlayFileSystem } from "./fs/overlay.ts";
import { quotaFileSystem } from "./fs/quota.ts";
import { checkGrants, type DirGrant, type Grants, isStored, parseSeed, parseTime } from "./grants.ts";
import { openAssets } from "./open-assets.ts";
import { type OpenStore, openStore } from "./open-store.ts";
import { openTmp } from "./tmp.ts";

export interface OpenGrants {
  /** What `createAbi` needs to know of them. */
  readonly options: AbiOptions;
  /** Stores the artifacts that the guest has sealed, and copies back what it changed in the folders of `tmp`. Throws AslError, TmpError. */
  finish(): void;
  /** Gives up what was not stored, and releases what the host holds for them; the guest's files are its store's to close. */
  close(): void;
}

/**
 * Opens what is granted; `note` hears a sentence for each thing that a copy leaves out. Throws GrantError, a PackError for
 * what is wrong with a pack, an AslError for what is wrong with a store.
 */
export function openGrants(grants: Grants, note: (text: string) => void = () => {}): OpenGrants {
  const checked = checkGrants(grants);
  const {
    dirs = [],
    tmp = [],
    env,
    stdin,
    clock,
    seed,
    interactive,
    hostMetadata,
    assets,
    store,
    quota = {},
  } = checked;
  const { bytes, files, bankBytes, storeBytes, storeArtifacts, storeWriters, ...pathQuota } = quota;
  const tree = { ...(bytes !== undefined && { bytes }), ...(files !== undefined && { files }) };
  const folders = dirs.map((dir): Mount => {
    return { guest: dir.guest, readOnly: dir.readOnly === true, fs: folderOf(dir, tree) };
  });
  const copies = tmp.map(({ guest, host }) => ({ guest, ...openTmp({ host, quota: tree, note }) }));
  if (assets !== undefined && isStored(assets) && store === undefined)
    throw new GrantError(`${assets.host}: a pack that is named by its identity lies in a store, and none is granted`);
  let input: number | undefined;
  let set: AssetSet | undefined;
  let opened: OpenStore | undefined;
  const close = (): void => {
    if (input !== undefined) closeSync(input);
    set?.close();
    opened?.close();
  };
  try {
    if (stdin !== undefined) input = openInput(stdin);
    if (assets !== undefined && !isStored(assets)) set = openAssets(assets, bankBytes);
    // Late: others wait for a store that is written to.
    if (store !== undefined) opened = openStore(store, note);
    if (assets !== undefined) set ??= openAssets(assets, bankBytes, opened?.view);
  } catch (error) {
    close();
    throw error;
  }
  return {
    options: {
      mounts: [...folders, ...copies],
      quota: pathQuota,
      interactive: interactive === true,
      hostMetadata: hostMetadata === true,
      ...(env !== undefined && { env }),
      ...(set !== undefined && { assets: set }),
      banks: { slots: assets?.slots, bytes: bankBytes },
      ...(opened !== undefined && { store: opened.artifacts }),
      storeQuota: { bytes: storeBytes, artifacts: storeArtifacts, writers: storeWriters },
      ...(input !== undefined && { stdin: (into: Uint8Array) => readSync(input!, into, 0, into.length, null) }),
      ...(seed !== undefined && { seed: seed === "real" ? seed : parseSeed(String(seed))! }),
      ...(clock === "real" && { clock }),
      ...(typeof clock === "object" && { clock: { start: parseTime(clock.start)! } }),
    },
    finish: () => {
      // Before files, which may tell of what is in it.
      opened?.artifacts.commit();
      for (const { copyOut } of copies) copyOut();
    },
    close,
  };
}

function folderOf({ host, overlay }: DirGrant, quota: Partial<MemoryQuota>): FileSystem {
  const directory = directoryFileSystem(host);
  if (overlay) return overlayFileSystem(directory, quota);
  return quota.bytes === undefined && quota.files === undefined ? directory : quotaFileSystem(directory, quota);
}

function openInput(path: string): number {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    if (!fstatSync(fd).isDirectory()) return fd;
  } catch (error) {
    throw new GrantError(
      `${path} cannot be opened as standard input: ${error instanceof Error ? error.message : error}`,
    );
  }
  closeSync(fd);
  throw new GrantError(`${path} cannot be opened as standard input: it is a directory`);
}
