/** Volumes that do not do what a store asks of them, each in a way of its own: as a store would that forgot it. What crashes are tested with has to find each. */
import type { Volume, VolumeFile } from "../../../host/asl/volume.ts";
import type { Wrap } from "./crash.ts";

/** What happens to the calls of files whose path matches. */
interface Change {
  sync?(file: VolumeFile, path: string): void;
  truncate?(file: VolumeFile, length: number): void;
  write?(file: VolumeFile, bytes: Uint8Array, at: number, length: number, position: number): void;
}

/** Whether this call is still made as it should be. `made` counts the ones before it. */
type When = (path: string, made: number) => boolean;

function changing(paths: RegExp, change: Change, syncsFolder: When = () => true): Wrap {
  let folderSyncs = 0;
  return (volume: Volume): Volume => ({
    open: (path, mode) => {
      const file = volume.open(path, mode);
      if (!paths.test(path)) return file;
      return {
        size: () => file.size(),
        read: (...given) => file.read(...given),
        write: (...given) => (change.write === undefined ? file.write(...given) : change.write(file, ...given)),
        writeLater: (...given) => file.writeLater(...given),
        sync: () => (change.sync === undefined ? file.sync() : change.sync(file, path)),
        truncate: (length) => (change.truncate === undefined ? file.truncate(length) : change.truncate(file, length)),
        close: () => file.close(),
      };
    },
    list: (folder) => volume.list(folder),
    makeFolder: (path) => volume.makeFolder(path),
    rename: (from, to) => volume.rename(from, to),
    link: (from, to) => volume.link(from, to),
    remove: (path) => volume.remove(path),
    syncFolder: (path) => (syncsFolder(path, folderSyncs++) ? volume.syncFolder(path) : undefined),
  });
}

const NOTHING = /^$/;
const LOG = /^log\//;
const skip = { sync: () => {} };
/** Syncs files while they hold little more than a header. */
const skipWhenFull = (bytes: number): Change => ({
  sync: (file) => {
    if (file.size() <= bytes) file.sync();
  },
});

export const MUTANTS: { readonly [name: string]: Wrap } = {
  "skips the sync of the log": changing(LOG, skip),
  "skips the sync of frames": changing(LOG, skipWhenFull(128)),
  "skips the sync of blocks": changing(/^blocks\//, skip),
  "skips the sync of index segments": changing(/^index\//, skip),
  "skips the sync of checkpoints": changing(/^checkpoint\//, skip),
  "skips the sync of CURRENT": changing(/^CURRENT/, skip),
  "skips the sync of FORMAT": changing(/^FORMAT/, skip),
  "skips the sync of the log's folder": changing(NOTHING, {}, (path) => path !== "log"),
  "skips the sync of the blocks' folder": changing(NOTHING, {}, (path) => path !== "blocks"),
  "skips the sync of the index's folder": changing(NOTHING, {}, (path) => path !== "index"),
  "skips the sync of the checkpoints' folder": changing(NOTHING, {}, (path) => path !== "checkpoint"),
  "skips the sync of its own folder": changing(NOTHING, {}, (path) => path !== ""),
  "skips the sync of its own folder once it is made": changing(NOTHING, {}, (path, made) => path !== "" || made < 6),
  "acknowledges early, and syncs no file": changing(/./, skip),
  "swaps the sync of a block and of the frame that names it": swapped(),
  "swaps the names of a checkpoint and of the CURRENT that names it": checkpointsLate(),
  "removes what it replaces before the new one is on disk": removesFirst(),
  "cuts the log in the middle instead of the tail": changing(LOG, {
    truncate: (file, length) => file.truncate(Math.max(128, Math.floor(length / 16) * 8)),
  }),
  "writes frames in the wrong place": changing(LOG, {
    write: (file, bytes, at, length, position) =>
      file.write(bytes, at, length, position > 500 ? position + 8 : position),
  }),
};

/** Blocks are synced when the log is, after it. */
function swapped(): Wrap {
  return (volume) => {
    const late: VolumeFile[] = [];
    const held = changing(/^blocks\//, { sync: (file) => void late.push(file) })(volume);
    return changing(LOG, {
      sync: (file) => {
        file.sync();
        for (const block of late.splice(0)) attempt(() => block.sync());
      },
    })(held);
  };
}

/** CURRENT has its name before the checkpoint has its own. */
function checkpointsLate(): Wrap {
  return (volume) => {
    const late: (() => void)[] = [];
    return {
      ...changing(NOTHING, {})(volume),
      rename: (from, to) => {
        if (to.startsWith("checkpoint/")) late.push(() => volume.rename(from, to));
        else volume.rename(from, to);
        if (to !== "CURRENT") return;
        volume.syncFolder("");
        for (const rename of late.splice(0)) rename();
        volume.syncFolder("checkpoint");
      },
    };
  };
}

/** Files are removed before they are replaced. */
function removesFirst(): Wrap {
  return (volume) => {
    const same = changing(NOTHING, {})(volume);
    return {
      ...same,
      rename: (from, to) => {
        attempt(() => {
          volume.remove(to);
          volume.syncFolder("");
        });
        volume.rename(from, to);
      },
    };
  };
}

function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // What is not there, or closed, is left alone.
  }
}
