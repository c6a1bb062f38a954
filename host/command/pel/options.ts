/** Options of the commands of programs and receipts. Nothing else: the table of commands is read at every start. */
import type { Option } from "../arguments.ts";

export const STORE_OPTION: Option = { name: "store", value: "DIR", doc: "The store, a folder of `ashlar store init`." };
export const STORE_WAIT_OPTION: Option = {
  name: "store-wait",
  value: "SECONDS",
  doc: "How long to wait while another process writes to the store. Default: until it is done.",
};
export const JSON_OPTION: Option = { name: "json", doc: "Print one JSON object." };
/** What executes nodes; nothing that a run leaves depends on them. */
export const EXECUTION_OPTIONS: readonly Option[] = [
  {
    name: "engine",
    value: "compiled|reference",
    doc: "What runs guests: compiled code (the default), or an interpreter that is slower. Both give the same.",
  },
  { name: "workers", value: "N", doc: "Threads for guests, 1 to 256. Default: one for each processor." },
];

export const KEY_DOC =
  "a key (sha256:…), the first digits of one, at least 8, that no other begins with, the identity of a pack (mi2:…), or a name that `ashlar store bind` gave";

export const HTML_OPTION: Option = {
  name: "html",
  value: "FILE",
  doc: "Write a page that shows the graph, to be moved and zoomed in a browser; it needs nothing but itself.",
};
export const GRAPH_OPTIONS: readonly Option[] = [
  { name: "depth", value: "N", doc: "Show so many levels of the tree. Default: 30." },
  { name: "dot", doc: "Print the graph for Graphviz." },
  HTML_OPTION,
  JSON_OPTION,
];

export const INPUT_OPTIONS: readonly Option[] = [
  {
    name: "input",
    value: "NAME=KEY|@FILE",
    repeatable: true,
    doc: "What an input is: an artifact by KEY, or a file, which is put into the store; @- is standard input.",
  },
  {
    name: "inputs",
    value: "DIR",
    doc: "Inputs that are not given otherwise are files of this folder, by their names.",
  },
  { name: "snapshot", value: "NAME", doc: "Take inputs, program and modules as of this snapshot of the store." },
];

/** Of signed statements about receipts. */
export const PUBLIC_KEY_OPTION: Option = {
  name: "public-key",
  value: "FILE|HEX",
  repeatable: true,
  doc: "A key that must have signed: a file of `ashlar keygen`, or 64 hexadecimal digits.",
};
export const BUILDER_OPTION: Option = {
  name: "builder",
  value: "URI",
  doc: "Who vouches for the execution, as the statement says it. With --verify: who must.",
};
