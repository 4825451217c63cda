/** Every stored series: how much there is, how whole, how fresh, how believable. */
import { Tooltip } from '@mantine/core'
import { IconDatabase } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Empty } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { SymbolLink } from '@/components/links'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { dataQuality } from '@/lib/api/data-quality'
import { useRows } from '@/lib/api/pages'
import type { Series, SeriesFilter } from '@/lib/api/types'
import { NONE, formatBothTimes, formatDuration, formatFigure, formatTime } from '@/lib/format'
import { usePreferences } from '@/lib/preferences'
import { VerdictMark } from './Marks'
import styles from './SeriesTable.module.css'
import { formatShare, seriesKey, verdictSentence } from './words'

const count = (value: number | null | undefined) => formatFigure(value, { decimals: 0 })

/** How full, as a bar that needs no colour to be read; the last percent is what matters. */
function Completeness({ share }: { share: number | null | undefined }) {
  if (share === null || share === undefined) return <span className="faint">{NONE}</span>
  const missing = Math.min(1, (1 - share) * 10)
  return (
    <span className={styles.completeness}>
      <span className={styles.bar} data-whole={share >= 0.999 || undefined} aria-hidden>
        <span style={{ width: `${String(100 * (1 - missing))}%` }} />
      </span>
      {formatShare(share)}
    </span>
  )
}

/** To the day or minute: more would only make the column wide. */
function Start({ at, isDay = false }: { at: string; isDay?: boolean }) {
  const { timeZone } = usePreferences()
  return (
    <Tooltip label={formatBothTimes(at)}>
      <time dateTime={at}>{formatTime(at, timeZone).slice(0, isDay ? 10 : 16)}</time>
    </Tooltip>
  )
}

const columns: Column<Series>[] = [
  {
    id: 'symbol',
    header: 'Symbol',
    width: 78,
    value: (row) => row.symbol,
    cell: (row) => <SymbolLink symbol={row.symbol} />,
  },
  { id: 'timeframe', header: 'Bars of', width: 64, value: (row) => row.timeframe },
  {
    id: 'dataset',
    header: 'Data set',
    width: 96,
    value: (row) => row.dataset,
    cell: (row) => <span title={row.dataset}>{row.dataset}</span>,
  },
  {
    id: 'verdict',
    header: 'Verdict',
    width: 112,
    value: (row) => row.verdict,
    cell: (row) => <VerdictMark verdict={row.verdict} says={verdictSentence(row)} />,
  },
  {
    id: 'completeness',
    header: 'Completeness',
    width: 128,
    align: 'right',
    value: (row) => row.completeness,
    cell: (row) => <Completeness share={row.completeness} />,
    help: 'Share of the expected bars of regular hours that are there or explained. The bar shows the last ten percent.',
  },
  {
    id: 'bars',
    header: 'Bars',
    width: 84,
    align: 'right',
    value: (row) => row.bars,
    cell: (row) => `${row.bars_exact ? '' : '≈ '}${count(row.bars)}`,
  },
  {
    id: 'missing',
    header: 'Missing',
    width: 74,
    align: 'right',
    value: (row) => row.missing,
    cell: (row) => count(row.missing),
  },
  {
    id: 'gaps',
    header: 'Open gaps',
    width: 82,
    align: 'right',
    value: (row) => row.gaps,
    cell: (row) => count(row.gaps),
    help: 'Unexplained, or holes of all providers.',
  },
  {
    id: 'behind',
    header: 'Behind',
    width: 78,
    align: 'right',
    value: (row) => row.behind_seconds,
    cell: (row) => formatDuration(row.behind_seconds),
    help: 'For how much trading time a live series is overdue.',
  },
  {
    id: 'quarantined',
    header: 'Refused',
    width: 74,
    align: 'right',
    value: (row) => row.quarantined,
    cell: (row) => count(row.quarantined),
    help: 'Bars that were refused on arrival: see Quarantine.',
  },
  {
    id: 'first',
    header: 'First bar',
    width: 96,
    value: (row) => row.first_start,
    cell: (row) => <Start at={row.first_start} isDay />,
  },
  {
    id: 'last',
    header: 'Last bar',
    width: 138,
    value: (row) => row.last_start,
    cell: (row) => <Start at={row.last_start} />,
  },
  {
    id: 'sources',
    header: 'Sources',
    width: 130,
    value: (row) => row.sources?.join(', '),
    cell: (row) => <span title={row.sources?.join(', ')}>{row.sources?.join(', ') || NONE}</span>,
  },
  {
    id: 'checked',
    header: 'Checked',
    width: 100,
    value: (row) => row.checked_at,
    cell: (row) => <TimeAgo at={row.checked_at} />,
    isHidden: true,
  },
  {
    id: 'suspicious',
    header: 'Suspicious',
    width: 84,
    align: 'right',
    value: (row) => row.suspicious,
    cell: (row) => count(row.suspicious),
    isHidden: true,
  },
  {
    id: 'explained',
    header: 'Explained gaps',
    width: 110,
    align: 'right',
    value: (row) => row.gaps_explained,
    cell: (row) => count(row.gaps_explained),
    isHidden: true,
  },
  {
    id: 'fingerprint',
    header: 'Fingerprint',
    width: 150,
    value: (row) => row.fingerprint,
    cell: (row) => <span className="mono">{row.fingerprint?.slice(0, 16) ?? NONE}</span>,
    isHidden: true,
  },
]

interface SeriesTableProps {
  filter: SeriesFilter
  filters: ReactNode
  openKey: string | undefined
  onOpen: (key: string) => void
  onImport: () => void
}

export function SeriesTable({ filter, filters, openKey, onOpen, onImport }: SeriesTableProps) {
  const data = useRows(useInfiniteQuery(dataQuality.series(filter)))
  const isFiltered = Object.values<unknown>(filter).some((value) => value !== undefined)
  return (
    <DataTable
      name="series"
      label="Series"
      columns={columns}
      data={data}
      rowId={seriesKey}
      openId={openKey}
      onOpen={(row) => onOpen(seriesKey(row))}
      filters={filters}
      empty={
        <Empty
          title={isFiltered ? 'No such series' : 'No bars are stored yet'}
          icon={<IconDatabase size={28} stroke={1.4} />}
          action={
            <button type="button" className="link-button" onClick={onImport}>
              Import a file
            </button>
          }
        >
          {isFiltered
            ? 'Clear a filter to see the others.'
            : 'They come with a live account, the simulation, or a file of yours.'}
        </Empty>
      }
    />
  )
}
