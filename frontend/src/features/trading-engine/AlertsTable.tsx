/** Alerts with what can be done about them; a row opens all that is known of it. */
import { Button } from '@mantine/core'
import { IconBellCheck } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { AlertState, SeverityBadge } from '@/components/Badge'
import { Empty } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import { type Filter, FilterChips, type FilterValues } from '@/components/table/FilterChips'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import type { Alert, AlertFilter } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { AlertButtons } from './AlertActions'
import { AlertDrawer } from './AlertDrawer'
import { tradingEngine } from './api'

const columns: Column<Alert>[] = [
  {
    id: 'raised_at',
    header: 'Raised',
    width: 96,
    value: (row) => row.raised_at,
    cell: (row) => <TimeAgo at={row.raised_at} />,
  },
  {
    id: 'severity',
    header: 'Severity',
    width: 84,
    value: (row) => row.severity,
    cell: (row) => <SeverityBadge severity={row.severity} />,
  },
  {
    id: 'state',
    header: 'State',
    width: 108,
    value: (row) => row.state,
    cell: (row) => <AlertState state={row.state} />,
  },
  {
    id: 'category',
    header: 'Category',
    width: 90,
    value: (row) => row.category,
    cell: (row) => formatName(row.category),
  },
  {
    id: 'title',
    header: 'What',
    width: 220,
    value: (row) => row.title,
    cell: (row) => <b title={row.title}>{row.title}</b>,
  },
  {
    id: 'detail',
    header: 'Detail',
    width: 300,
    value: (row) => row.detail,
    cell: (row) => <span title={row.detail}>{row.detail}</span>,
  },
  { id: 'occurrences', header: 'Times', width: 60, align: 'right', value: (row) => row.occurrences },
  { id: 'actions', header: 'Do', width: 176, value: () => '', cell: (row) => <AlertButtons alert={row} /> },
]

const asChoices = (values: readonly string[]) => values.map((value) => ({ value, label: formatName(value) }))

const FILTERS: Filter[] = [
  { key: 'state', label: 'State', choices: asChoices(['open', 'acknowledged', 'resolved']) },
  { key: 'severity', label: 'Severity', choices: asChoices(['info', 'warning', 'error', 'critical']) },
  {
    key: 'category',
    label: 'Category',
    choices: asChoices(['system', 'trading', 'performance', 'security']),
  },
]

interface AlertsTableProps {
  filter: AlertFilter
  values: FilterValues
  onFilter: (change: FilterValues) => void
  onRules: () => void
  openId: number | undefined
  onOpen: (id: number | undefined) => void
}

export function AlertsTable({ filter, values, onFilter, onRules, openId, onOpen }: AlertsTableProps) {
  const data = useRows(useInfiniteQuery(tradingEngine.alerts(filter)))
  const isFiltered = FILTERS.some(({ key }) => values[key] !== undefined)
  return (
    <>
      <DataTable
        name="alerts"
        label="Alerts"
        columns={columns}
        data={data}
        rowId={(row) => String(row.id)}
        openId={openId === undefined ? undefined : String(openId)}
        onOpen={(row) => onOpen(row.id)}
        filters={
          <>
            <FilterChips filters={FILTERS} values={values} onChange={onFilter} />
            <Button size="compact-xs" variant="subtle" onClick={onRules}>
              What raises an alert
            </Button>
          </>
        }
        empty={
          <Empty
            title={isFiltered ? 'No such alerts' : 'No alerts'}
            icon={<IconBellCheck size={28} stroke={1.4} />}
          >
            {isFiltered
              ? 'Try fewer filters.'
              : 'What a person should see is listed here, with a way to resolve it.'}
          </Empty>
        }
      />
      <AlertDrawer alertId={openId} filter={filter} onClose={() => onOpen(undefined)} />
    </>
  )
}
