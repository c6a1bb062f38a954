/**
 * Keeps files in a store of artifacts, and gets them back.
 *
 *   artifacts put [--tag N] PATH…     stores files ("-": the standard input), and tells their keys
 *   artifacts get KEY [PATH]          writes an artifact to a file, or to the standard output
 *   artifacts ls                      tells what is in the store
 *   artifacts save FOLDER             stores all files below a folder, and tells the key of the list of them
 *   artifacts load KEY FOLDER         writes the files of such a list below a folder
 *
 * What it stores is in the store when it has ended, also with an error: artifacts that nobody names do no harm.
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";
import { loadFolder, saveFolder } from "./folders";
import { STREAM, fail, getFile, need, putFile } from "./streams";

const USAGE = `usage: artifacts put [--tag N] PATH...
       artifacts get KEY [PATH]
       artifacts ls
       artifacts save FOLDER
       artifacts load KEY FOLDER`;

function usage(): void {
  ashlar.printError(USAGE);
  ashlar.exit(2);
}

function parseTag(text: string): u32 {
  for (let k = 0; k < text.length; k++)
    if (text.charCodeAt(k) < 0x30 || text.charCodeAt(k) > 0x39) fail(2, "--tag takes a number, not " + text);
  const tag = U64.parseInt(text);
  if (text.length == 0 || text.length > 10 || tag > u32.MAX_VALUE) fail(2, "--tag takes a number below 2^32, not " + text);
  return <u32>tag;
}

function put(args: string[]): void {
  const hasTag = args.length > 0 && args[0] == "--tag";
  const first = hasTag ? 2 : 0;
  if (args.length <= first) usage();
  const tag = hasTag ? parseTag(args[1]) : 0;
  for (let k = first; k < args.length; k++)
    ashlar.print(ashlar.keyText(putFile(args[k], hasTag, tag)) + "  " + args[k]);
}

function ls(): void {
  let after: Uint8Array | null = null;
  while (true) {
    const entries = need<ashlar.ArtifactEntry[]>(ashlar.listArtifacts(after), "cannot list the store");
    if (entries.length == 0) return;
    let lines = "";
    for (let k = 0; k < entries.length; k++) {
      const entry = entries[k];
      const tag = entry.hasTypeTag ? "  tag " + entry.typeTag.toString() : "";
      lines += ashlar.keyText(entry.key) + entry.bytes.toString().padStart(12) + tag + "\n";
    }
    ashlar.write(lines);
    after = entries[entries.length - 1].key;
  }
}

function main(): void {
  const words = ashlar.args();
  const verb = words.length == 0 ? "" : words[0];
  const args = words.slice(1);
  if (verb == "put") put(args);
  else if (verb == "get" && (args.length == 1 || args.length == 2)) getFile(args[0], args.length == 2 ? args[1] : STREAM);
  else if (verb == "ls" && args.length == 0) ls();
  else if (verb == "save" && args.length == 1) ashlar.print(ashlar.keyText(saveFolder(args[0])));
  else if (verb == "load" && args.length == 2) loadFolder(args[0], args[1]);
  else usage();
}

main();
