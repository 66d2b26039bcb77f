/** Stands with everything about mental health. */
export const RESPONSIBLE_USE =
  'For research. None of it is a diagnosis or advice; who needs help should see a professional.';
