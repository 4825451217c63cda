/** Imports: send a file, follow it, and read what became of every row of those before. */
import { Progress } from '@mantine/core'
import { IconFileImport } from '@tabler/icons-react'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { Badge, type Tone } from '@/components/Badge'
import { Panel } from '@/components/Panel'
import { Empty, Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { dataQuality } from '@/lib/api/data-quality'
import { imports, isUnderWay } from '@/lib/api/imports'
import { useRows } from '@/lib/api/pages'
import type { DataImport } from '@/lib/api/types'
import { formatBytes, formatFigure, plural } from '@/lib/format'
import { CommandLine } from './CommandLine'
import { ImportForm } from './ImportForm'
import styles from './Imports.module.css'
import { commandOf } from './import-wish'
import { useMayChangeData } from './permission'
import { type ImportReport, readReport, shareOf } from './import-report'

interface ImportsPanelProps {
  openId: number | undefined
  onOpen: (id: number | undefined) => void
  onShowSeries: (dataset: string) => void
}

export function ImportsPanel({ openId, onOpen, onShowSeries }: ImportsPanelProps) {
  const isAllowed = useMayChangeData()
  const list = useRows(useInfiniteQuery(imports.list()))
  useRefreshWhenDone(list.rows)
  return (
    <div className={styles.panel}>
      <Panel title="Import a file">
        {isAllowed ? (
          <ImportForm onSent={(sent) => onOpen(sent.id)} />
        ) : (
          <Empty title="Your role may only look at data">
            A trader or an admin can import files here, or on the server’s terminal.
          </Empty>
        )}
        {!isAllowed && <CommandLine command={commandOf({ file: 'FILE', symbol: 'SPY' })} />}
      </Panel>
      <Panel title="Imports">
        {list.error && <Failed error={list.error} onRetry={list.refetch} />}
        {list.isPending && <Loading rows={4} />}
        {!list.isPending && !list.error && list.rows.length === 0 && (
          <Empty title="No file was imported here yet" icon={<IconFileImport size={28} stroke={1.4} />}>
            What becomes of each row is kept: stored, already there, or refused, with the rule.
          </Empty>
        )}
        <ul className={styles.list}>
          {list.rows.map((one) => (
            <ImportItem
              key={one.id}
              item={one}
              isOpen={one.id === openId}
              onToggle={() => onOpen(one.id === openId ? undefined : one.id)}
              onShowSeries={onShowSeries}
            />
          ))}
        </ul>
      </Panel>
    </div>
  )
}

/** A finished import has brought series: the other tabs should know at once. */
function useRefreshWhenDone(rows: readonly DataImport[]) {
  const client = useQueryClient()
  const busy = rows.filter(isUnderWay).length
  const before = useRef(busy)
  useEffect(() => {
    if (busy < before.current) void client.invalidateQueries({ queryKey: dataQuality.all })
    before.current = busy
  }, [busy, client])
}

const STATES: Record<DataImport['state'], { label: string; tone: Tone }> = {
  queued: { label: 'Waiting', tone: 'neutral' },
  running: { label: 'Importing', tone: 'info' },
  done: { label: 'Done', tone: 'good' },
  failed: { label: 'Failed', tone: 'error' },
  interrupted: { label: 'Interrupted', tone: 'warning' },
}

interface ImportItemProps {
  item: DataImport
  isOpen: boolean
  onToggle: () => void
  onShowSeries: (dataset: string) => void
}

function ImportItem({ item, isOpen, onToggle, onShowSeries }: ImportItemProps) {
  const { label, tone } = STATES[item.state]
  const report = readReport(item.report)
  return (
    <li className={styles.item}>
      <button type="button" className={styles.itemHead} aria-expanded={isOpen} onClick={onToggle}>
        <b className={styles.file}>{item.file}</b>
        <span className="faint">{formatBytes(item.bytes)}</span>
        <span className="dim">{item.dataset}</span>
        <Badge tone={tone}>{label}</Badge>
        <span className={styles.when}>
          <TimeAgo at={item.created_at} />
        </span>
      </button>
      {isUnderWay(item) && <Running item={item} />}
      {item.detail && <p className={styles.problem}>{item.detail}</p>}
      {item.state === 'interrupted' && (
        <p className={styles.problem}>
          The server ended before it was finished. Import it again: what is stored is not stored twice.
        </p>
      )}
      {report && !isOpen && <p className={styles.summary}>{summaryOf(report)}</p>}
      {report && isOpen && (
        <ReportDetail report={report} item={item} onShowSeries={() => onShowSeries(item.dataset)} />
      )}
    </li>
  )
}

function Running({ item }: { item: DataImport }) {
  const share = shareOf(item)
  const text =
    item.rows_total > 0
      ? `${formatFigure(item.rows_done, { decimals: 0 })} of about ${plural(item.rows_total, 'row')}`
      : item.state === 'queued'
        ? 'Waits for the one before it'
        : 'Reading the beginning'
  return (
    <div className={styles.running}>
      <Progress value={share * 100} aria-label={`${item.file}: ${text}`} animated={share === 0} />
      <span className="dim tabular">{text}</span>
    </div>
  )
}

const count = (value: number) => formatFigure(value, { decimals: 0 })

const summaryOf = (report: ImportReport): string =>
  [
    `${count(report.stored)} stored`,
    report.corrected > 0 && `${count(report.corrected)} corrected`,
    report.duplicates > 0 && `${count(report.duplicates)} already there`,
    `${count(report.quarantined)} refused`,
  ]
    .filter(Boolean)
    .join(' · ')

interface ReportDetailProps {
  report: ImportReport
  item: DataImport
  onShowSeries: () => void
}

function ReportDetail({ report, item, onShowSeries }: ReportDetailProps) {
  const rows: [string, number][] = [
    ['Rows read', report.read],
    ['Stored', report.stored],
    ['Corrected', report.corrected],
    ['Already there', report.duplicates],
    ['Refused', report.quarantined],
  ]
  return (
    <div className={styles.report}>
      <dl className={styles.figures}>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{count(value)}</dd>
          </div>
        ))}
      </dl>
      {[...report.explained, ...report.notes].length > 0 && (
        <ul className={styles.notes}>
          {[...report.explained, ...report.notes].map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      <p className={styles.summary}>
        {report.symbols.length > 0 && `${report.symbols.slice(0, 12).join(', ')} · `}by {item.actor} ·{' '}
        <button type="button" className="link-button" onClick={onShowSeries}>
          Show the series
        </button>
      </p>
    </div>
  )
}
