/** Entry of the browser bundle: everything that runs without a file system and without Node.js. */
export * from "../vm/index.ts";
export * from "./index.ts";
