/** What each ledger holds now, marked at the newest price. */
import { IconChartDonut3 } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Badge } from '@/components/Badge'
import { Change } from '@/components/Change'
import { Flash } from '@/components/Flash'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { LedgerLink, SymbolLink } from '@/components/links'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import { positions } from '@/lib/api/records'
import type { Position, PositionFilter } from '@/lib/api/types'
import { formatMoney, formatPercent, formatPrice, formatQuantity, toNumber } from '@/lib/format'

/** Gain on what was paid; null without a price. */
export function returnOf(position: Position): number | null {
  const pnl = toNumber(position.unrealized_pnl)
  const cost = Math.abs((toNumber(position.quantity) ?? 0) * (toNumber(position.average_price) ?? 0))
  return pnl === null || cost === 0 ? null : pnl / cost
}

/** What ends the position when nobody looks. */
function protectionOf(position: Position): string {
  if (position.is_protected_here) return 'Only while running'
  return position.stop_loss || position.take_profit ? 'At the broker' : 'None'
}

const columns: Column<Position>[] = [
  {
    id: 'symbol',
    header: 'Symbol',
    width: 72,
    value: (row) => row.symbol,
    cell: (row) => <SymbolLink symbol={row.symbol} />,
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
    id: 'average_price',
    header: 'Average price',
    width: 108,
    align: 'right',
    value: (row) => row.average_price,
    cell: (row) => formatPrice(row.average_price),
  },
  {
    id: 'market_price',
    header: 'Market price',
    width: 96,
    align: 'right',
    value: (row) => row.market_price,
    cell: (row) => <Flash value={toNumber(row.market_price)}>{formatPrice(row.market_price)}</Flash>,
  },
  {
    id: 'market_value',
    header: 'Market value',
    width: 104,
    align: 'right',
    value: (row) => row.market_value,
    cell: (row) => formatMoney(row.market_value),
  },
  {
    id: 'unrealized_pnl',
    header: 'Unrealized P&L',
    width: 108,
    align: 'right',
    value: (row) => row.unrealized_pnl,
    cell: (row) => <Change value={row.unrealized_pnl} />,
  },
  {
    id: 'return',
    header: 'Return',
    width: 80,
    align: 'right',
    value: returnOf,
    cell: (row) => <Change value={returnOf(row)} percent />,
  },
  {
    id: 'weight',
    header: 'Weight',
    width: 76,
    align: 'right',
    value: (row) => row.weight,
    cell: (row) => formatPercent(row.weight, { decimals: 1 }),
    help: 'Market value ÷ the account’s equity',
  },
  {
    id: 'stop_loss',
    header: 'Stop loss',
    width: 88,
    align: 'right',
    value: (row) => row.stop_loss,
    cell: (row) => formatPrice(row.stop_loss),
  },
  {
    id: 'is_protected_here',
    header: 'Protection',
    width: 150,
    value: protectionOf,
    cell: (row) =>
      row.is_protected_here ? <Badge tone="warning">{protectionOf(row)}</Badge> : protectionOf(row),
    help: 'Where the stop and the take-profit wait: what is held here is watched only while we run',
  },
  {
    id: 'take_profit',
    header: 'Take profit',
    width: 88,
    align: 'right',
    isHidden: true,
    value: (row) => row.take_profit,
    cell: (row) => formatPrice(row.take_profit),
  },
  {
    id: 'realized_pnl',
    header: 'Realized P&L',
    width: 100,
    align: 'right',
    value: (row) => row.realized_pnl,
    cell: (row) => <Change value={row.realized_pnl} />,
  },
  {
    id: 'commission',
    header: 'Commission',
    width: 88,
    align: 'right',
    isHidden: true,
    value: (row) => row.commission,
    cell: (row) => formatMoney(row.commission),
  },
  {
    id: 'ledger',
    header: 'Ledger',
    width: 80,
    value: (row) => row.ledger,
    cell: (row) => <LedgerLink ledger={row.ledger} deploymentId={row.deployment_id} />,
  },
  {
    id: 'opened_at',
    header: 'Opened',
    width: 164,
    value: (row) => row.opened_at,
    cell: (row) => <Instant at={row.opened_at} />,
  },
]

const COMPACT = ['symbol', 'quantity', 'market_price', 'unrealized_pnl', 'return']
const compactColumns = columns.filter((column) => COMPACT.includes(column.id))

interface PositionsTableProps {
  filter: PositionFilter
  filters?: ReactNode
  onOpen: (symbol: string) => void
  isCompact?: boolean
}

export function PositionsTable({ filter, filters, onOpen, isCompact = false }: PositionsTableProps) {
  const data = useRows(useInfiniteQuery(positions.list(filter)))
  return (
    <DataTable
      name={isCompact ? 'positions-compact' : 'positions'}
      label="Positions"
      columns={isCompact ? compactColumns : columns}
      data={data}
      rowId={(row) => `${row.ledger}:${row.symbol}`}
      onOpen={(row) => onOpen(row.symbol)}
      filters={filters}
      isCompact={isCompact}
      empty={
        <Empty title="No open positions" icon={<IconChartDonut3 size={28} stroke={1.4} />}>
          When an order is filled, what is held shows up here with its profit and its stop.
        </Empty>
      }
    />
  )
}
