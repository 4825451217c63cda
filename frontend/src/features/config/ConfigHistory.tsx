/** Who changed which setting, when and why; each change can be taken back. */
import { IconHistory } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import type { ConfigChange } from '@/lib/api/types'
import { showValue, titleOf } from '@/lib/config-value'
import { Rollback } from './Rollback'
import { config } from './api'

const columns: Column<ConfigChange>[] = [
  { id: 'at', header: 'When', width: 156, value: (row) => row.at, cell: (row) => <Instant at={row.at} /> },
  {
    id: 'key',
    header: 'Setting',
    width: 190,
    value: (row) => row.key,
    cell: (row) => <span title={row.key}>{titleOf(row.key)}</span>,
  },
  { id: 'scope', header: 'Of', width: 110, value: (row) => row.scope },
  {
    id: 'before',
    header: 'Before',
    width: 100,
    align: 'right',
    value: (row) => showValue(row.key, row.before),
  },
  {
    id: 'after',
    header: 'After',
    width: 100,
    align: 'right',
    value: (row) => showValue(row.key, row.after),
    cell: (row) => <b>{showValue(row.key, row.after)}</b>,
  },
  { id: 'actor', header: 'By', width: 150, value: (row) => row.actor },
  {
    id: 'reason',
    header: 'Why',
    width: 220,
    value: (row) => row.reason,
    cell: (row) => <span title={row.reason ?? undefined}>{row.reason ?? '–'}</span>,
  },
  { id: 'actions', header: 'Do', width: 110, value: () => '', cell: (row) => <Rollback change={row} /> },
]

export function ConfigHistory({ keyName, filters }: { keyName: string | undefined; filters: ReactNode }) {
  const data = useRows(useInfiniteQuery(config.history(keyName)))
  return (
    <DataTable
      name="config-history"
      label="Changes of settings"
      columns={columns}
      data={data}
      rowId={(row) => String(row.id)}
      filters={filters}
      empty={
        <Empty title="Nothing was changed yet" icon={<IconHistory size={28} stroke={1.4} />}>
          Every change of a setting is kept here with who made it, and can be taken back.
        </Empty>
      }
    />
  )
}
