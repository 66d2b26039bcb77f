import { AlignError } from '../align/errors.ts';
import { cellText, type SourceRow } from './row-format.ts';

/** Which rows of a file are run: those that match all conditions, then the first `limit`, then one shard of them. */
export interface Selection {
  where: readonly Condition[];
  limit: number | undefined;
  shard: Shard | undefined;
}

export interface Condition {
  column: string;
  operator: '=' | '!=' | '~' | '!~';
  value: string;
}

/** Part `number` (from 1) of `count` parts. */
export interface Shard {
  number: number;
  count: number;
}

/**
 * @param text  `COLUMN=TEXT`, `COLUMN!=TEXT`, or with `~` and `!~` a regular expression that is searched for
 * @throws AlignError `invalid-request`
 */
export function parseCondition(text: string): Condition {
  const [, column, operator, value] = /^([^=!~]+)(!=|!~|=|~)(.*)$/s.exec(text) ?? [];
  if (column === undefined || operator === undefined || value === undefined) {
    throw new AlignError('invalid-request', `“${text}” is no condition; write COLUMN=TEXT, !=, ~ or !~.`);
  }
  const condition = { column: column.trim(), operator: operator as Condition['operator'], value };
  if (operator.endsWith('~')) pattern(condition);
  return condition;
}

/**
 * @param text  `2/4`: the second of four
 * @throws AlignError `invalid-request`
 */
export function parseShard(text: string): Shard {
  const [, number, count] = /^(\d{1,9})\/(\d{1,9})$/.exec(text)?.map(Number) ?? [];
  if (number === undefined || count === undefined || number < 1 || number > count) {
    throw new AlignError('invalid-request', `“${text}” is no shard; write I/N with I from 1 to N.`);
  }
  return { number, count };
}

/** @returns a test that compiles each pattern once */
export function matcherOf(where: readonly Condition[]): (row: SourceRow) => boolean {
  const tests = where.map((condition) => {
    const { column, operator, value } = condition;
    const isNegated = operator.startsWith('!');
    const regExp = operator.endsWith('~') ? pattern(condition) : undefined;
    return ({ cells }: SourceRow) => {
      const text = cellText(cells[column]);
      return (regExp === undefined ? text === value : regExp.test(text)) !== isNegated;
    };
  });
  return (row) => tests.every((test) => test(row));
}

/**
 * The part of the matching rows that is run. Shards are runs of neighbours, so that their outputs, one after the
 * other, are the output of the whole; their sizes differ by at most one.
 *
 * @param matching  number of rows that match
 * @returns from `start` up to, not including, `end`, counted among the matching rows
 */
export function selectRange(matching: number, { limit, shard }: Selection): { start: number; end: number } {
  const count = Math.min(matching, limit ?? Infinity);
  if (shard === undefined) return { start: 0, end: count };
  const bound = (part: number) => Math.floor((count * part) / shard.count);
  return { start: bound(shard.number - 1), end: bound(shard.number) };
}

function pattern({ column, value }: Condition): RegExp {
  try {
    return new RegExp(value, 'u');
  } catch (cause) {
    throw new AlignError('invalid-request', `The pattern for ${column} is no regular expression: ${value}`, { cause });
  }
}
