/** Orders that were never sent: which limit said no, and by how much. */
import { IconShieldCheck } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Side } from '@/components/Badge'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { LedgerLink, SymbolLink } from '@/components/links'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import { riskViolations } from '@/lib/api/records'
import type { RiskViolation, RiskViolationFilter } from '@/lib/api/types'
import { formatQuantity } from '@/lib/format'
import { formatRuleValue, wordsOf } from '@/lib/risk'

const columns: Column<RiskViolation>[] = [
  { id: 'at', header: 'At', width: 164, value: (row) => row.at, cell: (row) => <Instant at={row.at} /> },
  {
    id: 'code',
    header: 'Limit',
    width: 130,
    value: (row) => row.code,
    cell: (row) => wordsOf(row.code).title,
  },
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
    id: 'value',
    header: 'Value',
    width: 80,
    align: 'right',
    value: (row) => row.value,
    cell: (row) => formatRuleValue(row.code, row.value),
  },
  {
    id: 'limit',
    header: 'Allowed',
    width: 80,
    align: 'right',
    value: (row) => row.limit,
    cell: (row) => formatRuleValue(row.code, row.limit),
  },
  { id: 'scope', header: 'Of', width: 110, value: (row) => row.scope ?? 'account' },
  { id: 'detail', header: 'Detail', width: 300, value: (row) => row.detail },
  {
    id: 'ledger',
    header: 'Ledger',
    width: 80,
    value: (row) => row.ledger,
    cell: (row) => <LedgerLink ledger={row.ledger} deploymentId={row.deployment_id} />,
  },
]

interface RiskViolationsTableProps {
  filter: RiskViolationFilter
  filters: ReactNode
  openId: number | undefined
  onOpen: (violation: RiskViolation) => void
}

export function RiskViolationsTable({ filter, filters, openId, onOpen }: RiskViolationsTableProps) {
  const data = useRows(useInfiniteQuery(riskViolations.list(filter)))
  return (
    <DataTable
      name="risk-violations"
      label="Risk violations"
      columns={columns}
      data={data}
      rowId={(row) => String(row.id)}
      openId={openId === undefined ? undefined : String(openId)}
      onOpen={onOpen}
      filters={filters}
      empty={
        <Empty title="Nothing was denied" icon={<IconShieldCheck size={28} stroke={1.4} />}>
          Every order that a limit refuses is listed here with the limit and the value.
        </Empty>
      }
    />
  )
}
