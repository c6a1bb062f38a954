/** Errors of the command as a person reads them: what, where, what to do. */
import { AshlarError } from "../../vm/errors.ts";
import type { PackError } from "../assets/errors.ts";
import type { PelError } from "../pel/errors.ts";
import { ERROR_STYLE, errorCode, plain, styled } from "./terminal.ts";

/** Exit codes (spec CLI-EXIT-1). */
export const ExitCode = {
  OK: 0,
  /** A bad module, or the host cannot do what was asked. */
  FAILURE: 1,
  USAGE: 2,
  /** The guest was stopped by `--timeout`; what `timeout` of the GNU core utilities answers. */
  TIMEOUT: 124,
  /** 128 + SIGINT, 128 + SIGTERM: what a shell shows of a process that the signal ended. */
  INTERRUPT: 130,
  /** The guest trapped or ran out of fuel. */
  TRAP: 134,
  /** Nobody reads the guest's output any more: 128 + SIGPIPE. */
  PIPE: 141,
  TERMINATED: 143,
} as const;

/** One of several things that are wrong at once. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  /** File, JSON pointer and byte, as far as they are known. */
  readonly where?: string | undefined;
}

/** Where a problem of a pack, or of a program, is. */
interface Place {
  readonly file?: string | undefined;
  readonly key?: string | undefined;
  readonly pointer?: string | undefined;
  readonly offset?: number | undefined;
}

/** What went wrong, in a form that crosses from the worker to the main thread. */
export interface Failure extends Problem {
  readonly exitCode: number;
  /** Of a pack or its sources all that is wrong, the first {@link MOST_SHOWN}, in place of `message`; and how much there is. */
  readonly problems?: readonly Problem[];
  readonly total?: number;
  /** What the user can do. */
  readonly hint?: string | undefined;
}

/** Most problems that are shown of one error. */
const MOST_SHOWN = 20;

/** An error of the command itself; its code begins with `CLI-`. */
export class CommandError extends AshlarError {
  readonly code: string;
  readonly exitCode: number;
  readonly hint: string | undefined;
  constructor(code: string, exitCode: number, message: string, hint?: string) {
    super(message);
    this.name = "CommandError";
    this.code = code;
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** The command line makes no sense (exit 2). */
export function usageError(message: string, hint?: string): CommandError {
  return new CommandError("CLI-USAGE", ExitCode.USAGE, message, hint);
}

const DAMAGED = "The file is damaged: copy it again, or pack it anew.";

const DAMAGED_STORE = "`ashlar store fsck DIR` tells all that is damaged; with --repair it mends what can be mended.";

const HINTS: { readonly [code: string]: string } = {
  "ASL-BLOCK-DAMAGED": DAMAGED_STORE,
  "ASL-CORRUPT": DAMAGED_STORE,
  "ASL-CURRENT-DAMAGED": DAMAGED_STORE,
  "ASL-FORMAT": DAMAGED_STORE,
  "ASL-INDEX-DAMAGED": DAMAGED_STORE,
  "ASL-LOCKED":
    "--wait SECONDS, of `ashlar run` and `ashlar pel run` --store-wait, says how long to wait for it. Reading needs no waiting.",
  "ASL-LOG-DAMAGED": DAMAGED_STORE,
  "ASL-NO-STORE": "`ashlar store init DIR` makes a store.",
  "ABI-RECORDING": "`ashlar run --record FILE` makes recordings; one that was cut off replays up to there.",
  "ABI-REPLAY": "A recording replays with the module that it was made of, byte for byte.",
  "CLI-OPTIMIZE": "Without --optimize nothing is needed.",
  "VM-IMAGE": "`ashlar build MODULE -o OUT` makes it anew.",
  "CLI-ENTRY":
    "An entry point takes no parameters: _start gives no result, main none or an i32. To call another function: --invoke 'NAME(ARG, …)'. `ashlar inspect` lists the exports.",
  "FS-GRANT": "`ashlar help run` explains what can be granted, and how.",
  "FS-TMP": "What the guest made is lost. Changed files are copied back whole or not at all.",
  "PACK-BASE": "`assets-tool inspect` tells a pack's identity, and of a patch what it is a patch of.",
  "PACK-DIGEST": DAMAGED,
  "PACK-HEADER-DIGEST": DAMAGED,
  "PACK-KEYFILE": "`assets-tool keygen -o FILE` makes a pair of keys.",
  "PACK-LENGTH": DAMAGED,
  "PACK-PRELUDE": DAMAGED,
  "PEL-MODULE": "In a program's text a module is a key, a name in the store, or a file beside the program.",
  "PEL-VERSION": "It was made by another version of Ashlar.",
  "TGK-INDEX-DAMAGED": "Remove the folder tgk of the store: it is made again from the log.",
  "VM-DECODE": "The file is damaged, or it is no WebAssembly module.",
  "VM-LIMIT": "--max-memory sets the limit on memory; limits on modules are fixed.",
  "VM-LINK":
    "`ashlar inspect MODULE` lists what a module imports, and which of it is known. With --unknown-imports=trap it runs until it calls an unknown function.",
  "VM-UNSUPPORTED_FEATURE": "Build the guest for WebAssembly 2.0 without this feature.",
};

/** Errors that a user can meet, by their code: each bundle has its own copies of the classes. */
const CODE = /^(VM|ABI|FS|PACK|ASL|PEL|TGK|CLI)-/;

/** `error`, about the file or folder `where`, for {@link describeFailure}. */
export function failureOf(error: unknown, where?: string): Failure {
  const code = errorCode(error) ?? "";
  if (hasProblems(error, code)) return problemsFailure(error);
  if (CODE.test(code) && code !== "ABI-PANIC") {
    const { message, exitCode = ExitCode.FAILURE, hint = HINTS[code] } = error as CommandError;
    // A grant's message names the folder; `where` is the module.
    return { code, message, exitCode, where: code === "FS-GRANT" ? undefined : where, hint };
  }
  if (error instanceof Error && "syscall" in error && error.syscall === "write")
    return {
      code: "CLI-OUTPUT",
      message: `The output cannot be written: ${error.message}`,
      exitCode: ExitCode.FAILURE,
    };
  return {
    code: code === "ABI-PANIC" ? code : "CLI-INTERNAL",
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    exitCode: ExitCode.FAILURE,
    where,
    hint: "This is a bug in Ashlar, not in the guest. Please report it with the text above.",
  };
}

/** An error about a pack, or a program, that tells all that is wrong. */
function hasProblems(error: unknown, code: string): error is PackError | PelError {
  return /^(PACK|PEL)-/.test(code) && Array.isArray((error as Partial<PackError>).problems);
}

function problemsFailure({ code, message, problems, total }: PackError | PelError): Failure {
  const shown = problems.slice(0, MOST_SHOWN).map((problem): Problem => {
    const { code, message } = problem;
    const { file, pointer, offset, key }: Place = "place" in problem ? problem.place : problem;
    const at = offset === undefined ? undefined : `byte ${offset}`;
    const places = [file, key, pointer === "" ? "the top" : pointer, at];
    const where = places.filter((place) => place !== undefined).join(", ");
    return { code, message, where: where === "" ? undefined : where };
  });
  return { code, message, exitCode: ExitCode.FAILURE, hint: HINTS[code], problems: shown, total };
}

/** The lines for a terminal. */
export function describeFailure({ code, message, where, hint, problems, total = 1 }: Failure): string {
  // A stack has lines of its own; what a sentence quotes has none, or it would look like more that Ashlar says.
  const isStack = code === "CLI-INTERNAL" || code === "ABI-PANIC";
  const told = isStack ? message.split("\n").map(plain).join("\n") : plain(message);
  const shown = problems?.map((problem) => ({ ...problem, message: plain(problem.message) }));
  let text = (shown ?? [{ code, message: told, where }]).map(describeProblem).join("");
  if (shown !== undefined && total > shown.length) text += `and ${total - shown.length} more\n`;
  if (hint !== undefined) text += `  ${hint.replaceAll("\n", "\n  ")}\n`;
  return text;
}

function describeProblem({ code, message, where }: Problem): string {
  const place = where === undefined ? "" : `  in ${plain(where)}\n`;
  return `${styled(ERROR_STYLE, `error[${code}]:`)} ${message}\n${place}`;
}
