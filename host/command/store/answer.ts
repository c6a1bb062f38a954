/** How the verbs of `ashlar store` answer. */
import { type Answering, answering } from "../answer.ts";

const store: Answering = answering("store");

export const answer: Answering["answer"] = store.answer;
export const tellFailure: Answering["tellFailure"] = store.tellFailure;
export const jsonLine: Answering["jsonLine"] = store.jsonLine;
