/** What strategies and people wanted to hold, and what became of it. */
import { IconBulb } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Badge, SignalType, type Tone } from '@/components/Badge'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { LedgerLink, SymbolLink } from '@/components/links'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import { signals } from '@/lib/api/records'
import type { Signal, SignalFilter } from '@/lib/api/types'
import { formatFigure, formatName, formatPrice, formatQuantity } from '@/lib/format'

const OUTCOME_TONES: Record<string, Tone> = {
  order: 'good',
  denied: 'error',
  satisfied: 'neutral',
  expired: 'warning',
}

const columns: Column<Signal>[] = [
  { id: 'at', header: 'At', width: 164, value: (row) => row.at, cell: (row) => <Instant at={row.at} /> },
  {
    id: 'symbol',
    header: 'Symbol',
    width: 72,
    value: (row) => row.symbol,
    cell: (row) => <SymbolLink symbol={row.symbol} />,
  },
  {
    id: 'signal_type',
    header: 'Type',
    width: 64,
    value: (row) => row.signal_type,
    cell: (row) => <SignalType type={row.signal_type} />,
  },
  {
    id: 'exposure',
    header: 'Wants',
    width: 76,
    align: 'right',
    value: (row) => row.quantity ?? row.exposure,
    cell: (row) =>
      row.quantity ? formatQuantity(row.quantity, true) : formatFigure(row.exposure, { signed: true }),
    help: 'Exposure from −1 to +1, or a signed quantity where a person asked for one',
  },
  {
    id: 'price',
    header: 'Price',
    width: 84,
    align: 'right',
    value: (row) => row.price,
    cell: (row) => formatPrice(row.price),
  },
  {
    id: 'outcome',
    header: 'Outcome',
    width: 88,
    value: (row) => row.outcome,
    cell: (row) => (
      <Badge tone={OUTCOME_TONES[row.outcome ?? ''] ?? 'info'}>{formatName(row.outcome ?? 'open')}</Badge>
    ),
  },
  {
    id: 'executed',
    header: 'Executed',
    width: 76,
    value: (row) => row.executed,
    cell: (row) => (row.executed ? 'Yes' : 'No'),
  },
  { id: 'reasons', header: 'Reasons', width: 260, value: (row) => row.reasons.join('; ') },
  {
    id: 'ledger',
    header: 'Ledger',
    width: 120,
    value: (row) => row.ledger,
    cell: (row) => (
      <LedgerLink ledger={row.ledger} deploymentId={row.deployment_id} strategy={row.strategy} />
    ),
  },
  {
    id: 'stop_loss',
    header: 'Stop loss',
    width: 88,
    align: 'right',
    isHidden: true,
    value: (row) => row.stop_loss,
    cell: (row) => formatPrice(row.stop_loss),
  },
  { id: 'signal_id', header: 'Signal id', width: 200, isHidden: true, value: (row) => row.signal_id },
]

interface SignalsTableProps {
  filter: SignalFilter
  filters: ReactNode
  openId: string | undefined
  onOpen: (signalId: string) => void
}

export function SignalsTable({ filter, filters, openId, onOpen }: SignalsTableProps) {
  const data = useRows(useInfiniteQuery(signals.list(filter)))
  return (
    <DataTable
      name="signals"
      label="Signals"
      columns={columns}
      data={data}
      rowId={(row) => row.signal_id}
      openId={openId}
      onOpen={(row) => onOpen(row.signal_id)}
      filters={filters}
      empty={
        <Empty title="No signals here" icon={<IconBulb size={28} stroke={1.4} />}>
          A strategy raises a signal when its opinion changes, never in between.
        </Empty>
      }
    />
  )
}
