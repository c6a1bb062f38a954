/** The table of the `ashlar` command; lines are taken apart and the help is printed by it. */
import type { Context } from "./arguments.ts";
import { type Command, type Group, type Program, VERSION } from "./command.ts";
import { GRANT_OPTIONS } from "./grants.ts";
import { EXECUTION_OPTIONS, GRAPH_OPTIONS, JSON_OPTION, KEY_DOC, STORE_OPTION } from "./pel/options.ts";
import {
  ENGINE_OPTIONS,
  LIMIT_OPTIONS,
  LINK_OPTION,
  NAME_OPTION,
  PROFILE_OPTION,
  READY_OPTIONS,
  RECORD_OPTIONS,
} from "./request.ts";
import { run } from "./run.ts";

const MODULE_DOC = "MODULE is a .wasm or .wat file, an image of `ashlar build`, or - for standard input.";

const COMMANDS: readonly (Command<Context> | Group<Context>)[] = [
  {
    name: "run",
    summary: "run a guest program",
    usage: "MODULE [OPTIONS] [-- ARGS]",
    positionals: [1, 1],
    rest: true,
    options: [
      {
        name: "invoke",
        value: "NAME[(ARG, …)]",
        doc: "Call this exported function instead and print its results, one a line.",
      },
      NAME_OPTION,
      ...GRANT_OPTIONS,
      ...LIMIT_OPTIONS,
      LINK_OPTION,
      ...ENGINE_OPTIONS,
      ...RECORD_OPTIONS,
      PROFILE_OPTION,
      { name: "report", value: "FILE", doc: "Write a JSON report to FILE; - for standard output." },
      { name: "digest", doc: "Put the digest of the guest's final state into the report." },
      { name: "summary", doc: "Say on standard error how the guest ended and what fuel and time it took." },
      { name: "quiet", doc: "Do not show what the guest logs." },
    ],
    details: [
      `${MODULE_DOC} Its entry point is the exported function _start, else main; neither takes parameters, and main may give an i32. Of a library, which exports _initialize and no _start, that is called first. Guests call Ashlar's own host functions, those of WASI preview 1, or both.`,
      "A guest has standard input, output and error, its arguments, and what it is granted; nothing else. When the module came through standard input, the guest's is empty. By default its clock and its random bytes are the same in every run.",
      "Exit code: the guest's own (what it passes to sys.exit or proc_exit, or the low eight bits of what main gives, else 0); 134 when it trapped or ran out of fuel; 1 when the module is bad or the host failed; 2 when the command line is wrong; 124 after --timeout; 130 after Ctrl-C; 143 after SIGTERM; 141 when nobody reads its output. A guest may exit with any of them itself: the report tells them apart.",
      `The report is one line of JSON: schema ("ashlar.run/1"), outcome ("exit", "trap", "out-of-fuel", "stopped" from outside, or "error" when the guest did not run to its end, or when what it made could not be copied back), exitCode, trap (code, name, message, function, offset, backtrace, of whose frames those of which the module tells the source have sources; else null), error (code, message; else null), fuelUsed (a number with all its digits, also above 2^53; null of a guest whose thread had to be ended), fuelLimit (the same, or null), engine (that ran), module (path, digest), durationMs, and stateDigest with --digest. On standard output it is the last line. FILE is emptied before the guest runs.`,
      "Ctrl-C, SIGTERM and --timeout stop the guest in order: a call of the host that is under way ends first, a recording is readable up to there, the report is written, and nothing is copied back of --tmp. A second Ctrl-C ends the process at once. When the guest has ended by itself, what it made is kept first.",
    ],
    examples: [
      "ashlar run hello.wasm",
      "ashlar run --dir ./texts::/texts:ro wordfreq.wasm -- /texts",
      "ashlar run --tmp /work=./work --quota bytes=64MiB convert.wasm -- /work",
      "ashlar run --record run.rec --clock real guest.wasm; ashlar run --replay run.rec --trace='fs.*' guest.wasm",
      "ashlar run --invoke 'fib(32)' --fuel 100_000_000 fib.wat",
      "ashlar run --report - guest.wasm | tail -n 1",
      "ashlar run --profile fuel.html --profile fuel.folded guest.wasm",
    ],
    run,
  },
  {
    name: "build",
    summary: "compile a guest program ahead of its runs",
    usage: "MODULE [OPTIONS] -o OUT",
    positionals: [1, 1],
    options: [
      { name: "optimize", doc: "Let binaryen optimize the code; `npm install binaryen` first." },
      LINK_OPTION,
      {
        name: "preinit",
        value: "EXPORT,…",
        optional: true,
        repeatable: true,
        doc: "Run the guest's _initialize, if it is a library, and these exported functions, which take nothing, and put a snapshot of it into the image: each run of that begins there.",
      },
      ...READY_OPTIONS,
      { name: "output", value: "OUT", doc: "Where the image goes. Short: -o." },
    ],
    details: [
      `${MODULE_DOC} Of an image its module is built. OUT becomes an image: the module and its compiled code in one file, for \`ashlar run OUT\`. Results, traps and fuel are those of the module; what is saved is the time to compile it, and optimized code is smaller, and faster until V8 has optimized it too.`,
      "With --preinit a guest that takes long to begin is ready at once. Grants and limits are those under which it is made ready: what it has opened is opened again through the grants of each run, folders by the place that they have for the guest. Fuel counts on from there. Nothing of it can be recorded.",
      "An image is trusted as a program is: its code is run as it stands. Run only images that you have built. Another version of Ashlar compiles the module in it anew.",
    ],
    examples: ["ashlar build guest.wasm --optimize -o guest.image", "ashlar run guest.image"],
    run: async (args, context) => (await import("./build.ts")).build(args, context),
  },
  {
    name: "inspect",
    summary: "show what a module imports, exports and contains",
    usage: "MODULE [--json]",
    positionals: [1, 1],
    options: [{ name: "json", doc: "Print one JSON object." }],
    details: [`${MODULE_DOC} The module is decoded and validated, not run.`],
    examples: ["ashlar inspect guest.wasm", "ashlar inspect --json guest.wasm"],
    run: async (args) => (await import("./inspect.ts")).inspect(args),
  },
  {
    name: "dis",
    summary: "print a module as text",
    usage: "MODULE [--function N|NAME]",
    positionals: [1, 1],
    options: [{ name: "function", value: "N|NAME", doc: "Print this function alone: its index, or its name." }],
    details: [
      `${MODULE_DOC} The output is the text format, an instruction a line, each with its byte offset as a comment; the offsets are those of traps.`,
    ],
    examples: ["ashlar dis guest.wasm", "ashlar dis --function main guest.wasm"],
    run: async (args) => (await import("./dis.ts")).dis(args),
  },
  {
    name: "new",
    summary: "start a guest program in a new folder",
    usage: "DIR --lang LANG",
    positionals: [1, 1],
    options: [{ name: "lang", value: "as|c|rust|wat", doc: "AssemblyScript, C, Rust, or WebAssembly's text format." }],
    details: [
      "DIR must be empty or not there yet. It gets a small program that builds and runs, what builds it, a README with the commands, and a copy of the bindings, so that it needs nothing of Ashlar but the command.",
    ],
    examples: ["ashlar new hello --lang c"],
    run: async (args) => (await import("./new.ts")).newGuest(args),
  },
  {
    name: "assets",
    summary: "make, look at and check packs of assets",
    verbs: async (path) => (await import("./assets/verbs.ts")).assetsProgram(path),
  },
  {
    name: "store",
    summary: "keep artifacts under digests of what they hold",
    verbs: async (path) => (await import("./store/verbs.ts")).storeProgram(path),
  },
  {
    name: "pel",
    summary: "run programs on a store; what was executed once is not executed again",
    verbs: async (path) => (await import("./pel/verbs.ts")).pelProgram(path),
  },
  {
    name: "verify",
    summary: "run again what a receipt tells of, and compare",
    usage: "RECEIPT --store DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      STORE_OPTION,
      { name: "deep", doc: "Also everything that it was made of, down to sources." },
      ...EXECUTION_OPTIONS,
      JSON_OPTION,
    ],
    details: [
      `RECEIPT is the claim of a node or of a run: ${KEY_DOC}. Nothing is changed in the store.`,
      "Exit code 0 when all is as recorded. Else 1, with the first node, output and byte that differ, or with what is not there to run it again.",
    ],
    examples: ["ashlar verify sha256:9f86d081 --store disk --deep"],
    run: async (args) => (await import("./verify.ts")).verify(args),
  },
  {
    name: "replay",
    summary: "make again, in an empty store, all that receipts tell of",
    usage: "[RECEIPT…] --store DIR --into DIR [OPTIONS]",
    positionals: [0, Number.POSITIVE_INFINITY],
    options: [
      STORE_OPTION,
      { name: "into", value: "DIR", doc: "The folder of the new store: empty, or not there yet." },
      ...EXECUTION_OPTIONS,
      JSON_OPTION,
    ],
    details: [
      "Sources, programs and modules are copied, everything else is made by running programs again. It proves that the receipts are true: keys and receipts are the same. Without RECEIPT those of the whole store.",
      "Exit code 0 when all is as recorded, else 1, with what differs.",
    ],
    examples: ["ashlar replay --store disk --into again"],
    run: async (args) => (await import("./replay.ts")).replay(args),
  },
  {
    name: "why",
    summary: "show where an artifact comes from: the receipts, down to sources",
    usage: "KEY --store DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      STORE_OPTION,
      { name: "all", doc: "Every receipt that has an artifact as an output, and not only the one that it came with." },
      ...GRAPH_OPTIONS,
    ],
    details: [`KEY is ${KEY_DOC}. Of a receipt it shows what that was made of, of a run's all of its nodes.`],
    examples: ["ashlar why sha256:9f86d081 --store disk", "ashlar why logo --store disk --html logo.html"],
    run: async (args) => (await import("./why.ts")).why(args),
  },
  {
    name: "trace",
    summary: "follow edges from an artifact: what led to it, or what came of it",
    usage: "KEY --store DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      STORE_OPTION,
      { name: "forward", doc: "What came of it." },
      { name: "backward", doc: "What led to it; this is the default." },
      { name: "type", value: "N", repeatable: true, doc: "Only edges of this type: execution, run, or a number." },
      {
        name: "tag",
        value: "N",
        repeatable: true,
        doc: "Only edges to artifacts with this type tag, and go on from those alone.",
      },
      { name: "limit", value: "N", doc: "At most so many edges. Default: 100000." },
      { name: "at", value: "SNAPSHOT", doc: "As of this snapshot." },
      ...GRAPH_OPTIONS.map((option) =>
        option.name === "depth" ? { ...option, doc: "Follow at most so many edges in a row." } : option,
      ),
    ],
    details: [`KEY is ${KEY_DOC}. Edges are left by every execution and every run, and by \`ashlar edge\`.`],
    examples: ["ashlar trace sha256:9f86d081 --store disk --forward --depth 2"],
    run: async (args) => (await import("./trace.ts")).trace(args),
  },
  {
    name: "attest",
    summary: "sign what a receipt says, for tools that read in-toto and SLSA, and check it",
    usage: "DIR RECEIPT --key FILE | --verify ENVELOPE --public-key KEY [DIR]",
    positionals: [0, 2],
    options: [
      {
        name: "key",
        value: "FILE",
        repeatable: true,
        doc: "A private key to sign with: a file of `ashlar keygen`, or another Ed25519 key in PEM.",
      },
      { name: "output", value: "FILE", doc: "Where the envelope goes; - for standard output, the default. Short: -o." },
      {
        name: "verify",
        value: "FILE",
        doc: "Check the envelope in FILE, - for standard input; with DIR also against the receipt in that store.",
      },
      {
        name: "public-key",
        value: "FILE|HEX",
        repeatable: true,
        doc: "A key that must have signed: a file of `ashlar keygen`, or 64 hexadecimal digits.",
      },
      {
        name: "builder",
        value: "URI",
        doc: "Who vouches for the execution, as the statement says it. With --verify: who must.",
      },
      { name: "json", doc: "Print one JSON object." },
    ],
    details: [
      "DIR is a store and RECEIPT a claim in it, of a node or of a run: its key, or the first digits of it. The envelope is DSSE in JSON; it holds an in-toto statement with SLSA provenance: outputs, inputs, program or node, and digests of all of them. The same receipt and key give the same bytes.",
      "Exit code 1 when a signature, the form, or anything that the statement says is wrong.",
    ],
    examples: [
      "ashlar keygen -o release.pem",
      "ashlar attest disk sha256:9f86d081 --key release.pem -o run.intoto.json",
      "ashlar attest --verify run.intoto.json --public-key release.pem.pub disk",
    ],
    run: async (args) => (await import("./attest.ts")).attest(args),
  },
  {
    name: "keygen",
    summary: "make a pair of keys for signing",
    usage: "-o FILE [--json]",
    positionals: [0, 0],
    options: [
      { name: "output", value: "FILE", doc: "The private key; the public one goes to FILE.pub. Short: -o." },
      { name: "json", doc: "Print one JSON object." },
    ],
    details: [
      "Ed25519, in PEM, as OpenSSL reads and writes it; packs of assets are signed with such keys too. The private key is for its owner alone and not encrypted. Nothing that is there is replaced.",
    ],
    examples: ["ashlar keygen -o release.pem"],
    run: async (args) => (await import("./assets/keygen.ts")).keygen(args),
  },
  {
    name: "completion",
    summary: "print a script by which a shell completes lines",
    usage: "bash|zsh|fish",
    positionals: [1, 1],
    options: [],
    details: [
      "It is made from the table of commands: commands, verbs, options, and the values that an option can have.",
    ],
    examples: [
      "source <(ashlar completion bash)",
      "ashlar completion zsh > ~/.zfunc/_ashlar",
      "ashlar completion fish > ~/.config/fish/completions/ashlar.fish",
    ],
    run: async (args) => (await import("./completion.ts")).completion(args, ASHLAR),
  },
  VERSION,
];

export const ASHLAR: Program<Context> = {
  name: "ashlar",
  about: "Ashlar runs WebAssembly programs deterministically: same module, same input, same result, same fuel.",
  commands: COMMANDS,
};
