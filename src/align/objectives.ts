/** An objective as it goes into the prompt. */
export interface Objective {
  /** Stable id: a key of the catalogue, or of the user's own. */
  key: string;
  /** Shown on its chip. */
  label: string;
  /** The text in the prompt, byte for byte. */
  description: string;
}
