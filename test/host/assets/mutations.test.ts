/** Two thousand mutants; `mutations.slow.ts` has a million. */
import { campaign } from "./mutations.ts";

campaign({ packs: 2000, stacks: 500 });
