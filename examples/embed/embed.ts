/** Runs a guest with syscalls of our own, records it, and runs it again from the recording. See README.md. */
import { readFileSync } from "node:fs";
import { runGuest } from "ashlar/host";
import { type DefineOptions, defineSyscalls, Status, type SyscallTable, statusName } from "ashlar/syscalls";
import { Module } from "ashlar/vm";
import wabt from "wabt";

/** What guests may ask of the shop. Checks of arguments, fuel, traces and recordings follow from these rows. */
const SHOP = {
  module: "shop",
  rows: [
    {
      name: "price",
      doc: "Tells what an article costs.",
      params: [{ name: "article", type: "u32", doc: "its number" }],
      results: [{ name: "cents", type: "u32", doc: "0 when there is no such article" }],
      fuel: 100,
    },
    {
      name: "pay",
      doc: "Takes money from the guest's purse.",
      params: [{ name: "cents", type: "u32", doc: "how much" }],
      results: [{ name: "status", type: "i32", doc: "0, or one of the statuses below" }],
      statuses: ["OTHER", "QUOTA"],
      capability: "purse",
      fuel: 1000,
    },
  ],
} as const satisfies SyscallTable;

const PRICES = [250, 1999, 40];
let purse = 1000;

/** The shop's calls, for one guest. */
function shop(options: DefineOptions): ReturnType<typeof defineSyscalls> {
  return defineSyscalls(
    SHOP,
    {
      price: (_call, article) => PRICES[article] ?? 0,
      pay: (_call, cents) => {
        if (cents > purse) return Status.QUOTA;
        purse -= cents;
        return Status.OK;
      },
    },
    { ...options, granted: ["purse"] },
  );
}

const text = readFileSync(new URL("guest.wat", import.meta.url), "utf8");
const module = Module.decode((await wabt()).parseWat("guest.wat", text).toBinary({}).buffer);

const recording: Uint8Array[] = [];
for (const visit of ["first", "second"]) {
  recording.length = 0;
  const record = (piece: Uint8Array): void => void recording.push(piece.slice());
  const { outcome, exitCode, fuelUsed } = runGuest({ module, syscalls: [shop], fuel: 10_000n, record });
  console.log(`${visit} visit: ${outcome}, ${statusName(exitCode)}, ${fuelUsed} fuel, ${purse} cents left`);
}

// The second visit again: the guest sees what it saw then, and the purse is not touched.
purse = 0;
const replay = Buffer.concat(recording);
const { outcome, exitCode, fuelUsed } = runGuest({ module, syscalls: [shop], replay });
console.log(`replayed: ${outcome}, ${statusName(exitCode)}, ${fuelUsed} fuel, ${purse} cents left`);
