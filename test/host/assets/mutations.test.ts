/** Some thousands of mutants; `mutations.slow.ts` has a million. */
import { campaign } from "./mutations.ts";

campaign({ packs: 6000, stacks: 1500 });
