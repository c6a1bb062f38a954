/**
 * Ways out of sandboxes, as data: what a guest does in a world of `worlds.ts`, step by step, and what it is answered. Each
 * case names where another runtime let it pass. They run on every file system, by syscalls and by WASI.
 */
import type { Tree } from "./worlds.ts";

/**
 * A call, its arguments, and its answer: a status, or `OK` with what was told; `|` stands between answers that are as good.
 * Paths begin at the guest's root, with `>` in them at a handle on the directory before it. `@` is the folder outside.
 */
export type Step = readonly [call: StepName, ...argsAndAnswer: (string | Uint8Array)[]];

export type StepName =
  | "read"
  | "readNoFollow"
  | "write"
  | "append"
  | "truncate"
  | "create"
  | "exclusive"
  | "list"
  | "stat"
  | "lstat"
  | "times"
  | "ltimes"
  | "mkdir"
  | "rmdir"
  | "unlink"
  | "rename"
  | "link"
  | "symlink"
  | "readlink"
  /** Through a handle that was opened to read. */
  | "writeOpen"
  | "truncateOpen"
  | "timesOpen"
  | "timesOpenDirectory";

export interface Escape {
  readonly title: string;
  /** Where it was a hole. */
  readonly seen: string;
  /** What others have put into `/rw` before. */
  readonly planted?: Tree;
  readonly steps: readonly Step[];
}

/** All calls that follow what the path names. */
function following(path: string, answer: string): Step[] {
  return [
    ["read", path, answer],
    ["write", path, answer],
    ["append", path, answer],
    ["truncate", path, answer],
    ["list", path, answer],
    ["stat", path, answer],
    ["times", path, answer],
  ];
}

/** All calls, on a path whose last name is reached through a link or `..`. */
function every(path: string, answer: string): Step[] {
  return [
    ...following(path, answer),
    ["create", path, answer],
    ["exclusive", path, answer],
    ["readNoFollow", path, answer],
    ["lstat", path, answer],
    ["ltimes", path, answer],
    ["mkdir", path, answer],
    ["rmdir", path, answer],
    ["unlink", path, answer],
    ["readlink", path, answer],
    ["rename", path, "/rw/taken", answer],
    ["rename", "/rw/f", path, answer],
    ["link", path, "/rw/taken", answer],
    ["link", "/rw/f", path, answer],
    ["symlink", "f", path, answer],
    ["lstat", "/rw/taken", "NOT_FOUND"],
    ["read", "/rw/f", "OK mine"],
  ];
}

/** Everything that could change a path of a read-only mount. */
function changing(path: string, answer: string): Step[] {
  return [
    ["write", path, answer],
    ["append", path, answer],
    ["truncate", path, answer],
    ["create", path, answer],
    ["exclusive", path, answer],
    ["times", path, answer],
    ["ltimes", path, answer],
    ["mkdir", path, answer],
    ["rmdir", path, answer],
    ["unlink", path, answer],
    ["rename", path, "/rw/taken", answer],
    ["rename", "/rw/f", path, answer],
    ["link", path, "/rw/taken", answer],
    ["link", "/rw/f", path, answer],
    ["symlink", "f", path, answer],
  ];
}

const bytes = (...parts: (string | number)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "number" ? [part] : [...Buffer.from(part)])));

export const ESCAPES: readonly Escape[] = [
  {
    title: "slashes behind paths that lead outside",
    seen: "RUSTSEC-2026-0269, cap-std",
    steps: [
      ...following("/rw/..", "ACCESS|IS_DIRECTORY"),
      ...following("/rw/../", "ACCESS|IS_DIRECTORY"),
      ...following("/rw/..//", "ACCESS|IS_DIRECTORY"),
      ...following("/rw/../.", "ACCESS|IS_DIRECTORY"),
      ...following("/rw/../../secret/", "ACCESS|IS_DIRECTORY"),
      ...following("/rw/../../secret/x/", "ACCESS|IS_DIRECTORY"),
      ...following("/rw/d/../../", "ACCESS|IS_DIRECTORY"),
      ["mkdir", "/rw/../../secret/new/", "ACCESS"],
      ["rmdir", "/rw/../../secret/empty/", "ACCESS"],
      ["rename", "/rw/../../secret/dir/", "/rw/taken/", "ACCESS"],
      ["rename", "/rw/d/", "/rw/../../secret/new/", "ACCESS"],
      ["unlink", "/rw/../../secret/x/", "ACCESS"],
      ["link", "/rw/../../secret/x/", "/rw/taken", "ACCESS"],
      ["list", "/rw", "OK d f"],
    ],
  },
  {
    title: "slashes behind links that lead outside",
    seen: "RUSTSEC-2026-0269, cap-std",
    planted: {
      out: { link: "../../secret" },
      "out-slash": { link: "../../secret/" },
      "out-dot": { link: "../../secret/." },
      file: { link: "../../secret/x" },
      "file-slash": { link: "../../secret/x/" },
      abs: { link: "@" },
      "abs-slash": { link: "@/" },
      up: { link: ".." },
      "up-slash": { link: "../" },
    },
    steps: ["out", "out-slash", "out-dot", "file", "file-slash", "abs", "abs-slash", "up", "up-slash"].flatMap(
      (link): Step[] => [
        ...["", "/", "//", "/.", "/./"].flatMap((end) => following(`/rw/${link}${end}`, "ACCESS|IS_DIRECTORY")),
        ...every(`/rw/${link}/x`, "ACCESS"),
        ["rmdir", `/rw/${link}/`, "NOT_DIRECTORY"],
        ["mkdir", `/rw/${link}/`, "EXISTS"],
        ["unlink", `/rw/${link}/`, "NOT_DIRECTORY"],
        ["rename", `/rw/${link}/`, "/rw/taken", "NOT_DIRECTORY"],
        ["link", `/rw/${link}/`, "/rw/taken", "ACCESS"],
        ["lstat", `/rw/${link}/`, "ACCESS"],
        ["readlink", `/rw/${link}/`, "ACCESS"],
        ["symlink", "f", `/rw/${link}/`, "EXISTS"],
      ],
    ),
  },
  {
    title: "a link that the guest makes, followed to create and to write",
    seen: "CVE-2024-38358, wasmer",
    steps: [
      ["symlink", "../../secret/new", "/rw/evil", "OK"],
      ["create", "/rw/evil", "ACCESS"],
      ["exclusive", "/rw/evil", "EXISTS"],
      ...following("/rw/evil", "ACCESS"),
      ["mkdir", "/rw/evil", "EXISTS"],
      ["symlink", "../../secret", "/rw/dir", "OK"],
      ...every("/rw/dir/new", "ACCESS"),
      ...every("/rw/dir/x", "ACCESS"),
      ["readNoFollow", "/rw/evil", "LOOP"],
      ["unlink", "/rw/evil", "OK"],
      ["unlink", "/rw/dir", "OK"],
    ],
  },
  {
    title: "a link with dots that the guest makes, then opens, from every depth",
    seen: "wazero#2321",
    steps: [
      ["mkdir", "/rw/a", "OK"],
      ["mkdir", "/rw/a/b", "OK"],
      ...["/rw/evil", "/rw/a/evil", "/rw/a/b/evil"].flatMap((path, depth): Step[] => [
        ["symlink", `${"../".repeat(depth)}../../secret/x`, path, "OK"],
        ...following(path, "ACCESS"),
        ["unlink", path, "OK"],
        ["symlink", `${"../".repeat(depth)}../../../../../../etc/passwd`, path, "OK"],
        ...following(path, "ACCESS"),
        ["unlink", path, "OK"],
        ["symlink", `${"../".repeat(depth)}f`, path, "OK"],
        ["read", path, "OK mine"],
        ["unlink", path, "OK"],
      ]),
    ],
  },
  {
    title: "links that lead inside until they are moved, or until the way to them is",
    seen: "bun#40654, walrus#466: the parent of the path against the parent of the folder",
    steps: [
      ["symlink", "..", "/rw/d/up", "OK"],
      ["list", "/rw/d/up", "OK d f"],
      ["rename", "/rw/d/up", "/rw/up", "OK"],
      ...following("/rw/up", "ACCESS|IS_DIRECTORY"),
      ...every("/rw/up/f", "ACCESS"),
      ["mkdir", "/rw/d/e", "OK"],
      ["symlink", "../../f", "/rw/d/e/in", "OK"],
      ["read", "/rw/d/e/in", "OK mine"],
      ["rename", "/rw/d/e", "/rw/e", "OK"],
      ...following("/rw/e/in", "ACCESS"),
      ["symlink", "../..", "/rw/e/root", "OK"],
      ["symlink", "e/root/../secret/x", "/rw/chain", "OK"],
      ...following("/rw/chain", "ACCESS"),
      ["symlink", "d/g/../../../../secret/x", "/rw/behind-a-file", "OK"],
      ...following("/rw/behind-a-file", "NOT_DIRECTORY"),
    ],
  },
  {
    title: "two dots behind a link lead to the parent of the folder that it leads to",
    seen: "bun#40654, uvwasi",
    planted: {
      "d/e/deep": "deep",
      "d/mark": "parent of the folder",
      mark: "parent of the link",
      "to-deep": { link: "d/e" },
      out: { link: "../../secret/dir" },
      around: { link: "../rw/f" },
    },
    steps: [
      ["read", "/rw/to-deep/../mark", "OK parent of the folder"],
      ["read", "/rw/to-deep/../../mark", "OK parent of the link"],
      ["read", "/rw/to-deep/../../../rw/mark", "ACCESS"],
      ["read", "/rw/to-deep/../../..", "IS_DIRECTORY|ACCESS"],
      ["read", "/rw/out/../x", "ACCESS"],
      ["read", "/rw/out/../../granted/rw/f", "ACCESS"],
      ["read", "/rw/around", "ACCESS"],
      ["read", "/rw/../rw/f", "ACCESS"],
      ["read", "/rw/d/../../rw/f", "ACCESS"],
      ["read", "/rw/none/../f", "NOT_FOUND"],
      ["read", "/rw/f/../f", "NOT_DIRECTORY"],
      ["create", "/rw/to-deep/../made", "OK"],
      ["read", "/rw/d/made", "OK made"],
      ["lstat", "/rw/made", "NOT_FOUND"],
    ],
  },
  {
    title: "paths and links that begin at a directory's handle",
    seen: "wasmtime path resolution, CVE-2024-38358",
    planted: { "d/e/h": "deep", "d/e/up": { link: "../../f" }, "d/out": { link: "../../../secret" } },
    steps: [
      ...every("/rw/d>../f", "ACCESS"),
      ...every("/rw/d>e/../../f", "ACCESS"),
      ...every("/rw/d>/f", "ACCESS"),
      ...every("/rw/d>@/x", "ACCESS"),
      ...every("/rw/d>out/x", "ACCESS"),
      ...every("/rw>../../secret/x", "ACCESS"),
      ["read", "/rw/d>e/up", "ACCESS"],
      ["read", "/rw>d/e/up", "OK mine"],
      ["read", "/rw/d>e/../g", "OK mine"],
    ],
  },
  {
    title: "absolute links, that others made and that the guest would make",
    seen: "uvwasi#226, node#50396, graal#13419",
    planted: {
      file: { link: "@/x" },
      none: { link: "@/none" },
      root: { link: "/" },
      passwd: { link: "/etc/passwd" },
      inside: { link: "@/../granted/rw/f" },
      slashes: { link: "//" },
      mount: { link: "/rw/f" },
      "d/proc": { link: "/proc/self/root" },
    },
    steps: [
      ...["file", "none", "root", "passwd", "inside", "slashes", "mount", "d/proc"].flatMap((link): Step[] => [
        ...following(`/rw/${link}`, "ACCESS"),
        ...every(`/rw/${link}/x`, "ACCESS"),
        ["create", `/rw/${link}`, "ACCESS"],
        ["exclusive", `/rw/${link}`, "EXISTS"],
        ["readNoFollow", `/rw/${link}`, "LOOP"],
      ]),
      ["rename", "/rw/f", "/rw/file", "OK"],
      ["read", "/rw/file", "OK mine"],
      ["unlink", "/rw/none", "OK"],
    ],
  },
  {
    title: "targets of links that nobody looked at",
    seen: "uvwasi#299",
    steps: [
      ["symlink", "@/x", "/rw/l", "ACCESS"],
      ["symlink", "/", "/rw/l", "ACCESS"],
      ["symlink", "//", "/rw/l", "ACCESS"],
      ["symlink", "/rw/f", "/rw/l", "ACCESS"],
      ["symlink", "", "/rw/l", "INVALID|NOT_FOUND"],
      ["symlink", bytes("f", 0, "/etc/passwd"), "/rw/l", "INVALID"],
      ["symlink", bytes(0xff), "/rw/l", "INVALID"],
      ["symlink", "x".repeat(5000), "/rw/l", "NAME_TOO_LONG"],
      ["lstat", "/rw/l", "NOT_FOUND"],
      ["symlink", "./../../secret/x", "/rw/l", "OK"],
      ["readlink", "/rw/l", "OK ./../../secret/x"],
      ["read", "/rw/l", "ACCESS"],
      ["unlink", "/rw/l", "OK"],
      ["symlink", "..\\..\\secret\\x", "/rw/l", "OK"],
      ["read", "/rw/l", "NOT_FOUND"],
    ],
  },
  {
    title: "hard links to links, renames of links, and renames onto them",
    seen: "CVE-2024-38358, RUSTSEC-2026-0188",
    planted: { out: { link: "../../secret" }, file: { link: "../../secret/x" }, second: { link: "@/x" } },
    steps: [
      ["link", "/rw/file", "/rw/hard", "OK|UNSUPPORTED"],
      ["read", "/rw/hard", "ACCESS|NOT_FOUND"],
      ["rename", "/rw/file", "/rw/d/file", "OK"],
      ["read", "/rw/d/file", "ACCESS"],
      ["write", "/rw/d/file", "ACCESS"],
      ["link", "/rw/out/x", "/rw/taken", "ACCESS"],
      ["rename", "/rw/out/x", "/rw/taken", "ACCESS"],
      ["rename", "/rw/f", "/rw/out/x", "ACCESS"],
      ["rename", "/rw/d", "/rw/out", "NOT_DIRECTORY"],
      ["rename", "/rw/f", "/rw/second", "OK"],
      ["read", "/rw/second", "OK mine"],
      ["write", "/rw/second", "OK"],
    ],
  },
  {
    title: "folders whose names begin like the granted one's",
    seen: "Truxify#13109: a prefix of the text of the path",
    planted: { beside: { link: "../rw-secret/x" }, "beside-abs": { link: "@/../granted/rw-secret/x" } },
    steps: [
      ...every("/rw/../rw-secret/x", "ACCESS"),
      ...every("/rw>../rw-secret/x", "ACCESS"),
      ...following("/rw/beside", "ACCESS"),
      ...following("/rw/beside-abs", "ACCESS"),
      ["read", "/rw-secret/x", "NOT_FOUND|ACCESS"],
      ["create", "/rw-secret/x", "NOT_FOUND|ACCESS"],
      ["read", "/r/../rw/f", "NOT_FOUND|ACCESS"],
    ],
  },
  {
    title: "grants matched against a path that is not walked yet",
    seen: "librefang#3457; there are no patterns here: a mount's names are matched one by one",
    steps: [
      ...every("/rw/../ro/f", "ACCESS"),
      ...every("/rw/d/../../ro/f", "ACCESS"),
      ...changing("/ro/../rw/f", "READ_ONLY"),
      ...changing("/ro/./d/../../rw/f", "READ_ONLY"),
      ["read", "/ro/../rw/f", "ACCESS"],
      ["read", "/RW/f", "NOT_FOUND|ACCESS"],
      ["read", "//rw//.//f", "OK mine"],
      ["read", "/", "NOT_FOUND|ACCESS"],
      ["list", "/", "NOT_FOUND|ACCESS"],
      ["mkdir", "/new", "NOT_FOUND|ACCESS"],
      ["read", "/etc/passwd", "NOT_FOUND|ACCESS"],
      ["read", "@/x", "NOT_FOUND|ACCESS"],
      ["create", "@/new", "NOT_FOUND|ACCESS"],
    ],
  },
  {
    title: "dots and slashes in other spellings",
    seen: "CVE-2001-0333 and its many heirs",
    steps: [
      ["read", bytes("/rw/", 0xc0, 0xae, 0xc0, 0xae, "/secret"), "INVALID"],
      ["read", bytes("/rw/..", 0xc0, 0xaf, "..", 0xc0, 0xaf, "secret"), "INVALID"],
      ["read", bytes("/rw/", 0xe0, 0x80, 0xae, 0xe0, 0x80, 0xae, "/x"), "INVALID"],
      ["read", bytes("/rw/f", 0), "INVALID"],
      ["read", bytes("/rw/f", 0, "/../../x"), "INVALID"],
      ["create", bytes("/rw/", 0xed, 0xa0, 0x80), "INVALID"],
      ["read", "/rw/%2e%2e/%2e%2e/secret/x", "NOT_FOUND"],
      ["read", "/rw/．．/secret/x", "NOT_FOUND"],
      ["read", "/rw/..∕..∕secret∕x", "NOT_FOUND"],
      ["read", "/rw/..\\..\\secret\\x", "NOT_FOUND"],
      ["read", "/rw/.../f", "NOT_FOUND"],
      ["read", "/rw/.. /f", "NOT_FOUND"],
      ["read", "/rw/~/f", "NOT_FOUND"],
      ["create", "/rw/..\\..\\secret\\x", "OK"],
      ["read", "/rw/..\\..\\secret\\x", "OK made"],
    ],
  },
  {
    title: "whether something is there, outside",
    seen: "CVE-2026-21715, node#49156",
    planted: {
      there: { link: "../../secret/x" },
      none: { link: "../../secret/none" },
      "in-there": { link: "../../secret/x/y" },
      "in-none": { link: "../../secret/none/y" },
      "dir-there": { link: "../../secret/dir" },
      "abs-there": { link: "@/x" },
      "abs-none": { link: "@/none" },
      loop: { link: "../../secret/loop" },
    },
    steps: [
      ...["there", "none", "in-there", "in-none", "dir-there", "abs-there", "abs-none", "loop"].flatMap(
        (link): Step[] => [
          ...following(`/rw/${link}`, "ACCESS"),
          ...every(`/rw/${link}/z`, "ACCESS"),
          ["create", `/rw/${link}`, "ACCESS"],
        ],
      ),
      ...["secret", "secret/x", "secret/none", "secret/dir", "secret/x/y", "granted/rw/f", "secret/loop"].flatMap(
        (path) => every(`/rw/../../${path}`, "ACCESS"),
      ),
    ],
  },
  {
    title: "a file of a read-only mount, by another name where writing is allowed",
    seen: "RUSTSEC-2026-0188, wasmtime-wasi",
    steps: [
      ["link", "/ro/f", "/rw/stolen", "READ_ONLY"],
      ["rename", "/ro/f", "/rw/stolen", "READ_ONLY"],
      ["rename", "/ro/d", "/rw/stolen", "READ_ONLY"],
      ["link", "/ro>f", "/rw>stolen", "READ_ONLY"],
      ["rename", "/ro/d>g", "/rw/d>stolen", "READ_ONLY"],
      ["link", "/rw/f", "/ro/new", "READ_ONLY"],
      ["rename", "/rw/f", "/ro/f", "READ_ONLY"],
      ["rename", "/ro/f", "/ro/g", "READ_ONLY"],
      ["link", "/ro/f", "/ro/g", "READ_ONLY"],
      ["lstat", "/rw/stolen", "NOT_FOUND"],
      ["symlink", "../ro/f", "/rw/through", "OK"],
      ...following("/rw/through", "ACCESS"),
      // The same folder twice: what is read-only here is so, although it can be written there.
      ["link", "/view/f", "/rw/stolen", "READ_ONLY"],
      ["rename", "/view/f", "/rw/stolen", "READ_ONLY"],
      ["rename", "/rw/f", "/view/g", "READ_ONLY"],
      ...changing("/view/f", "READ_ONLY"),
      ["read", "/view/f", "OK mine"],
    ],
  },
  {
    title: "truncating and writing what is there in a read-only mount",
    seen: "GHSA-2r75-cxrj-cmph, wasmtime-wasi",
    steps: [
      ...["/ro/f", "/ro/d/g", "/ro/link", "/ro/d", "/ro/none", "/ro/out/x", "/ro>f", "/ro/d>g"].flatMap((path) =>
        changing(path, "READ_ONLY"),
      ),
      ["writeOpen", "/ro/f", "ACCESS"],
      ["truncateOpen", "/ro/f", "ACCESS"],
      ["writeOpen", "/ro/link", "ACCESS"],
      ["writeOpen", "/rw/f", "ACCESS"],
      ["truncateOpen", "/rw/f", "ACCESS"],
      ["read", "/ro/f", "OK theirs"],
      ["read", "/ro/link", "OK theirs"],
      ["read", "/rw/f", "OK mine"],
    ],
  },
  {
    title: "times of what is in a read-only mount, by path and by handle",
    seen: "CVE-2025-55132, Node.js",
    steps: [
      ["timesOpen", "/ro/f", "READ_ONLY"],
      ["timesOpen", "/ro/d/g", "READ_ONLY"],
      ["timesOpen", "/view/f", "READ_ONLY"],
      ["timesOpenDirectory", "/ro", "READ_ONLY"],
      ["timesOpenDirectory", "/ro/d", "READ_ONLY"],
      ["times", "/ro/f", "READ_ONLY"],
      ["times", "/ro", "READ_ONLY"],
      ["times", "/ro/link", "READ_ONLY"],
      ["ltimes", "/ro/link", "READ_ONLY"],
      ["times", "/ro/none", "READ_ONLY"],
      ["times", "/ro>d", "READ_ONLY"],
    ],
  },
  {
    title: "the granted folder itself",
    seen: "wasmtime path resolution",
    steps: [
      ["rmdir", "/rw", "BUSY|INVALID"],
      ["rmdir", "/rw/", "BUSY|INVALID"],
      ["rmdir", "/rw/d/..", "INVALID"],
      ["rename", "/rw", "/rw/new", "BUSY|INVALID"],
      ["rename", "/rw/d", "/rw", "BUSY|INVALID"],
      ["unlink", "/rw", "IS_DIRECTORY|INVALID"],
      ["mkdir", "/rw", "EXISTS|INVALID"],
      ["symlink", "f", "/rw", "EXISTS|INVALID"],
      ["link", "/rw/f", "/rw", "EXISTS|INVALID"],
      ["rename", "/rw/d", "/rw/d/in", "INVALID"],
      ["list", "/rw", "OK d f"],
    ],
  },
  {
    title: "links without end",
    seen: "CVE-2024-38358: a host that ends",
    planted: { a: { link: "b" }, b: { link: "a" }, self: { link: "self" }, grow: { link: "grow/grow/grow" } },
    steps: [
      ...["a", "b", "self", "grow"].flatMap((link): Step[] => [
        ...following(`/rw/${link}`, "LOOP"),
        ...every(`/rw/${link}/x`, "LOOP"),
      ]),
      ["symlink", "d/../".repeat(800), "/rw/long", "OK"],
      ["list", "/rw/long", "OK a b d f grow long self"],
      ["symlink", "long/long/long/long/long/long", "/rw/longer", "OK"],
      ["list", "/rw/longer", "LOOP"],
    ],
  },
];
