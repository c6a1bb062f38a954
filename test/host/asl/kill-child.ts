/** The process that is killed: does random things to a store in a real folder, and says on standard output what it is about to do and what is done. */
import { writeSync } from "node:fs";
import { folderVolume } from "../../../host/asl/folder-volume.ts";
import { Store } from "../../../host/asl/store.ts";
import { Random } from "../../vm/random.ts";
import { StoreModel } from "./store-model.ts";
import { type Durability, OPERATIONS, PROFILES, Session } from "./workloads.ts";

const [folder, seedText, durability, profileName] = process.argv.slice(2) as [string, string, Durability, string];
const profile = PROFILES[profileName]!;
const random = new Random(Number(seedText));
/** A line is there when this returns, whatever becomes of the process. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

say("begin");
const store = await Store.open(folder, { create: true, durability }, { ...profile });
const session = new Session(folderVolume(folder), durability, profile, Number(seedText), StoreModel.of(store));
session.store = store;
session.open = async () => {
  session.store = await Store.open(folder, { durability }, { ...profile });
};
session.onContent = (bytes) => say(`content ${Buffer.from(bytes).toString("base64")}`);
session.onChange = (state) => say(`change ${Buffer.from(state).toString("base64")}`);
session.onAcknowledged = (change) => say(`done ${change}`);
say("open");
const names = Object.keys(OPERATIONS);
for (;;) await OPERATIONS[random.chance(0.3) ? "small" : random.pick(names)]!(session);
