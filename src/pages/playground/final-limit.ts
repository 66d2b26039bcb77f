/** At a run's end the diff has to be the same on every machine: decisions are kept by the number of a change. About 40 ms. */
export const FINAL_LIMIT = { changes: 800 };
