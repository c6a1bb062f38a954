/** How the verbs of `ashlar assets` answer. */
import { type Answering, answering } from "../answer.ts";

export type { Answer } from "../answer.ts";

const assets: Answering = answering("assets");

export const answer: Answering["answer"] = assets.answer;
export const tellFailure: Answering["tellFailure"] = assets.tellFailure;
export const jsonLine: Answering["jsonLine"] = assets.jsonLine;
