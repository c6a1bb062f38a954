/** The example `examples/artifacts`, built: files and folders that go through a store and come back. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Store } from "../host/asl/store.ts";
import { ashlar, type Ended, type Given, root, scratch } from "./command/ashlar.ts";

const guest = join(root, "examples/artifacts/build/artifacts.wasm");
const data = join(root, "examples/wordfreq/data");
const keyOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

function artifacts(flags: readonly string[], words: readonly string[], given?: Given): Promise<Ended> {
  return ashlar(["run", guest, ...flags, "--", ...words], given);
}
/** Contents below a folder, by path. */
function treeOf(folder: string): { readonly [path: string]: string } {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(folder.length + 1), readFileSync(path, "latin1")];
    }),
  );
}

t.before(async () => {
  await (await Store.open(join(scratch, "disk"), { create: true })).close();
});

t.test("[ASL-SYS-COMMIT-1, ASL-SYS-OPEN-1] what is put is got, by its key", async (t) => {
  const alice = readFileSync(join(data, "texts/alice.txt"));
  const store = ["--store", "disk"];
  const grants = [...store, "--dir", `${data}::/data:ro`];
  t.match(await artifacts(grants, ["put", "/data/texts/alice.txt"]), {
    code: 0,
    stdout: `${keyOf(alice)}  /data/texts/alice.txt\n`,
    stderr: "",
  });
  t.match(await artifacts(store, ["get", keyOf(alice)]), { code: 0, stdout: alice.toString() });
  const large = Buffer.alloc(1_300_000, "0123456789abcde");
  t.match(await artifacts(store, ["put", "--tag", "7", "-"], { input: large }), { stdout: `${keyOf(large)}  -\n` });
  mkdirSync(join(scratch, "out"));
  const out = [...store, "--dir", "out::/out"];
  t.match(await artifacts(out, ["get", keyOf(large), "/out/large"]), { code: 0, stdout: "" });
  t.ok(readFileSync(join(scratch, "out/large")).equals(large));
  const listed = [
    [keyOf(alice), `${alice.length}`, ""],
    [keyOf(large), "1300000", "  tag 7"],
  ].map(([key, bytes, tag]) => `${key}${bytes!.padStart(12)}${tag}\n`);
  t.match(await artifacts(["--store", "disk:ro"], ["ls"]), { code: 0, stdout: listed.sort().join("") });

  t.match(await artifacts(store, ["get", keyOf(Buffer.from("none"))]), { code: 1, stderr: /NOT_FOUND\n$/ });
  t.match(await artifacts(store, ["get", "alice"]), { code: 1, stderr: "artifacts: cannot open alice: INVALID\n" });
  t.match(await artifacts(["--store", "disk:ro"], ["put", "-"]), { code: 1, stderr: /READ_ONLY\n$/ });
  t.match(await artifacts([], ["ls"]), { code: 134, stderr: /MissingCapability.*Grant a store with --store DIR/s });
  t.match(await ashlar(["inspect", guest]), { stdout: /\n {2}--store +asl\.create, asl\.list, asl\.open\n/ });
  for (const words of [[], ["put", "--tag", "7"], ["load", "x"]])
    t.match(await artifacts(store, words), { code: 2, stdout: "", stderr: /^usage: artifacts / }, words.join(" "));
});

t.test("[ASL-SYS-COMMIT-1] a folder goes into the store and comes back", async (t) => {
  const save = (folder: string): Promise<Ended> =>
    artifacts(["--store", "disk", "--dir", `${folder}::/data:ro`], ["save", "/data"]);
  const saved = await save(data);
  const key = saved.stdout.trim();
  t.match(saved, { code: 0, stdout: /^sha256:[0-9a-f]{64}\n$/ });
  mkdirSync(join(scratch, "copy"));
  const back = await artifacts(["--store", "disk:ro", "--dir", "copy::/copy"], ["load", key, "/copy"]);
  t.match(back, { code: 0, stderr: "" });
  t.ok(Object.keys(treeOf(data)).length > 4);
  t.same(treeOf(join(scratch, "copy")), treeOf(data));
  t.match(await save("copy"), { stdout: `${key}\n` }, "the same files have the same key");
  writeFileSync(join(scratch, "copy/more"), "more");
  t.not((await save("copy")).stdout.trim(), key);
  t.match(await artifacts(["--store", "disk"], ["load", keyOf(Buffer.from("more")), "/copy"]), {
    code: 1,
    stderr: /is no list of files\n$/,
  });
});
