/** Some thousands of mutants; `mutations.slow.ts` has a million. */
import { campaign } from "./mutations.ts";

campaign({ packs: 5000, stacks: 1000 });
