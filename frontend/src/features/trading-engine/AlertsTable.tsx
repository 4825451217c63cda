/** Alerts with what can be done about them: acknowledge, resolve. */
import { Button, Group } from '@mantine/core'
import { IconBellCheck } from '@tabler/icons-react'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import type { MouseEvent } from 'react'
import { AlertState, SeverityBadge } from '@/components/Badge'
import { Empty } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { notifyError } from '@/components/notify'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import type { Alert } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { acknowledgeAlert, resolveAlert, tradingEngine } from './api'

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
  { id: 'actions', header: 'Do', width: 176, value: () => '', cell: (row) => <AlertActions alert={row} /> },
]

export function AlertsTable() {
  const data = useRows(useInfiniteQuery(tradingEngine.alerts({})))
  return (
    <DataTable
      name="alerts"
      label="Alerts"
      columns={columns}
      data={data}
      rowId={(row) => String(row.id)}
      empty={
        <Empty title="No alerts" icon={<IconBellCheck size={28} stroke={1.4} />}>
          What a person should see is listed here, with a way to resolve it.
        </Empty>
      }
    />
  )
}

function AlertActions({ alert }: { alert: Alert }) {
  const client = useQueryClient()
  const act = useMutation({
    mutationFn: (what: 'acknowledge' | 'resolve') =>
      what === 'resolve' ? resolveAlert(alert.id, null) : acknowledgeAlert(alert.id),
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: ['alerts'] }),
  })
  if (alert.state === 'resolved') return <span className="faint">{alert.resolved_by}</span>
  const press = (what: 'acknowledge' | 'resolve') => (event: MouseEvent) => {
    event.stopPropagation()
    act.mutate(what)
  }
  return (
    <Group gap={4} wrap="nowrap">
      {alert.state === 'open' && (
        <Button size="compact-xs" variant="default" loading={act.isPending} onClick={press('acknowledge')}>
          Acknowledge
        </Button>
      )}
      <Button size="compact-xs" variant="default" loading={act.isPending} onClick={press('resolve')}>
        Resolve
      </Button>
    </Group>
  )
}
