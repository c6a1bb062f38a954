/** The guests in `examples/` in C and Rust, built, against what the tools of Unix say. `wordfreq` is in command.test.ts. */
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import t from "tap";
import { findClang, findRustc, INSTALL } from "../.ci/toolchains.ts";
import { runGuest } from "../host/guest.ts";
import { ashlar, root, scratch } from "./command/ashlar.ts";

const isCi = process.env.CI !== undefined;
const checksum = join(root, "examples/checksum/build/checksum.wasm");
const linecount = join(root, "examples/linecount/build/linecount.wasm");
// In CI a compiler that is not there is a failure, not a reason to skip.
const withC = isCi || findClang() !== undefined ? {} : { skip: INSTALL.clang };
const withRust = isCi || findRustc() !== undefined ? {} : { skip: INSTALL.rustc };

const data = (name: string): string => join(root, "examples", name, "data");
const golden = (name: string, file: string): string => readFileSync(join(root, "examples", name, file), "utf8");

function make(folder: string, files: { readonly [name: string]: string | Uint8Array }): string {
  const path = join(scratch, folder);
  mkdirSync(path, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes);
  return path;
}

t.test("[ABI-BINDING-2] checksum: the sums that sha256sum and zlib make, and their order", withC, async (t) => {
  t.ok(existsSync(checksum), "it was built");
  const grant = ["--dir", `${data("checksum")}::/data:ro`];
  for (const algorithm of ["sha256", "crc32"])
    t.match(await ashlar(["run", checksum, ...grant, "--", `--${algorithm}`, "data"]), {
      code: 0,
      stdout: golden("checksum", `expected.${algorithm}`),
      stderr: "",
    });
  const texts = join(root, "examples/wordfreq/data/texts");
  const twice = ["run", checksum, "--dir", `${texts}::/texts`, "--report", "-", "--", "/texts/", "/texts/alice.txt"];
  const runs = [await ashlar(twice), await ashlar(twice)].map(({ code, stdout }) => {
    const lines = stdout.trimEnd().split("\n");
    return { code, fuel: JSON.parse(lines.pop()!).fuelUsed, lines };
  });
  t.same(runs[0], runs[1], "also the fuel");
  t.equal(runs[0]!.code, 0);
  for (const line of runs[0]!.lines) {
    const bytes = readFileSync(join(texts, line.slice(66 + "/texts/".length)));
    t.equal(line.slice(0, 64), createHash("sha256").update(bytes).digest("hex"), line.slice(66));
  }
  t.ok(runs[0]!.lines.length > 4);
});

t.test("checksum: lengths around a block, names to be escaped, links, what cannot be read", withC, async (t) => {
  const lengths = [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 65_535, 65_536, 65_537];
  const contents = lengths.map((length) => Uint8Array.from({ length }, (_, k) => (k * 7 + length) & 255));
  const names = lengths.map((length) => `${length}`.padStart(6, "0"));
  make("sums", Object.fromEntries(names.map((name, k) => [name, contents[k]!])));
  const ended = await ashlar(["run", checksum, "--dir", "sums::/", "--", "--crc32", "/"]);
  t.equal(
    ended.stdout,
    names.map((name, k) => `${crc32(contents[k]!).toString(16).padStart(8, "0")}  /${name}\n`).join(""),
  );
  const digests = contents.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
  t.equal(
    (await ashlar(["run", checksum, "--dir", "sums::/s", "--", "s/"])).stdout,
    names.map((name, k) => `${digests[k]}  s/${name}\n`).join(""),
  );

  const odd = make("odd", { "a\nb": "", "back\\slash": "", plain: "" });
  symlinkSync("plain", join(odd, "link"));
  symlinkSync(".", join(odd, "loop"));
  const empty = digests[0];
  t.equal(
    (await ashlar(["run", checksum, "--dir", "odd::/o", "--", "/o"])).stdout,
    `\\${empty}  /o/a\\nb\n\\${empty}  /o/back\\\\slash\n${empty}  /o/plain\n`,
    "links in a folder are passed over",
  );
  t.match(await ashlar(["run", checksum, "--dir", "odd::/o", "--", "/o/link", "/o/none", "/o/plain"]), {
    code: 1,
    stdout: `${empty}  /o/link\n${empty}  /o/plain\n`,
    stderr: "checksum: /o/none: nothing has this name\n",
  });
  if (process.getuid?.() !== 0) {
    chmodSync(join(odd, "plain"), 0);
    t.match(await ashlar(["run", checksum, "--dir", "odd::/o", "--", "/o/plain"]), { code: 1, stdout: "" });
  }
  for (const args of [[], ["--crc32"], ["--md5", "/o"]])
    t.match(await ashlar(["run", checksum, "--", ...args]), { code: 2, stdout: "", stderr: /^usage: checksum / });
  t.match(await ashlar(["run", checksum, "--", "/x"]), { code: 134, stderr: /MissingCapability/ });
});

t.test("checksum: folders two hundred deep, on a stack that overwrites nothing", withC, async (t) => {
  const deep = Array.from({ length: 200 }, () => "d").join("/");
  make(`deep/${deep}`, { file: "abc" });
  const { code, stdout, stderr } = await ashlar(["run", checksum, "--dir", "deep::/deep", "--", "--crc32", "/deep"]);
  t.same({ code, stdout, stderr }, { code: 0, stdout: `352441c2  /deep/${deep}/file\n`, stderr: "" });
});

t.test("[ABI-BINDING-3] linecount: a table by kind; what cannot be read", withRust, async (t) => {
  t.ok(existsSync(linecount), "it was built");
  const grant = ["--dir", `${data("linecount")}::/data:ro`];
  t.match(await ashlar(["run", linecount, ...grant, "--", "/data"]), {
    code: 0,
    stdout: golden("linecount", "expected.txt"),
    stderr: "",
  });
  const long = "x".repeat(70_000);
  make("count", { "a.txt": `${long}\n${long}é`, b: "no end" });
  const ended = await ashlar(["run", linecount, "--dir", "count::/c", "--", "/c/none", "/c/a.txt", "/c/b"]);
  t.match(ended, { code: 1, stderr: "linecount: /c/none: NOT_FOUND: nothing has this name\n" });
  t.same(
    ended.stdout
      .split("\n")
      .slice(1, -1)
      .map((line) => line.trim().split(/ +/)),
    [
      ["1", "2", "0", "140003", "70001", ".txt"],
      ["1", "1", "0", "6", "6", "(none)"],
      ["2", "3", "0", "140009", "70001", "total"],
    ],
  );
  t.match(await ashlar(["run", linecount]), { code: 2, stdout: "", stderr: /^usage: linecount / });
});

t.test("the readme's guest does what it is shown for", withC, (t) => {
  const shown = 'module: readFileSync("checksum.wasm"),\n  args: ["/texts"],\n';
  t.ok(readFileSync(join(root, "README.md"), "utf8").includes(shown));
  const grants = { dirs: [{ host: join(root, "examples/wordfreq/data/texts"), guest: "/texts", readOnly: true }] };
  const options = { module: readFileSync(checksum), args: ["/texts"], grants, fuel: 100_000_000n };
  t.match(runGuest(options), { outcome: "exit", exitCode: 0 });
  t.end();
});
