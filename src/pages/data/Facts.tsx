import type { BuiltDataset } from '../../datasets/build-dataset.ts';
import { formatCount } from '../../format.ts';
import { strings } from '../../strings.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './Data.module.css';

const text = strings.data;
/** Of reasons, and of the rows that each names. */
const MOST_SHOWN = 10;

/** How much there is of what, and what is left out and why. */
export function Facts({ built }: { built: BuiltDataset }) {
  const { pairs, itemsByObjectives, leftOut, tiedPairs, unratedPairs, withoutResponse, tests } = built;
  const { better, equal } = itemsByObjectives;
  const sizes = [...new Set([...Object.keys(better), ...Object.keys(equal)].map(Number))].sort((a, b) => a - b);
  const reasons = Map.groupBy(leftOut, ({ problem }) => problem);
  const shown = [...reasons].slice(0, MOST_SHOWN);
  const hidden = leftOut.length - shown.reduce((sum, [, rows]) => sum + rows.length, 0);
  return (
    <section className={classNames(controls.panel, styles.section)} aria-labelledby="data-counts">
      <h3 id="data-counts">{text.counts}</h3>
      <p data-testid="data-counts">
        {[
          text.pairs(pairs.length),
          text.items(sumOf(better), sumOf(equal)),
          tiedPairs > 0 && text.tied(tiedPairs),
          unratedPairs > 0 && text.unrated(unratedPairs),
          withoutResponse > 0 && text.withoutResponse(withoutResponse),
          tests.length > 0 && text.tests(tests.length),
        ]
          .filter((fact) => fact !== false)
          .join(' · ')}
      </p>
      {sizes.length > 0 && (
        <table className={styles.counts}>
          <thead>
            <tr>
              <th scope="col">{text.named}</th>
              <th scope="col">{text.better}</th>
              <th scope="col">{text.equal}</th>
            </tr>
          </thead>
          <tbody>
            {sizes.map((size) => (
              <tr key={size}>
                <th scope="row">{size}</th>
                <td>{formatCount(better[size] ?? 0)}</td>
                <td>{formatCount(equal[size] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {leftOut.length > 0 && (
        <div data-testid="data-left-out">
          <p>{text.leftOut(leftOut.length)}</p>
          <ul className={classNames(controls.hint, styles.facts)}>
            {shown.map(([problem, rows]) => {
              const lines = rows.slice(0, MOST_SHOWN).map(({ line }) => line);
              return <li key={problem}>{text.leftOutWhy(problem, rows.length, lines)}</li>;
            })}
            {hidden > 0 && <li>{text.leftOutMore(hidden)}</li>}
          </ul>
        </div>
      )}
    </section>
  );
}

function sumOf(counts: Readonly<Record<number, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
