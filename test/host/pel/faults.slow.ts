/** Nodes at their limits: a minute. */
import t from "tap";
import { wideNodes } from "./wide.ts";

t.setTimeout(600_000);
t.test("[PEL-LIMIT-1, PEL-RUN-4] nodes that are as large as nodes can be: the same on both engines", (t) =>
  wideNodes(t, 65_534),
);
