/**
 * Who does the work of the store in turns. `node store-peers.ts PEER FOLDER COUNT ONES QUERIES` is one turn of a peer, in a process of
 * its own, and prints JSON.
 */
import { mkdirSync } from "node:fs";
import { isMain } from "./report.ts";
import type { Peer } from "./store-figures.ts";
import { LEVEL, LMDB, OWN, SQLITE } from "./store-libraries.ts";
import { CACACHE, GIT } from "./store-programs.ts";

/** Those that are there, ours first. */
export const PEERS: readonly Peer[] = [OWN, LMDB, LEVEL, SQLITE, CACACHE, GIT].filter(
  ({ version }) => version !== undefined,
);

if (isMain(import.meta.url)) {
  const [name, folder, count, ones, queries] = process.argv.slice(2);
  mkdirSync(folder!);
  const peer = PEERS.find((candidate) => candidate.name === name);
  if (peer === undefined) throw new Error("name a peer");
  console.log(
    JSON.stringify(
      await peer.turn({ folder: folder!, count: Number(count), ones: Number(ones), queries: Number(queries) }),
    ),
  );
}
