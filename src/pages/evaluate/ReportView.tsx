import type { ReactNode } from 'react';

import type { Block, Cell, Drawing, Shape } from '../../evaluation/report/report-blocks.ts';
import { classNames } from '../../styles/class-names.ts';
import controls from '../../styles/controls.module.css';
import styles from './Evaluate.module.css';

/** What report.html shows, as parts of the page. Texts of models are shown as text. */
export function ReportView({ blocks }: { blocks: readonly Block[] }) {
  return (
    <div className={styles.report} data-testid="evaluation-report">
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} />
      ))}
    </div>
  );
}

const HEADINGS = { 2: 'h3', 3: 'h4', 4: 'h5' } as const;

function BlockView({ block }: { block: Block }): ReactNode {
  switch (block.type) {
    case 'heading': {
      // One level below the page's own.
      const Heading = HEADINGS[block.level];
      return <Heading>{block.text}</Heading>;
    }
    case 'paragraph':
      return <p>{block.text}</p>;
    case 'note':
      return <p className={controls.notice}>{block.text}</p>;
    case 'table':
      return (
        <div className={classNames(controls.panel, styles.table)} role="region" aria-label={block.caption} tabIndex={0}>
          <table>
            <caption>{block.caption}</caption>
            <thead>
              <tr>
                {block.columns.map((name, i) => (
                  <th key={i} scope="col" className={i < block.names ? styles.name : undefined}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((cells, i) => (
                <tr key={i}>
                  {cells.map((cell, column) => (
                    <CellView key={column} cell={cell} column={column} names={block.names} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case 'figure':
      return (
        <figure className={classNames(controls.panel, styles.figure)}>
          <DrawingView drawing={block.drawing} />
          <figcaption className={controls.hint}>{block.caption}</figcaption>
        </figure>
      );
    case 'quote':
      return (
        <div className={styles.quote}>
          <p className={controls.label}>{block.label}</p>
          <pre dir="auto">{block.text}</pre>
        </div>
      );
    case 'disclosure':
      return (
        <details className={controls.disclosure}>
          <summary>{block.summary}</summary>
          <div className={styles.disclosed}>
            {block.blocks.map((one, i) => (
              <BlockView key={i} block={one} />
            ))}
          </div>
        </details>
      );
    default:
      return block satisfies never;
  }
}

function CellView({ cell, column, names }: { cell: Cell; column: number; names: number }) {
  if (typeof cell !== 'string') {
    return (
      <td>
        <DrawingView drawing={cell} />
      </td>
    );
  }
  if (column === 0) return <th scope="row">{cell}</th>;
  return <td className={column < names ? styles.name : undefined}>{cell}</td>;
}

function DrawingView({ drawing: { label, width, height, shapes } }: { drawing: Drawing }) {
  return (
    <svg role="img" aria-label={label} viewBox={`0 0 ${width} ${height}`} width={width} height={height}>
      {shapes.map((shape, i) => (
        <ShapeView key={i} shape={shape} />
      ))}
    </svg>
  );
}

function ShapeView({ shape }: { shape: Shape }): ReactNode {
  switch (shape.type) {
    case 'line': {
      const { x1, y1, x2, y2, tone, isDashed } = shape;
      return <line {...{ x1, y1, x2, y2 }} className={styles[tone]} strokeDasharray={isDashed ? 3 : undefined} />;
    }
    case 'dot':
      return (
        <circle cx={shape.x} cy={shape.y} r={4.5} className={styles.dot}>
          {shape.title !== undefined && <title>{shape.title}</title>}
        </circle>
      );
    case 'text':
      return (
        <text x={shape.x} y={shape.y} textAnchor={shape.anchor}>
          {shape.text}
        </text>
      );
    default:
      return shape satisfies never;
  }
}
