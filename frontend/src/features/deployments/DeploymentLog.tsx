/** What a person reads about one deployment: started, warmed up, skipped, failed. */
import { IconNotes } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { SeverityBadge } from '@/components/Badge'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { deployments } from '@/lib/api/deployments'
import { useRows } from '@/lib/api/pages'
import type { StrategyEvent } from '@/lib/api/types'
import { formatName } from '@/lib/format'

const columns: Column<StrategyEvent>[] = [
  { id: 'at', header: 'At', width: 164, value: (row) => row.at, cell: (row) => <Instant at={row.at} /> },
  {
    id: 'severity',
    header: 'Severity',
    width: 80,
    value: (row) => row.severity,
    cell: (row) => <SeverityBadge severity={row.severity} />,
  },
  {
    id: 'event_type',
    header: 'What',
    width: 120,
    value: (row) => row.event_type,
    cell: (row) => formatName(row.event_type),
  },
  {
    id: 'message',
    header: 'Message',
    width: 420,
    value: (row) => row.message,
    cell: (row) => <span title={row.message}>{row.message}</span>,
  },
]

export function DeploymentLog({ deploymentId }: { deploymentId: number }) {
  const data = useRows(useInfiniteQuery(deployments.events(deploymentId, [])))
  return (
    <DataTable
      name="deployment-log"
      label="Log"
      columns={columns}
      data={data}
      rowId={(row) => String(row.id)}
      empty={
        <Empty title="Nothing to tell yet" icon={<IconNotes size={28} stroke={1.4} />}>
          What the deployment does, skips and fails at is written down here.
        </Empty>
      }
    />
  )
}
