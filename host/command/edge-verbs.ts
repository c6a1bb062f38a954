/** The table of `ashlar edge`. */
import type { Option } from "./arguments.ts";
import type { Command, Program } from "./command.ts";
import { JSON_OPTION, KEY_DOC, STORE_OPTION, STORE_WAIT_OPTION } from "./pel/options.ts";

const AT_OPTION: Option = { name: "at", value: "SNAPSHOT", doc: "As of this snapshot." };

/** The program, under the name that it was called by. */
export function edgeProgram(name: string): Program<unknown> {
  return {
    name,
    about:
      "Says which artifacts belong to which: edges, of which every execution makes one, lead from artifacts to artifacts.",
    commands: VERBS.map((verb) => ({ ...verb, examples: verb.examples.map((line) => `${name} ${line}`) })),
  };
}

/** Examples are without the program's name. */
const VERBS: readonly Command<unknown>[] = [
  {
    name: "add",
    summary: "make an edge hold, and print its id",
    usage: "--store DIR --from KEY… --to KEY… [OPTIONS]",
    positionals: [0, 0],
    options: [
      STORE_OPTION,
      { name: "from", value: "KEY", repeatable: true, doc: "An artifact that it leads from; may be given again." },
      { name: "to", value: "KEY", repeatable: true, doc: "An artifact that it leads to; may be given again." },
      {
        name: "type",
        value: "N",
        doc: "What it says, to whoever gave the number: from 256 up to 2^32 - 1, also 0x…. Default: 256.",
      },
      { name: "roles", value: "N", doc: "Eight flags, 0 to 255, that mean what the type says. Default: 0." },
      STORE_WAIT_OPTION,
      JSON_OPTION,
    ],
    details: [
      `KEY is ${KEY_DOC}; the artifact of a whole key need not be in the store. An edge has one end at least.`,
      "Ends, in their order, and the type tell an edge from others. One that holds already gets the roles that are given.",
    ],
    examples: ["add --store disk --from draft --to report --type 300"],
    run: async (args) => (await import("./edge.ts")).add(args),
  },
  {
    name: "remove",
    summary: "end an edge",
    usage: "ID --store DIR [OPTIONS]",
    positionals: [1, 1],
    options: [STORE_OPTION, STORE_WAIT_OPTION, JSON_OPTION],
    details: [
      "ID is what `add` and `list` print, or its first digits, at least 8, that no other begins with. Snapshots go on to hold it.",
    ],
    examples: ["remove 2b8e1f0c --store disk"],
    run: async (args) => (await import("./edge.ts")).remove(args),
  },
  {
    name: "list",
    summary: "list edges, those of an artifact or all",
    usage: "[KEY] --store DIR [OPTIONS]",
    positionals: [0, 1],
    options: [
      STORE_OPTION,
      {
        name: "side",
        value: "from|to",
        doc: "Only edges that lead from KEY, or to it. Default: those to it, then those from it.",
      },
      {
        name: "type",
        value: "N",
        repeatable: true,
        doc: "Only edges of this type; may be given again. Executions have 1, runs 2.",
      },
      { name: "roles", value: "N", doc: "Only edges with all of these roles." },
      AT_OPTION,
      { name: "json", doc: "Print JSON objects, one a line." },
    ],
    details: [
      `KEY is ${KEY_DOC}. A line is the id of an edge, its type, its roles, what it leads from, -> and what it leads to.`,
    ],
    examples: ["list report --store disk --side to", "list --store disk --json"],
    run: async (args) => (await import("./edge.ts")).list(args),
  },
];
