/** The ledger of gaps: where bars are missing, why, and what providers said. */
import { IconPuzzle } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Empty } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { SymbolLink } from '@/components/links'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { dataQuality } from '@/lib/api/data-quality'
import { useRows } from '@/lib/api/pages'
import type { Gap, GapFilter } from '@/lib/api/types'
import { formatDuration, formatFigure } from '@/lib/format'
import { GapMark } from './Marks'
import { GAP_WORDS } from './words'

const lengthOf = (gap: Gap): number => (Date.parse(gap.end) - Date.parse(gap.start)) / 1000

const columns: Column<Gap>[] = [
  {
    id: 'start',
    header: 'From',
    width: 160,
    value: (row) => row.start,
    cell: (row) => <Instant at={row.start} />,
  },
  {
    id: 'length',
    header: 'Lasts',
    width: 84,
    align: 'right',
    value: lengthOf,
    cell: (row) => formatDuration(lengthOf(row)),
  },
  {
    id: 'symbol',
    header: 'Symbol',
    width: 78,
    value: (row) => row.symbol,
    cell: (row) => <SymbolLink symbol={row.symbol} />,
  },
  { id: 'timeframe', header: 'Bars of', width: 64, value: (row) => row.timeframe },
  { id: 'dataset', header: 'Data set', width: 110, value: (row) => row.dataset },
  {
    id: 'bars',
    header: 'Bars',
    width: 64,
    align: 'right',
    value: (row) => row.bars,
    cell: (row) => formatFigure(row.bars, { decimals: 0 }),
    help: 'How many are missing; of a repaired gap, how many came.',
  },
  {
    id: 'state',
    header: 'State',
    width: 130,
    value: (row) => row.state,
    cell: (row) => <GapMark state={row.state} />,
  },
  {
    id: 'detail',
    header: 'Why',
    width: 320,
    value: (row) => row.detail,
    cell: (row) => <span title={row.detail}>{row.detail || GAP_WORDS[row.state].says}</span>,
  },
  {
    id: 'asked',
    header: 'Asked',
    width: 96,
    value: (row) => row.asked_at,
    cell: (row) => <TimeAgo at={row.asked_at} />,
    help: 'When providers were asked last.',
  },
  {
    id: 'detected',
    header: 'Detected',
    width: 96,
    value: (row) => row.detected_at,
    cell: (row) => <TimeAgo at={row.detected_at} />,
    isHidden: true,
  },
]

interface GapsTableProps {
  filter: GapFilter
  filters?: ReactNode
  openId?: number | undefined
  onOpen: (gap: Gap) => void
}

export function GapsTable({ filter, filters, openId, onOpen }: GapsTableProps) {
  const data = useRows(useInfiniteQuery(dataQuality.gaps(filter)))
  return (
    <DataTable
      name="gaps"
      label="Gaps"
      columns={columns}
      data={data}
      rowId={(row) => String(row.id)}
      openId={openId === undefined ? undefined : String(openId)}
      onOpen={onOpen}
      filters={filters}
      empty={
        <Empty title="No gaps" icon={<IconPuzzle size={28} stroke={1.4} />}>
          Every place where a session promises bars and none are stored is listed here, with the reason once
          it is known.
        </Empty>
      }
    />
  )
}
