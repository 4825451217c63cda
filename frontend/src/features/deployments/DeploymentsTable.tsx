/** Strategies at work on the account. */
import { IconRocket } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { DeploymentState } from '@/components/Badge'
import { Change } from '@/components/Change'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { deployments } from '@/lib/api/deployments'
import { useRows } from '@/lib/api/pages'
import type { Deployment, DeploymentFilter } from '@/lib/api/types'
import { titleOf } from '@/lib/choices'
import { formatMoney, toNumber } from '@/lib/format'

export const pnlOf = (deployment: Deployment): number =>
  (toNumber(deployment.realized_pnl) ?? 0) + (toNumber(deployment.unrealized_pnl) ?? 0)

const columns: Column<Deployment>[] = [
  { id: 'title', header: 'Deployment', width: 180, value: titleOf },
  {
    id: 'state',
    header: 'State',
    width: 86,
    value: (row) => row.state,
    cell: (row) => <DeploymentState state={row.state} />,
  },
  { id: 'strategy', header: 'Strategy', width: 110, value: (row) => row.strategy },
  { id: 'symbols', header: 'Symbols', width: 120, value: (row) => row.symbols.join(' ') },
  { id: 'timeframe', header: 'Timeframe', width: 80, value: (row) => row.timeframe },
  {
    id: 'capital',
    header: 'Capital',
    width: 100,
    align: 'right',
    value: (row) => row.capital,
    cell: (row) => (row.capital ? formatMoney(row.capital) : 'by limits'),
  },
  {
    id: 'pnl',
    header: 'P&L',
    width: 96,
    align: 'right',
    value: pnlOf,
    cell: (row) => <Change value={pnlOf(row)} />,
  },
  {
    id: 'realized_pnl',
    header: 'Realized',
    width: 96,
    align: 'right',
    isHidden: true,
    value: (row) => row.realized_pnl,
    cell: (row) => <Change value={row.realized_pnl} />,
  },
  {
    id: 'unrealized_pnl',
    header: 'Unrealized',
    width: 96,
    align: 'right',
    isHidden: true,
    value: (row) => row.unrealized_pnl,
    cell: (row) => <Change value={row.unrealized_pnl} />,
  },
  { id: 'trades', header: 'Trades', width: 66, align: 'right', value: (row) => row.trades },
  {
    id: 'open_positions',
    header: 'Positions',
    width: 74,
    align: 'right',
    value: (row) => row.open_positions,
  },
  {
    id: 'started_at',
    header: 'Started',
    width: 164,
    value: (row) => row.started_at,
    cell: (row) => <Instant at={row.started_at} />,
  },
  { id: 'ledger', header: 'Ledger', width: 64, value: (row) => row.ledger },
  { id: 'state_reason', header: 'Reason', width: 160, isHidden: true, value: (row) => row.state_reason },
]

const COMPACT = ['title', 'state', 'pnl', 'trades']
const compactColumns = columns.filter((column) => COMPACT.includes(column.id))

interface DeploymentsTableProps {
  filter: DeploymentFilter
  filters?: ReactNode
  onOpen: (id: number) => void
  emptyAction?: ReactNode
  isCompact?: boolean
}

export function DeploymentsTable({
  filter,
  filters,
  onOpen,
  emptyAction,
  isCompact = false,
}: DeploymentsTableProps) {
  const data = useRows(useInfiniteQuery(deployments.list(filter)))
  return (
    <DataTable
      name={isCompact ? 'deployments-compact' : 'deployments'}
      label="Deployments"
      columns={isCompact ? compactColumns : columns}
      data={data}
      rowId={(row) => String(row.id)}
      onOpen={(row) => onOpen(row.id)}
      filters={filters}
      isCompact={isCompact}
      initialSort={isCompact ? { id: 'pnl', desc: true } : { id: 'started_at', desc: true }}
      empty={
        <Empty title="Nothing is deployed" icon={<IconRocket size={28} stroke={1.4} />} action={emptyAction}>
          A deployment is a strategy with its parameters, symbols and capital, at work on this account.
        </Empty>
      }
    />
  )
}
