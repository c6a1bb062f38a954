/** Trees that file systems are made to hold. */
import type { FileSystem, Folder } from "../../host/fs/file-system.ts";
import { Status, statusName } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { encodeUtf8 } from "../../vm/utf8.ts";

/** A file's contents, null for a directory, or a symbolic link (only given to file systems that declare them). */
export type Tree = { readonly [path: string]: string | null | { readonly link: string } };

/** Makes everything in `tree`, and the directories above it, on a file system that can be written. Answers `fs`. */
export function fillTree<Target extends FileSystem>(fs: Target, tree: Tree): Target {
  for (const [path, node] of Object.entries(tree)) {
    const names = path.split("/");
    const name = names.pop()!;
    const folder = names.reduce((parent, part) => folderAt(fs, parent, part), fs.root);
    if (node === null) folderAt(fs, folder, name);
    else if (typeof node === "object") demand(path, fs.symlink(node.link, folder, name));
    else {
      const file = fs.create(folder, name, OpenFlag.WRITE);
      if (typeof file === "number") throw failure(path, file);
      if (node.length > 0) demand(path, file.write(0, encodeUtf8(node)));
      demand(path, file.close());
    }
  }
  return fs;
}

/** The directory of this name, made when nothing has it. */
function folderAt(fs: FileSystem, parent: Folder, name: string): Folder {
  let found = fs.lookup(parent, name);
  if (found === Status.NOT_FOUND) {
    demand(name, fs.mkdir(parent, name));
    found = fs.lookup(parent, name);
  }
  if (typeof found === "number") throw failure(name, found);
  if (found.kind !== "directory") throw new Error(`${name} is no directory`);
  return found.folder;
}

function demand(path: string, status: number): void {
  if (status !== Status.OK) throw failure(path, status);
}

function failure(path: string, status: number): Error {
  return new Error(`${path} cannot be made: ${statusName(status) ?? status}`);
}
