import { expose } from 'comlink';
import { evaluateFiles } from './evaluate-files.ts';
import { installErrorTransfer } from './protocol.ts';

/** Reads and scores files beside the page, which thousands of texts would hold up. */
const api = { evaluate: evaluateFiles };

export type EvaluationWorkerApi = typeof api;

installErrorTransfer();
expose(api);
