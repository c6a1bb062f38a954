// The tour through the AssemblyScript bindings: see tour.c and tour.rs, which print the same.
import * as ashlar from "./ashlar";

let code = 0;
function check(done: bool, step: i32): void {
  if (!done && code == 0) code = step;
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (let k = 0; k < bytes.length; k++) text += (bytes[k] < 16 ? "0" : "") + bytes[k].toString(16);
  return text;
}

function tour(): void {
  ashlar.print("args " + ashlar.args().join("|"));
  const name = ashlar.variable("NAME");
  const none = ashlar.variable("NAM");
  ashlar.print("env " + (name == null ? "-" : name) + " " + (none == null ? "-" : none));
  const text = ashlar.readText("/data/b.txt");
  ashlar.print("read " + (text == null ? "?" : text));
  ashlar.readFile("/data/none");
  ashlar.print("missing " + ashlar.statusName(ashlar.lastStatus));
  check(ashlar.writeText("/data/out", "först\n"), 1);
  check(ashlar.appendText("/data/out", "second"), 2);
  check(ashlar.makeDirectory("/data/new"), 3);
  check(ashlar.rename("/data/out", "/data/new/out"), 4);
  check(ashlar.link("/data/new/out", "/data/hard"), 5);
  check(ashlar.symlink("new/out", "/data/soft"), 6);
  ashlar.print("target " + ashlar.readLink("/data/soft")!);
  check(ashlar.setTimes("/data/hard", 1, 2), 7);
  const stat = ashlar.stat("/data/soft")!;
  ashlar.print(`stat ${stat.kind} ${stat.bytes} ${stat.links} ${stat.accessed} ${stat.modified}`);
  const link = ashlar.linkStat("/data/soft")!;
  ashlar.print(`link ${link.kind} ${link.bytes} ${link.id != stat.id}`);
  const entries = ashlar.list("/data")!;
  let line = "list";
  for (let k = 0; k < entries.length; k++) line += " " + entries[k].name + ":" + entries[k].kind.toString();
  ashlar.print(line);
  const dir = ashlar.open("/data/new", ashlar.OpenFlag.DIRECTORY);
  const file = ashlar.openAt(dir, "out", ashlar.OpenFlag.READ | ashlar.OpenFlag.WRITE);
  check(ashlar.truncate(file, 3), 8);
  check(ashlar.sync(file), 9);
  ashlar.print(`size ${ashlar.size(file)}`);
  check(ashlar.close(file), 10);
  check(ashlar.close(dir), 11);
  check(ashlar.removeFile("/data/soft"), 12);
  ashlar.removeDirectory("/data/new");
  ashlar.print("rmdir " + ashlar.statusName(ashlar.lastStatus));
  ashlar.writeText("/ro/x", "x");
  ashlar.print("ro " + ashlar.statusName(ashlar.lastStatus));
  const before = ashlar.monotonic();
  ashlar.sleep(1000000);
  ashlar.print(`clock ${ashlar.now() >= 5000000} ${ashlar.monotonic() - before >= 1000000}`);
  const random = new Uint8Array(8);
  ashlar.fillRandom(random);
  ashlar.print("random " + hex(random));
  const input = ashlar.readInput()!;
  ashlar.print(`stdin ${input.length} ${ashlar.decode(input.subarray(0, 5))}`);
  const tiles = ashlar.Bank.inSlot(ashlar.BankType.TILES, 5)!;
  const info = tiles.info()!;
  ashlar.print(`bank ${info.assetId} ${info.bankType} ${info.bytes} ${info.storedBytes} ${info.metadataBytes}`);
  const window = new Uint8Array(4);
  check(tiles.readInto(2, window, 1, 3) == 3 && !ashlar.atEnd, 12);
  ashlar.print(`tiles ${hex(window)} ${tiles.metadata()!}`);
  check(tiles.size() == 8 && tiles.close(), 13);
  const poem = ashlar.Bank.ofAsset(2)!;
  ashlar.print("poem " + poem.readText()!);
  check(poem.close(), 14);
  check(ashlar.Bank.inSlot(ashlar.BankType.TEXT, 9) == null, 15);
  ashlar.print("slot " + ashlar.statusName(ashlar.lastStatus));
  check(ashlar.loadAsset(2, 9), 16);
  const loaded = ashlar.Bank.inSlot(ashlar.BankType.TEXT, 9)!;
  ashlar.print(`loaded ${loaded.info()!.assetId}`);
  check(loaded.close(), 17);
  const load = ashlar.Load.request(2, 10)!;
  check(load.state() == ashlar.LoadState.PENDING && !load.commit(), 18);
  ashlar.print("commit " + ashlar.statusName(ashlar.lastStatus));
  check(load.cancel() && load.close(), 19);
  ashlar.loadAsset(3, 0);
  ashlar.print("damaged " + ashlar.statusName(ashlar.lastStatus));
  const listed = ashlar.listArtifacts()!;
  check(listed.length == 1 && ashlar.listArtifacts(listed[0].key)!.length == 0, 20);
  const stored = ashlar.Artifact.open(listed[0].key)!;
  const record = stored.info()!;
  ashlar.print(`stored ${listed[0].bytes} ${listed[0].typeTag} ${record.bytes} ${record.records} ${record.typeTag}`);
  check(stored.readInto(3, window, 1, 3) == 3 && !ashlar.atEnd && record.hasTypeTag, 21);
  ashlar.print("artifact " + hex(window) + " " + stored.readText()!);
  check(stored.close() && listed[0].hasTypeTag && listed[0].visibility == ashlar.Visibility.INTERNAL, 22);
  const made = ashlar.putArtifact(ashlar.encode("made"))!;
  ashlar.print("made " + ashlar.keyText(made));
  const named = ashlar.Artifact.named(ashlar.keyText(made))!;
  ashlar.print(`named ${named.readText()!} ${named.info()!.hasTypeTag}`);
  check(named.close(), 23);
  const writer = ashlar.Writer.tagged(7)!;
  check(writer.write(ashlar.encode("tag")) && writer.write(ashlar.encode("ged")), 24);
  ashlar.print(`writer ${writer.info()!.bytes} ${writer.info()!.typeTag}`);
  ashlar.print(`key ${writer.seal()!.length}`);
  writer.write(made);
  ashlar.print("sealed " + ashlar.statusName(ashlar.lastStatus));
  check(writer.close(), 25);
  const other = ashlar.Writer.create()!;
  check(other.abort() && other.seal() == null, 26);
  ashlar.print("aborted " + ashlar.statusName(ashlar.lastStatus));
  check(other.close(), 27);
  made[5] ^= 1;
  check(ashlar.Artifact.open(made) == null, 28);
  ashlar.print("absent " + ashlar.statusName(ashlar.lastStatus));
  const all = ashlar.listArtifacts()!;
  line = "artifacts";
  for (let k = 0; k < all.length; k++) line += " " + all[k].bytes.toString() + ":" + all[k].typeTag.toString();
  ashlar.print(line);
  ashlar.printError("a line of errors");
  ashlar.log("a line of the log");
  ashlar.print(`fuel ${ashlar.fuelLeft() == u64.MAX_VALUE}`);
  ashlar.exit(code == 0 ? 7 : 100 + code);
}

tour();
