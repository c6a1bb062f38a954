/** The table of `ashlar store`. */
import type { Option } from "../arguments.ts";
import type { Command, Program } from "../command.ts";

const JSON_OPTION: Option = { name: "json", doc: "Print one JSON object." };
const JSON_LINES_OPTION: Option = { name: "json", doc: "Print JSON objects, one a line." };
const AT_OPTION: Option = { name: "at", value: "SNAPSHOT", doc: "As of this snapshot." };
const WAIT_OPTION: Option = {
  name: "wait",
  value: "SECONDS",
  doc: "How long to wait while another process writes to the store. Default: 30.",
};
const NAMESPACE_OPTION: Option = {
  name: "namespace",
  value: "N",
  doc: "The namespace of the name, from 65536 on; the name is then 64 hexadecimal digits. Default: names as people give them.",
};

const KEY_DOC =
  "KEY is a key (sha256:…), the first digits of one, at least 8, that no other begins with, the identity of a pack (mi2:…), or a name that `bind` gave.";

/** The program, under the name that it was called by. */
export function storeProgram(name: string): Program<unknown> {
  return {
    name,
    about: "Keeps artifacts, which are bytes of any size, in a folder, under keys that are digests of them.",
    commands: VERBS.map((verb) => ({ ...verb, examples: verb.examples.map((line) => `${name} ${line}`) })),
  };
}

/** Examples are without the program's name. */
const VERBS: readonly Command<unknown>[] = [
  {
    name: "init",
    summary: "make a store in a new folder",
    usage: "DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      {
        name: "algorithm",
        value: "NAME",
        doc: "How keys are made: sha256, which is the default, sha3-256, sha2-512-256 or blake2s-256.",
      },
      JSON_OPTION,
    ],
    details: ["DIR must be empty or not there yet."],
    examples: ["init disk", "init disk --algorithm blake2s-256"],
    run: async (args) => (await import("./init.ts")).init(args),
  },
  {
    name: "put",
    summary: "store files and print their keys",
    usage: "DIR FILE… [OPTIONS]",
    positionals: [2, Number.POSITIVE_INFINITY],
    options: [
      {
        name: "type-tag",
        value: "N",
        doc: "A number below 2^32, also 0x…, that says what the bytes are to whoever gave it.",
      },
      { name: "published", doc: "They may leave the store: what is published is not taken back." },
      WAIT_OPTION,
      JSON_LINES_OPTION,
    ],
    details: [
      "FILE is a file, of any size, or - for standard input. A line is printed for each, in their order, when it is on disk: its key. What the store has already is not stored again.",
      "A pack (assets.pa) is checked, and is found under its identity from then on: `get DIR mi2:…`, `ashlar run --store DIR --assets mi2:…`.",
    ],
    examples: ["put disk art/*.png", "put disk - < backup.tar", "put disk assets.pa"],
    run: async (args) => (await import("./put.ts")).put(args),
  },
  {
    name: "get",
    summary: "write an artifact to a file or to standard output",
    usage: "DIR KEY [OPTIONS]",
    positionals: [2, 2],
    options: [
      { name: "output", value: "FILE", doc: "Where it goes; - is standard output, the default. Short: -o." },
      { name: "offset", value: "N", doc: "Begin at this byte." },
      { name: "length", value: "N", doc: "At most so many bytes." },
      AT_OPTION,
      { ...JSON_OPTION, doc: "Print one JSON object; the bytes go to a file." },
    ],
    details: [
      KEY_DOC,
      "Every byte is checked before it is written. FILE is there as a whole or not at all; of an artifact that is damaged nothing is printed.",
    ],
    examples: ["get disk sha256:9f86d081 -o file", "get disk sha256:9f86d081 --offset 1024 --length 16 | xxd"],
    run: async (args) => (await import("./get.ts")).get(args),
  },
  {
    name: "ls",
    summary: "list keys",
    usage: "DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      { name: "prefix", value: "DIGITS", doc: "Only keys whose digests begin with these hexadecimal digits." },
      AT_OPTION,
      { name: "long", doc: "Show length, type tag, visibility, logseq and position as well." },
      JSON_LINES_OPTION,
    ],
    details: [
      "In the order of the digests, a line for each artifact; with --long, and with --json, a line for each type tag and visibility that it has.",
    ],
    examples: ["ls disk", "ls disk --long --prefix 9f86"],
    run: async (args) => (await import("./ls.ts")).ls(args),
  },
  {
    name: "stat",
    summary: "tell what is known of an artifact",
    usage: "DIR KEY [OPTIONS]",
    positionals: [2, 2],
    options: [AT_OPTION, JSON_OPTION],
    details: [KEY_DOC],
    examples: ["stat disk sha256:9f86d081"],
    run: async (args) => (await import("./stat.ts")).stat(args),
  },
  {
    name: "rm",
    summary: "remove artifacts",
    usage: "DIR KEY… [OPTIONS]",
    positionals: [2, Number.POSITIVE_INFINITY],
    options: [WAIT_OPTION, JSON_OPTION],
    details: [
      KEY_DOC,
      "All of them or, when one is not there, none. Snapshots that were taken before still have them, so nothing becomes free by it.",
    ],
    examples: ["rm disk sha256:9f86d081"],
    run: async (args) => (await import("./rm.ts")).rm(args),
  },
  {
    name: "log",
    summary: "print what happened to the store",
    usage: "DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      { name: "from", value: "POSITION", doc: "Begin with this position. Default: 1." },
      { name: "limit", value: "N", doc: "Print at most so many entries." },
      JSON_LINES_OPTION,
    ],
    details: ["An entry a line, the oldest first: position, logseq, kind, and what it is about."],
    examples: ["log disk", "log disk --from 1000 --limit 10"],
    run: async (args) => (await import("./log.ts")).log(args),
  },
  {
    name: "snapshot",
    summary: "take, list, drop and identify snapshots",
    usage: "DIR [NAME] [OPTIONS]",
    positionals: [1, 2],
    options: [
      { name: "list", doc: "List them." },
      { name: "drop", value: "NAME", doc: "Drop this one." },
      {
        name: "identity",
        value: "NAME",
        doc: "Print the digest of what it holds: that of another store is the same when it was given the same in the same order.",
      },
      WAIT_OPTION,
      JSON_OPTION,
    ],
    details: ["With NAME a snapshot is taken: --at NAME shows the store as it is now, whatever happens later."],
    examples: ["snapshot disk monday", "snapshot disk --list", "snapshot disk --identity monday"],
    run: async (args) => (await import("./snapshot.ts")).snapshot(args),
  },
  {
    name: "bind",
    summary: "give an artifact a name",
    usage: "DIR NAME KEY [OPTIONS]",
    positionals: [3, 3],
    options: [NAMESPACE_OPTION, WAIT_OPTION, JSON_OPTION],
    details: [
      KEY_DOC,
      "NAME has 1 to 32 bytes of UTF-8 and no colon, and does not consist of eight or more hexadecimal digits alone, so that it can stand where keys stand. A name that is bound already is bound anew.",
    ],
    examples: ["bind disk logo sha256:9f86d081; ashlar store get disk logo -o logo.png"],
    run: async (args) => (await import("./bindings.ts")).bind(args),
  },
  {
    name: "resolve",
    summary: "print the key that a name is bound to",
    usage: "DIR NAME [OPTIONS]",
    positionals: [2, 2],
    options: [NAMESPACE_OPTION, AT_OPTION, JSON_OPTION],
    details: ["NAME may also be the identity of a pack (mi2:…)."],
    examples: ["resolve disk logo"],
    run: async (args) => (await import("./bindings.ts")).resolve(args),
  },
  {
    name: "unbind",
    summary: "take a name back",
    usage: "DIR NAME [OPTIONS]",
    positionals: [2, 2],
    options: [NAMESPACE_OPTION, WAIT_OPTION, JSON_OPTION],
    details: ["NAME may also be the identity of a pack (mi2:…). The artifact stays."],
    examples: ["unbind disk logo"],
    run: async (args) => (await import("./bindings.ts")).unbind(args),
  },
  {
    name: "bindings",
    summary: "list names and what they are bound to",
    usage: "DIR [OPTIONS]",
    positionals: [1, 1],
    options: [AT_OPTION, JSON_LINES_OPTION],
    details: ["Names of people appear as they are, others as their namespace and 64 hexadecimal digits."],
    examples: ["bindings disk"],
    run: async (args) => (await import("./bindings.ts")).bindings(args),
  },
  {
    name: "publish",
    summary: "allow artifacts to leave the store",
    usage: "DIR KEY… [OPTIONS]",
    positionals: [2, Number.POSITIVE_INFINITY],
    options: [WAIT_OPTION, JSON_OPTION],
    details: [KEY_DOC, "They are copied into one block of published artifacts. That is not taken back."],
    examples: ["publish disk sha256:9f86d081"],
    run: async (args) => (await import("./publish.ts")).publish(args),
  },
  {
    name: "pin",
    summary: "keep an artifact from being collected",
    usage: "DIR LABEL KEY [OPTIONS]",
    positionals: [3, 3],
    options: [WAIT_OPTION, JSON_OPTION],
    details: [KEY_DOC, "LABEL says why, and takes the pin away again."],
    examples: ["pin disk 'for the museum' sha256:9f86d081"],
    run: async (args) => (await import("./pins.ts")).pin(args),
  },
  {
    name: "unpin",
    summary: "take a pin away",
    usage: "DIR LABEL [OPTIONS]",
    positionals: [2, 2],
    options: [WAIT_OPTION, JSON_OPTION],
    details: [],
    examples: ["unpin disk 'for the museum'"],
    run: async (args) => (await import("./pins.ts")).unpin(args),
  },
  {
    name: "pins",
    summary: "list pins",
    usage: "DIR [--json]",
    positionals: [1, 1],
    options: [JSON_OPTION],
    details: [],
    examples: ["pins disk"],
    run: async (args) => (await import("./pins.ts")).pins(args),
  },
  {
    name: "fsck",
    summary: "check every byte of a store",
    usage: "DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      { name: "deep", doc: "Hold every artifact against its key as well, and not blocks against their digests alone." },
      {
        name: "repair",
        doc: "Rebuild what can be rebuilt without guessing, and move what is damaged to the folder quarantine of the store.",
      },
      WAIT_OPTION,
      JSON_OPTION,
    ],
    details: ["Exit code 1 when anything is wrong, with all that is; 0 where all of it was repaired."],
    examples: ["fsck disk --deep"],
    run: async (args) => (await import("./fsck.ts")).fsck(args),
  },
  {
    name: "rebuild",
    summary: "make index and log of a store anew from its artifacts",
    usage: "DIR [OPTIONS]",
    positionals: [1, 1],
    options: [WAIT_OPTION, JSON_OPTION],
    details: [
      "For a store whose log is lost or damaged. It tells what cannot be known from the artifacts alone. What was there is moved to the folder quarantine of the store.",
    ],
    examples: ["rebuild disk"],
    run: async (args) => (await import("./rebuild.ts")).rebuild(args),
  },
  {
    name: "stats",
    summary: "print what a store holds and what it takes",
    usage: "DIR [--json]",
    positionals: [1, 1],
    options: [JSON_OPTION],
    details: [],
    examples: ["stats disk"],
    run: async (args) => (await import("./stats.ts")).stats(args),
  },
];
