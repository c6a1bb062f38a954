/** The table of the `ashlar` command; lines are taken apart and the help is printed by it. */
import type { Context } from "./arguments.ts";
import { type Command, type Group, type Program, VERSION } from "./command.ts";
import { GRANT_OPTIONS } from "./grants.ts";
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
  VERSION,
];

export const ASHLAR: Program<Context> = {
  name: "ashlar",
  about: "Ashlar runs WebAssembly programs deterministically: same module, same input, same result, same fuel.",
  commands: COMMANDS,
};
