/** The file system of a kernel's inputs: the contract suite over it, and what is particular to it. */
import t, { type Test } from "tap";
import { type Input, type InputFile, InputFileSystem } from "../../../host/pel/input-files.ts";
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import { LinkError } from "../../../vm/errors.ts";
import { encodeUtf8 } from "../../../vm/utf8.ts";
import { suite, type Tree } from "../../conformance/file-system.ts";

const test = (title: string, body: (t: Test) => void): unknown => t.test(title, async (t) => body(t));

function inputs(tree: Tree): InputFileSystem {
  const contents = new Map<string, Uint8Array>();
  const fs = new InputFileSystem(
    Object.entries(tree).flatMap(([name, text]): Input[] => {
      if (typeof text !== "string") return [];
      const bytes = encodeUtf8(text);
      contents.set(name, bytes);
      return [{ name, key: encodeUtf8(name), bytes: bytes.length }];
    }),
    ({ name }, offset, into) => into.set(contents.get(name)!.subarray(offset, offset + into.length)),
  );
  for (const [name, text] of Object.entries(tree)) if (text === null) fs.makeDirectory(name);
  return fs;
}

suite({
  name: "inputs [PEL-KERNEL-4]",
  test: (title, body) =>
    test(title, (t) => {
      body();
      t.pass();
    }),
  create: inputs,
});

test("no handle is for writing; what reading throws ends the call [PEL-KERNEL-4]", (t) => {
  const broken = new LinkError("a", "b", "broken");
  const fs = new InputFileSystem([{ name: "a", key: Uint8Array.of(1), bytes: 5 }], () => {
    throw broken;
  });
  for (const flags of [OpenFlag.WRITE, OpenFlag.READ | OpenFlag.TRUNCATE])
    t.equal(fs.open(fs.root, "a", flags), Status.READ_ONLY);
  const file = fs.open(fs.root, "a", OpenFlag.READ) as InputFile;
  t.same(file.key, Uint8Array.of(1));
  t.throws(() => file.read(0, new Uint8Array(1), { bytes: 0, eof: false }), broken);
  t.equal(file.read(5, new Uint8Array(1), { bytes: 0, eof: false }), Status.OK, "nothing is read at the end");
  t.throws(
    () =>
      new InputFileSystem(
        [0, 1].map(() => ({ name: "a", key: Uint8Array.of(1), bytes: 0 })),
        () => {},
      ),
  );
});
