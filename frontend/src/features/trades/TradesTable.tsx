/** Round trips: from flat, to a position, back to flat. */
import { IconArrowsExchange } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Badge } from '@/components/Badge'
import { Change } from '@/components/Change'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { LedgerLink, SymbolLink } from '@/components/links'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import { trades } from '@/lib/api/records'
import type { Trade, TradeFilter } from '@/lib/api/types'
import { formatDuration, formatMoney, formatName, formatPrice, formatQuantity } from '@/lib/format'

const columns: Column<Trade>[] = [
  {
    id: 'exit_at',
    header: 'Exit',
    width: 164,
    value: (row) => row.exit_at,
    cell: (row) => <Instant at={row.exit_at} />,
  },
  {
    id: 'symbol',
    header: 'Symbol',
    width: 72,
    value: (row) => row.symbol,
    cell: (row) => <SymbolLink symbol={row.symbol} />,
  },
  {
    id: 'direction',
    header: 'Direction',
    width: 76,
    value: (row) => row.direction,
    cell: (row) => <Badge tone={row.direction === 'long' ? 'up' : 'down'}>{formatName(row.direction)}</Badge>,
  },
  {
    id: 'quantity',
    header: 'Quantity',
    width: 80,
    align: 'right',
    value: (row) => row.quantity,
    cell: (row) => formatQuantity(row.quantity),
  },
  {
    id: 'entry_price',
    header: 'Entry price',
    width: 90,
    align: 'right',
    value: (row) => row.entry_price,
    cell: (row) => formatPrice(row.entry_price),
  },
  {
    id: 'exit_price',
    header: 'Exit price',
    width: 90,
    align: 'right',
    value: (row) => row.exit_price,
    cell: (row) => formatPrice(row.exit_price),
  },
  {
    id: 'pnl',
    header: 'P&L',
    width: 90,
    align: 'right',
    value: (row) => row.pnl,
    cell: (row) => <Change value={row.pnl} />,
    help: 'Net of commission',
  },
  {
    id: 'pnl_pct',
    header: 'Return',
    width: 80,
    align: 'right',
    value: (row) => row.pnl_pct,
    cell: (row) => <Change value={row.pnl_pct} percent />,
  },
  {
    id: 'commission',
    header: 'Commission',
    width: 88,
    align: 'right',
    value: (row) => row.commission,
    cell: (row) => formatMoney(row.commission),
  },
  {
    id: 'duration_seconds',
    header: 'Held for',
    width: 90,
    align: 'right',
    value: (row) => row.duration_seconds,
    cell: (row) => formatDuration(row.duration_seconds),
  },
  {
    id: 'exit_reason',
    header: 'Closed by',
    width: 96,
    value: (row) => row.exit_reason,
    cell: (row) => (row.exit_reason ? formatName(row.exit_reason) : '–'),
  },
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
    id: 'entry_at',
    header: 'Entry',
    width: 164,
    isHidden: true,
    value: (row) => row.entry_at,
    cell: (row) => <Instant at={row.entry_at} />,
  },
  { id: 'trade_id', header: 'Trade id', width: 160, isHidden: true, value: (row) => row.trade_id },
]

interface TradesTableProps {
  filter: TradeFilter
  filters?: ReactNode
  openId?: string | undefined
  onOpen: (trade: Trade) => void
  isCompact?: boolean
}

export function TradesTable({ filter, filters, openId, onOpen, isCompact }: TradesTableProps) {
  const data = useRows(useInfiniteQuery(trades.list(filter)))
  return (
    <DataTable
      name="trades"
      label="Trades"
      columns={columns}
      data={data}
      rowId={(row) => row.trade_id}
      openId={openId}
      onOpen={onOpen}
      filters={filters}
      isCompact={isCompact}
      empty={
        <Empty title="No trades yet" icon={<IconArrowsExchange size={28} stroke={1.4} />}>
          A trade is a round trip: it appears when a position is closed again.
        </Empty>
      }
    />
  )
}
