/** `ashlar/store`: a store of artifacts in a folder, named by what they hold. */
export { ASL_CODES, type AslCode, AslError, type AslPlace } from "./errors.ts";
export { ALGORITHMS, type Algorithm, type ArtifactKey } from "./key.ts";
