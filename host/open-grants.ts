/** From grants as data to what stands behind them. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { AbiOptions } from "./abi.ts";
import { directoryFileSystem } from "./fs/directory.ts";
import { type FileSystem, GrantError } from "./fs/file-system.ts";
import type { MemoryQuota } from "./fs/memory.ts";
import type { Mount } from "./fs/namespace.ts";
import { overlayFileSystem } from "./fs/overlay.ts";
import { quotaFileSystem } from "./fs/quota.ts";
import { checkGrants, type DirGrant, type Grants, parseSeed, parseTime } from "./grants.ts";
import { openAssets } from "./open-assets.ts";
import { openTmp } from "./tmp.ts";

export interface OpenGrants {
  /** What `createAbi` needs to know of them. */
  readonly options: AbiOptions;
  /** Copies back what the guest changed in the folders of `tmp`. Throws TmpError. */
  finish(): void;
  /** Releases what the host holds for them; the guest's files are its store's to close. */
  close(): void;
}

/**
 * Opens what is granted; `note` hears a sentence for each thing that a copy leaves out. Throws GrantError, and a PackError for
 * what is wrong with a pack.
 */
export function openGrants(grants: Grants, note: (text: string) => void = () => {}): OpenGrants {
  const checked = checkGrants(grants);
  const { dirs = [], tmp = [], env, stdin, clock, seed, interactive, hostMetadata, assets, quota = {} } = checked;
  const { bytes, files, bankBytes, ...pathQuota } = quota;
  const tree = { ...(bytes !== undefined && { bytes }), ...(files !== undefined && { files }) };
  const folders = dirs.map((dir): Mount => {
    return { guest: dir.guest, readOnly: dir.readOnly === true, fs: folderOf(dir, tree) };
  });
  const copies = tmp.map(({ guest, host }) => ({ guest, ...openTmp({ host, quota: tree, note }) }));
  const set = assets === undefined ? undefined : openAssets(assets, bankBytes);
  let input: number | undefined;
  try {
    if (stdin !== undefined) input = openInput(stdin);
  } catch (error) {
    set?.close();
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
      ...(input !== undefined && { stdin: (into: Uint8Array) => readSync(input!, into, 0, into.length, null) }),
      ...(seed !== undefined && { seed: seed === "real" ? seed : parseSeed(String(seed))! }),
      ...(clock === "real" && { clock }),
      ...(typeof clock === "object" && { clock: { start: parseTime(clock.start)! } }),
    },
    finish: () => {
      for (const { copyOut } of copies) copyOut();
    },
    close: () => {
      if (input !== undefined) closeSync(input);
      set?.close();
    },
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
