/** Cash, positions and orders here and at the broker, line by line, with what explains a difference. */
import { Switch } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Badge } from '@/components/Badge'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { accounts } from '@/lib/api/accounts'
import { formatName } from '@/lib/format'
import styles from './ComparisonTable.module.css'
import { type ComparisonLine, KINDS, VERDICTS, figureOf, gapOf, linesOf, summaryOf } from './lines'

/** Of fewer lines nothing need be hidden. */
const MANY = 8

export function ComparisonTable({ accountId }: { accountId: number }) {
  const { data, error, refetch } = useQuery(accounts.comparison(accountId))
  const [onlyUnequal, setOnlyUnequal] = useState(false)
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={3} height={24} />
  if (data.at === null) {
    return (
      <p className={styles.summary}>The books were not compared yet: it happens when the broker answers.</p>
    )
  }
  return (
    <>
      <div className={styles.head}>
        <p className={styles.summary} role="status">
          <b>{summaryOf(data.lines)}</b>{' '}
          <span className="dim">
            As of <TimeAgo at={data.at} />.
          </span>
        </p>
        {data.lines.length > MANY && (
          <Switch
            label="Only what does not agree"
            checked={onlyUnequal}
            onChange={(event) => setOnlyUnequal(event.currentTarget.checked)}
          />
        )}
      </div>
      {data.lines.length > 0 && (
        <div className={styles.scroll} tabIndex={0} role="region" aria-label="Both books">
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col" data-figure>
                  Here
                </th>
                <th scope="col" data-figure>
                  At the broker
                </th>
                <th scope="col" data-figure className={styles.gap}>
                  Gap
                </th>
                <th scope="col">Verdict</th>
              </tr>
            </thead>
            {KINDS.map(({ kind, title }) => (
              <Group key={kind} title={title} lines={linesOf(data.lines, kind, onlyUnequal)} />
            ))}
          </table>
        </div>
      )}
    </>
  )
}

function Group({ title, lines }: { title: string; lines: readonly ComparisonLine[] }) {
  if (lines.length === 0) return null
  return (
    <tbody>
      <tr>
        <th scope="rowgroup" colSpan={5} className={styles.group}>
          {title}
        </th>
      </tr>
      {lines.map((line) => (
        <Line key={line.subject} line={line} />
      ))}
    </tbody>
  )
}

function Line({ line }: { line: ComparisonLine }) {
  const { label, tone } = VERDICTS[line.verdict]
  return (
    <tr data-verdict={line.verdict}>
      <th scope="row" className={styles.what} title={line.subject}>
        {line.kind === 'order' ? formatName(line.label) : line.label}
      </th>
      <td data-figure>{figureOf(line, line.ours)}</td>
      <td data-figure>{figureOf(line, line.theirs)}</td>
      <td data-figure className={styles.gap}>
        {gapOf(line)}
      </td>
      <td>
        <Badge tone={tone}>{label}</Badge>
        {line.explanation && <span className={styles.why}>{line.explanation}</span>}
      </td>
    </tr>
  )
}
