/** Fills as the broker reported them, newest first. */
import { IconChecklist } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Side } from '@/components/Badge'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { LedgerLink, SymbolLink } from '@/components/links'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import { executions } from '@/lib/api/records'
import type { Execution, ExecutionFilter } from '@/lib/api/types'
import { formatMoney, formatPrice, formatQuantity, toNumber } from '@/lib/format'

const valueOf = (execution: Execution): number | null => {
  const price = toNumber(execution.price)
  const quantity = toNumber(execution.quantity)
  return price === null || quantity === null ? null : price * quantity
}

const columns: Column<Execution>[] = [
  { id: 'at', header: 'At', width: 164, value: (row) => row.at, cell: (row) => <Instant at={row.at} /> },
  {
    id: 'symbol',
    header: 'Symbol',
    width: 72,
    value: (row) => row.symbol,
    cell: (row) => <SymbolLink symbol={row.symbol} />,
  },
  {
    id: 'side',
    header: 'Side',
    width: 52,
    value: (row) => row.side,
    cell: (row) => <Side side={row.side} />,
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
    id: 'price',
    header: 'Price',
    width: 90,
    align: 'right',
    value: (row) => row.price,
    cell: (row) => formatPrice(row.price),
  },
  {
    id: 'value',
    header: 'Value',
    width: 100,
    align: 'right',
    value: valueOf,
    cell: (row) => formatMoney(valueOf(row)),
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
    id: 'ledger',
    header: 'Ledger',
    width: 90,
    value: (row) => row.ledger,
    cell: (row) => <LedgerLink ledger={row.ledger} deploymentId={row.deployment_id} />,
  },
  { id: 'broker', header: 'Broker', width: 80, value: (row) => row.broker },
  {
    id: 'client_order_id',
    header: 'Client order id',
    width: 200,
    isHidden: true,
    value: (row) => row.client_order_id,
  },
  {
    id: 'execution_id',
    header: 'Execution id',
    width: 200,
    isHidden: true,
    value: (row) => row.execution_id,
  },
]

interface ExecutionsTableProps {
  filter: ExecutionFilter
  filters: ReactNode
  onOpen: (clientOrderId: string) => void
}

export function ExecutionsTable({ filter, filters, onOpen }: ExecutionsTableProps) {
  const data = useRows(useInfiniteQuery(executions.list(filter)))
  return (
    <DataTable
      name="executions"
      label="Executions"
      columns={columns}
      data={data}
      rowId={(row) => `${row.broker}:${row.execution_id}`}
      onOpen={(row) => onOpen(row.client_order_id)}
      filters={filters}
      empty={
        <Empty title="No executions here" icon={<IconChecklist size={28} stroke={1.4} />}>
          Each fill of an order appears here as soon as the broker reports it.
        </Empty>
      }
    />
  )
}
