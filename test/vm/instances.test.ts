/** Many instances; `instances.slow.ts` has the numbers that we promise. */
import { manyInstances } from "./many-instances.ts";

await manyInstances({ live: 5_000, liveWithMemories: 500, inTurn: 5_000 });
