/**
 * A folder as an artifact: a list of the artifacts that its files are, with a line "KEY PATH" for each, in the order of their names. So equal
 * folders have equal keys, and a file that two folders have is stored once.
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";
import { begin, fail, failed, getFile, need, open, putFile } from "./streams";

/** Type tag of such lists: "list" in ASCII. */
export const LIST_TAG: u32 = 0x7473696c;

function addFolder(path: string, name: string, lines: string[]): void {
  const entries = need<ashlar.Entry[]>(ashlar.list(path), "cannot list " + path);
  for (let k = 0; k < entries.length; k++) {
    const entry = entries[k];
    const inside = name + entry.name;
    if (entry.name.includes("\n")) fail(1, "a name with a line end in it cannot be kept: " + path);
    if (entry.isDirectory) addFolder(path + "/" + entry.name, inside + "/", lines);
    else if (entry.isFile) lines.push(ashlar.keyText(putFile(path + "/" + entry.name, false, 0)) + " " + inside + "\n");
  }
}

/** Seals all files below a folder, and the list of them; answers the key of that. */
export function saveFolder(path: string): Uint8Array {
  const lines: string[] = [];
  addFolder(path, "", lines);
  const writer = begin(true, LIST_TAG);
  for (let k = 0; k < lines.length; k++)
    if (!writer.write(ashlar.encode(lines[k]))) failed("cannot write the list of " + path);
  const key = need<Uint8Array>(writer.seal(), "cannot seal the list of " + path);
  writer.close();
  return key;
}

/** Writes the files of a list below a folder. */
export function loadFolder(key: string, path: string): void {
  const list = open(key);
  const info = need<ashlar.ArtifactInfo>(list.info(), "cannot read " + key);
  const text = need<string>(list.readText(), "cannot read " + key);
  if (info.typeTag != LIST_TAG) fail(1, key + " is no list of files");
  const lines = text.split("\n");
  for (let k = 0; k < lines.length - 1; k++) {
    const space = lines[k].indexOf(" ");
    const place = path + "/" + lines[k].substring(space + 1);
    makeFolders(place, path.length + 1);
    getFile(lines[k].substring(0, space), place);
  }
}

/** Makes the folders that a path leads through, behind its first `from` characters. */
function makeFolders(path: string, from: i32): void {
  for (let at = path.indexOf("/", from); at >= 0; at = path.indexOf("/", at + 1))
    if (!ashlar.makeDirectory(path.substring(0, at)) && ashlar.lastStatus != ashlar.Status.EXISTS)
      failed("cannot make " + path.substring(0, at));
}
