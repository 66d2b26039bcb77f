/** One model's verdicts, row by row. */
export interface ControlledRow {
  /** Which instruction, against which other answer: the same for all models that were judged on it. */
  instruction: string;
  /** 1 win, ½ tie, 0 loss */
  score: number;
  /** The judged answer's length less the other's. */
  lengthDifference: number;
}

/** Of the normal prior of an instruction's difficulty, and of the far wider one of the other coefficients. */
const DIFFICULTY_PENALTY = 1;
const COEFFICIENT_PENALTY = 0.01;
const MAX_STEPS = 100;

/**
 * The win rate if both answers were of one length: a logistic regression of the scores on an intercept and AlpacaEval
 * 2's length term, tanh of the difference over its standard deviation; then the length term is taken as 0.
 *
 * @returns undefined where the data do not determine it: no variation in length, or length tells wins from losses
 * @see Dubois et al. 2024, arXiv 2404.04475, section 3; statsmodels GLM(Binomial) on the same columns
 */
export function lengthControlledRate(rows: readonly Omit<ControlledRow, 'instruction'>[]): number | undefined {
  return rateAtEqualLength(rows, []);
}

/**
 * As {@link lengthControlledRate}, with AlpacaEval 2's third term: how difficult each instruction is. Its difficulty is estimated
 * from the verdicts on the other models, which were judged on it too, in one regression with an intercept and a length term
 * for each: never from the model's own verdict, which it would explain away. Few models tell little of an instruction: a
 * standard normal prior holds its difficulty near 0, which is also that of one on which no other model was judged.
 *
 * @param others  the other models, each once
 * @returns undefined as there, without another model, and where none was judged on the same instructions
 */
export function difficultyControlledRate(
  rows: readonly ControlledRow[],
  others: readonly (readonly ControlledRow[])[],
): number | undefined {
  const difficulties = instructionDifficulties(others);
  const own = rows.map(({ instruction }) => difficulties.get(instruction) ?? 0);
  if (own.every((difficulty) => difficulty === own[0])) return undefined;
  return rateAtEqualLength(rows, own);
}

/** @param difficulties  of each row, or none */
function rateAtEqualLength(
  rows: readonly Omit<ControlledRow, 'instruction'>[],
  difficulties: readonly number[],
): number | undefined {
  const terms = lengthTerms(rows.map(({ lengthDifference }) => lengthDifference));
  if (terms === undefined) return undefined;
  const design = rows.map((_, i) => [1, terms[i]!, ...difficulties.slice(i, i + 1)]);
  const coefficients = fitLogistic(
    design,
    rows.map(({ score }) => score),
  );
  if (coefficients === undefined) return undefined;
  const [intercept = 0, , slope = 0] = coefficients;
  const sum = rows.reduce((total, _, i) => total + sigmoid(intercept + slope * (difficulties[i] ?? 0)), 0);
  return sum / rows.length;
}

/** @returns undefined where all are one */
function lengthTerms(differences: readonly number[]): number[] | undefined {
  const mean = differences.reduce((sum, one) => sum + one, 0) / differences.length;
  const deviation = Math.sqrt(differences.reduce((sum, one) => sum + (one - mean) ** 2, 0) / differences.length);
  return deviation > 0 ? differences.map((difference) => Math.tanh(difference / deviation)) : undefined;
}

/** Newton's method; 7 or so steps where there is a maximum. @returns undefined where there is none */
function fitLogistic(design: readonly (readonly number[])[], scores: readonly number[]): number[] | undefined {
  const size = design[0]?.length ?? 0;
  const coefficients = new Array<number>(size).fill(0);
  for (let step = 0; step < MAX_STEPS; step++) {
    const gradient = new Array<number>(size).fill(0);
    const hessian = square(size);
    for (const [i, row] of design.entries()) {
      const predicted = sigmoid(row.reduce((sum, value, j) => sum + value * coefficients[j]!, 0));
      const weight = predicted * (1 - predicted);
      for (let j = 0; j < size; j++) {
        gradient[j]! += (scores[i]! - predicted) * row[j]!;
        for (let k = 0; k < size; k++) hessian[j]![k]! += weight * row[j]! * row[k]!;
      }
    }
    const change = solve(hessian, gradient);
    if (change === undefined) return undefined;
    for (let j = 0; j < size; j++) coefficients[j]! += change[j]!;
    if (coefficients.some((one) => !(Math.abs(one) < 30))) return undefined;
    if (change.every((one) => Math.abs(one) < 1e-12)) return coefficients;
  }
  return undefined;
}

/**
 * Newton's method on the penalized likelihood of score ~ intercept + slope · length term + difficulty of the instruction. The
 * difficulties' part of the Hessian is diagonal, so that each step solves only for the two coefficients of each model.
 *
 * @returns by instruction; large where answers win easily
 */
function instructionDifficulties(models: readonly (readonly ControlledRow[])[]): Map<string, number> {
  const places = new Map<string, number>();
  const rows = models.flatMap((model, m) => {
    // A model without variation in length has no length term.
    const terms = lengthTerms(model.map(({ lengthDifference }) => lengthDifference));
    return model.map(({ instruction, score }, i) => {
      const place = places.get(instruction) ?? places.size;
      places.set(instruction, place);
      return { first: 2 * m, place, score, term: terms?.[i] ?? 0 };
    });
  });
  const size = 2 * models.length;
  const coefficients = new Array<number>(size).fill(0);
  const difficulties = new Float64Array(places.size);
  for (let step = 0; step < MAX_STEPS && rows.length > 0; step++) {
    const gradient = coefficients.map((one) => -COEFFICIENT_PENALTY * one);
    const hessian = square(size, COEFFICIENT_PENALTY);
    const pull = difficulties.map((one) => -DIFFICULTY_PENALTY * one);
    const stiffness = new Float64Array(places.size).fill(DIFFICULTY_PENALTY);
    /** By instruction: the coefficients that its rows weigh on, and how much. */
    const cross = Array.from({ length: places.size }, (): { at: number; weight: number }[] => []);
    for (const { first, place, score, term } of rows) {
      const predicted = sigmoid(coefficients[first]! + coefficients[first + 1]! * term + difficulties[place]!);
      const [weight, residual] = [predicted * (1 - predicted), score - predicted];
      gradient[first]! += residual;
      gradient[first + 1]! += residual * term;
      hessian[first]![first]! += weight;
      hessian[first]![first + 1]! += weight * term;
      hessian[first + 1]![first]! += weight * term;
      hessian[first + 1]![first + 1]! += weight * term * term;
      pull[place]! += residual;
      stiffness[place]! += weight;
      cross[place]!.push({ at: first, weight }, { at: first + 1, weight: weight * term });
    }
    for (const [place, own] of cross.entries()) {
      for (const one of own) {
        gradient[one.at]! -= (one.weight * pull[place]!) / stiffness[place]!;
        for (const other of own) hessian[one.at]![other.at]! -= (one.weight * other.weight) / stiffness[place]!;
      }
    }
    const change = solve(hessian, gradient);
    if (change === undefined) throw new Error('A penalized fit has no step; this is a bug.');
    let largest = 0;
    for (const [at, one] of change.entries()) {
      coefficients[at]! += one;
      largest = Math.max(largest, Math.abs(one));
    }
    for (const [place, own] of cross.entries()) {
      const moved = own.reduce((sum, { at, weight }) => sum + weight * change[at]!, 0);
      const one = (pull[place]! - moved) / stiffness[place]!;
      difficulties[place]! += one;
      largest = Math.max(largest, Math.abs(one));
    }
    if (largest < 1e-12) break;
  }
  return new Map([...places].map(([instruction, place]) => [instruction, difficulties[place]!]));
}

/** [size, size], with one value on the diagonal and 0 elsewhere */
function square(size: number, diagonal = 0): number[][] {
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => (i === j ? diagonal : 0)));
}

/** By Cholesky's decomposition. @returns undefined unless the matrix is positive definite */
function solve(matrix: readonly (readonly number[])[], vector: readonly number[]): number[] | undefined {
  const size = vector.length;
  const lower = square(size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
      if (i !== j) lower[i]![j] = sum / lower[j]![j]!;
      // Relative: what is left of a column that the others hold already is rounding.
      else if (sum > 1e-10 * matrix[i]![i]!) lower[i]![i] = Math.sqrt(sum);
      else return undefined;
    }
  }
  const half = [...vector];
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) half[i]! -= lower[i]![k]! * half[k]!;
    half[i]! /= lower[i]![i]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) half[i]! -= lower[k]![i]! * half[k]!;
    half[i]! /= lower[i]![i]!;
  }
  return half;
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
