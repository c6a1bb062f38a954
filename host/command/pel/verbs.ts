/** The table of `ashlar pel`. */
import type { Command, Program } from "../command.ts";
import {
  EXECUTION_OPTIONS,
  GRAPH_OPTIONS,
  HTML_OPTION,
  INPUT_OPTIONS,
  JSON_OPTION,
  KEY_DOC,
  STORE_OPTION,
  STORE_WAIT_OPTION,
} from "./options.ts";

const PROGRAM_DOC = `PROGRAM is a file, as text (.pel.json) or as encoded, - for standard input, or, in the store of --store, KEY. In text, modules of guests are keys, names, or files, beside the program's own. KEY is ${KEY_DOC}.`;

/** The program, under the name that it was called by. */
export function pelProgram(name: string): Program<unknown> {
  return {
    name,
    about:
      "Runs programs whose nodes are guests and operations on artifacts; what was executed once is not executed again.",
    commands: VERBS.map((verb) => ({ ...verb, examples: verb.examples.map((line) => `${name} ${line}`) })),
  };
}

/** Examples are without the program's name. */
const VERBS: readonly Command<unknown>[] = [
  {
    name: "check",
    summary: "tell what is wrong with a program, or what it is",
    usage: "PROGRAM [OPTIONS]",
    positionals: [1, 1],
    options: [
      { name: "output", value: "FILE", doc: "Write the program's encoding there. Short: -o." },
      STORE_OPTION,
      JSON_OPTION,
    ],
    details: [
      PROGRAM_DOC,
      "Nothing is run and nothing is put into a store. All that is wrong is told at once, each with its place in the text.",
    ],
    examples: ["check pipeline.pel.json"],
    run: async (args) => (await import("./check.ts")).check(args),
  },
  {
    name: "run",
    summary: "run a program on a store",
    usage: "PROGRAM --store DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      STORE_OPTION,
      ...INPUT_OPTIONS,
      {
        name: "output",
        value: "NAME=FILE",
        repeatable: true,
        doc: "Write an output of the program to a file; - is standard output. It is an artifact of the store all the same. Short: -o.",
      },
      { name: "no-cache", doc: "Execute every node, whatever was executed before." },
      { name: "keep-going", doc: "When a node fails, run all those that do not depend on it." },
      {
        name: "store-bytes",
        value: "SIZE",
        doc: "End the run before nodes make more than this in all, such as 10GiB.",
      },
      ...EXECUTION_OPTIONS,
      STORE_WAIT_OPTION,
      HTML_OPTION,
      { name: "nodes", doc: "Tell of every node." },
      JSON_OPTION,
    ],
    details: [
      PROGRAM_DOC,
      "Printed are the program's outputs and the run's receipt, which `ashlar verify` runs again, and how many nodes were executed and how many found executed before. Files that are given are put into the store first.",
      "Exit code 1 when a node fails, with its receipt. Ctrl-C stops the run: what had ended is in the store, and the next run goes on from there. Of two runs on one store at once the second waits.",
    ],
    examples: [
      "run pipeline.pel.json --store disk --input text=@book.txt --output chart.png=chart.png",
      "run sha256:9f86d081 --store disk --input text=logo --no-cache",
    ],
    run: async (args) => (await import("./run.ts")).run(args),
  },
  {
    name: "explain",
    summary: "tell of each node whether a run would execute it, and why",
    usage: "PROGRAM --store DIR [OPTIONS]",
    positionals: [1, 1],
    options: [
      STORE_OPTION,
      ...INPUT_OPTIONS,
      {
        name: "against",
        value: "RECEIPT",
        doc: "The run whose nodes it is held against. Default: the last one of the program, or of one like it.",
      },
      JSON_OPTION,
    ],
    details: [PROGRAM_DOC, "Nothing is run and nothing is put into the store."],
    examples: ["explain pipeline.pel.json --store disk --input text=@book.txt"],
    run: async (args) => (await import("./explain.ts")).explain(args),
  },
  {
    name: "graph",
    summary: "show a program, or a run of one, as a graph",
    usage: "PROGRAM|RECEIPT [OPTIONS]",
    positionals: [1, 1],
    options: [STORE_OPTION, ...INPUT_OPTIONS, ...GRAPH_OPTIONS],
    details: [
      PROGRAM_DOC,
      "RECEIPT is the key of a run's receipt. With inputs the graph shows which nodes a run would execute; nothing is run and nothing is put into the store.",
    ],
    examples: [
      "graph pipeline.pel.json",
      "graph pipeline.pel.json --html pipeline.html",
      "graph sha256:9f86d081 --store disk --dot | dot -Tsvg > run.svg",
    ],
    run: async (args) => (await import("./graph.ts")).graph(args),
  },
];
