/** The table of `ashlar assets`, and of `assets-tool`, which is the same under a name of its own. */
import type { Option } from "../arguments.ts";
import type { Command, Program } from "../command.ts";

const JSON_OPTION: Option = { name: "json", doc: "Print one JSON object." };
const FORCE_OPTION: Option = { name: "force", doc: "Replace what is there." };

const STACK_DOC =
  "PACK is a file, or - for standard input. With BASE,PATCH… it is a pack and patches of it, the lowest first; a file whose name has commas is taken as it is.";

/** Options of those that make packs. */
const BUILD_OPTIONS: readonly Option[] = [
  {
    name: "output",
    value: "FILE",
    doc: "Where the pack goes. Default: what the configuration says; a folder without one needs this. Short: -o.",
  },
  {
    name: "lock",
    value: "FILE",
    doc: "The file that keeps ids stable. Default: what the configuration says, else assets.lock.json in the folder.",
  },
  { name: "no-lock", doc: "Keep no ids: assets are numbered in the order of their names." },
  {
    name: "cache",
    value: "DIR",
    doc: "Keep what is expensive to make in this folder. Default: one of the user's.",
  },
  { name: "no-cache", doc: "Make everything anew." },
];

const SOURCE_DOC =
  "DIR is a folder of files: it is packed as its assets.config.json says (or .ts, .mts, .js, .mjs), or without one every file by its kind, stored raw. CONFIG is such a configuration. Files that cannot be packed are all told at once.";

/** The program, under the name that it was called by. */
export function assetsProgram(name: string): Program<unknown> {
  return {
    name,
    about: "Makes packs of assets for guest programs, looks into them and checks them.",
    commands: VERBS.map((verb) => ({ ...verb, examples: verb.examples.map((line) => `${name} ${line}`) })),
  };
}

/** Examples are without the program's name. */
const VERBS: readonly Command<unknown>[] = [
  {
    name: "pack",
    summary: "make a pack of a folder of files",
    usage: "DIR|CONFIG [OPTIONS]",
    positionals: [1, 1],
    options: [
      ...BUILD_OPTIONS,
      { name: "check", doc: "Write nothing: exit with 1 where the pack or the lock file is not what would be made." },
      { name: "quiet", doc: "Say nothing of what is only worth knowing." },
      JSON_OPTION,
    ],
    details: [
      SOURCE_DOC,
      "The same files, configuration and lock file make the same bytes, on every machine. Keep the lock file with the files: it says which id an asset has, and that no other ever gets it.",
    ],
    examples: ["pack art -o assets.pa", "pack assets.config.json --check"],
    run: async (args) => (await import("./pack.ts")).pack(args),
  },
  {
    name: "list",
    summary: "list the assets of a pack",
    usage: "PACK [OPTIONS]",
    positionals: [1, 1],
    options: [{ name: "type", value: "BANK", repeatable: true, doc: "Only assets of this bank type." }, JSON_OPTION],
    details: [STACK_DOC],
    examples: ["list assets.pa", "list base.pa,patch.pa --type tiles"],
    run: async (args) => (await import("./list.ts")).list(args),
  },
  {
    name: "inspect",
    summary: "show what a pack is made of",
    usage: "PACK [OPTIONS]",
    positionals: [1, 1],
    options: [
      { name: "at", value: "OFFSET", doc: "Say what lies at this byte of the file instead; decimal, or 0x…." },
      JSON_OPTION,
    ],
    details: [
      "PACK is a file, or - for standard input. Only its prelude and header are read; `verify` checks the rest. Bytes that several assets share count once in what is stored.",
    ],
    examples: ["inspect assets.pa", "inspect --at 0x1f40 assets.pa"],
    run: async (args) => (await import("./inspect.ts")).inspect(args),
  },
  {
    name: "extract",
    summary: "write assets to files",
    usage: "PACK -o DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      { name: "output", value: "DIR", doc: "The folder; with one asset, - for standard output. Short: -o." },
      { name: "id", value: "ID", repeatable: true, doc: "Only this asset." },
      {
        name: "name",
        value: "GLOB",
        repeatable: true,
        doc: "Only assets whose names match, as in 'tiles/*.png' or '**/grass'.",
      },
      { name: "type", value: "BANK", repeatable: true, doc: "Only assets of this bank type." },
      { ...FORCE_OPTION, doc: "Replace files that are there." },
      JSON_OPTION,
    ],
    details: [
      `${STACK_DOC} Files are named as the assets, and hold what a guest reads, which need not be the files that were packed.`,
      "Nothing is written outside of DIR, and through no link in it. Names that are not those of files everywhere, on Windows too, are refused, and so are two that differ in upper and lower case alone: all before anything is written.",
    ],
    examples: [
      "extract assets.pa -o out",
      "extract assets.pa --id 7 -o - | xxd",
      "extract base.pa,patch.pa --name 'maps/**' -o out --force",
    ],
    run: async (args) => (await import("./extract.ts")).extract(args),
  },
  {
    name: "verify",
    summary: "check every byte of a pack",
    usage: "PACK [OPTIONS]",
    positionals: [1, 1],
    options: [
      {
        name: "key",
        value: "KEY",
        doc: "Demand a signature by this public key: a file of `keygen`, or 64 hexadecimal digits.",
      },
      { name: "identity", value: "ID", doc: "Demand this identity (mi2:…)." },
      { name: "slots", value: "N", doc: "What the host has of each bank type; 256 by default." },
      JSON_OPTION,
    ],
    details: [
      STACK_DOC,
      "A signature says that whoever has its key signed the pack; only --key says who that is. Exit code 1 when anything is wrong, with all that is.",
    ],
    examples: ["verify assets.pa", "verify assets.pa --key release.pem.pub"],
    run: async (args) => (await import("./verify.ts")).verify(args),
  },
  {
    name: "diff",
    summary: "compare two packs",
    usage: "BEFORE AFTER [--json]",
    positionals: [2, 2],
    options: [JSON_OPTION],
    details: [
      `Assets are compared by id: name, bank type, stored bytes, metadata; then the preload and the metadata of the packs. ${STACK_DOC}`,
      "Exit code: 0 when a guest can find no difference, 1 when it can, 2 when they cannot be compared.",
    ],
    examples: ["diff old.pa new.pa", "diff base.pa,patch.pa new.pa"],
    run: async (args) => (await import("./diff.ts")).diff(args),
  },
  {
    name: "patch",
    summary: "make a patch from one pack to another",
    usage: "BASE NEXT -o PATCH [OPTIONS]",
    positionals: [2, 2],
    options: [{ name: "output", value: "PATCH", doc: "Where the patch goes. Short: -o." }, JSON_OPTION],
    details: [
      "PATCH is a pack with what is new or changed in NEXT. On BASE it makes the assets of NEXT: `ashlar run --assets BASE,PATCH`. BASE may be a pack and patches of it, with commas between them.",
    ],
    examples: ["patch v1.pa v2.pa -o v2.patch.pa"],
    run: async (args) => (await import("./patch.ts")).patch(args),
  },
  {
    name: "sign",
    summary: "sign a pack",
    usage: "PACK --key KEY [OPTIONS]",
    positionals: [1, 1],
    options: [
      { name: "key", value: "KEY", doc: "The private key: a file of `keygen`, or another Ed25519 key in PEM." },
      {
        name: "output",
        value: "FILE",
        doc: "Where the signed pack goes. Default: in place of the other. Short: -o.",
      },
      { ...FORCE_OPTION, doc: "Replace a signature that the pack has." },
      JSON_OPTION,
    ],
    details: ["The signature is over prelude and header, and so over everything. The identity stays as it is."],
    examples: ["sign assets.pa --key release.pem"],
    run: async (args) => (await import("./sign.ts")).sign(args),
  },
  {
    name: "keygen",
    summary: "make a pair of keys for signing",
    usage: "-o FILE [--json]",
    positionals: [0, 0],
    options: [
      { name: "output", value: "FILE", doc: "The private key; the public one goes to FILE.pub. Short: -o." },
      JSON_OPTION,
    ],
    details: [
      "Ed25519, in PEM, as OpenSSL reads and writes it. The private key is for its owner alone and not encrypted. Nothing that is there is replaced.",
    ],
    examples: ["keygen -o release.pem"],
    run: async (args) => (await import("./keygen.ts")).keygen(args),
  },
  {
    name: "watch",
    summary: "make a pack again whenever its files change",
    usage: "DIR|CONFIG [OPTIONS]",
    positionals: [1, 1],
    options: [...BUILD_OPTIONS, { ...JSON_OPTION, doc: "Print a JSON object for each pack, one a line." }],
    details: [SOURCE_DOC, "Ends with Ctrl-C. What is wrong is told, and the pack that was there stays."],
    examples: ["watch assets.config.json"],
    run: async (args) => (await import("./watch.ts")).watch(args),
  },
  {
    name: "ids",
    summary: "print the ids of assets as source code",
    usage: "PACK --lang LANG [OPTIONS]",
    positionals: [1, 1],
    options: [
      { name: "lang", value: "ts|as|h|json", doc: "TypeScript, AssemblyScript, a header of C, or JSON." },
      { name: "output", value: "FILE", doc: "Write it there, if it is not the same already. Short: -o." },
      JSON_OPTION,
    ],
    details: [STACK_DOC],
    examples: ["ids assets.pa --lang h -o assets.h"],
    run: async (args) => (await import("./ids.ts")).ids(args),
  },
];
