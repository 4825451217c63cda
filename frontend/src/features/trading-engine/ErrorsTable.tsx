/** Failed operations, alike ones together: how often, since when, and where in the code. */
import { IconBug } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import type { ErrorGroup } from '@/lib/api/types'
import styles from './EventDrawer.module.css'
import { tradingEngine } from './api'

const columns: Column<ErrorGroup>[] = [
  {
    id: 'last_at',
    header: 'Last',
    width: 96,
    value: (row) => row.last_at,
    cell: (row) => <TimeAgo at={row.last_at} />,
  },
  { id: 'occurrences', header: 'Times', width: 64, align: 'right', value: (row) => row.occurrences },
  { id: 'kind', header: 'Error', width: 160, value: (row) => row.kind, cell: (row) => <b>{row.kind}</b> },
  {
    id: 'message',
    header: 'Newest message',
    width: 380,
    value: (row) => row.message,
    cell: (row) => <span title={row.message}>{row.message}</span>,
  },
  { id: 'component', header: 'Part', width: 120, value: (row) => row.component },
  { id: 'process', header: 'Process', width: 90, value: (row) => row.process },
  {
    id: 'first_at',
    header: 'First',
    width: 96,
    value: (row) => row.first_at,
    cell: (row) => <TimeAgo at={row.first_at} />,
  },
]

interface ErrorsTableProps {
  openId: string | undefined
  onOpen: (fingerprint: string | undefined) => void
}

export function ErrorsTable({ openId, onOpen }: ErrorsTableProps) {
  const data = useRows(useInfiniteQuery(tradingEngine.errors()))
  const open = data.rows.find(({ fingerprint }) => fingerprint === openId)
  return (
    <>
      <DataTable
        name="errors"
        label="Errors"
        columns={columns}
        data={data}
        rowId={(row) => row.fingerprint}
        openId={openId}
        onOpen={(row) => onOpen(row.fingerprint)}
        empty={
          <Empty title="No errors" icon={<IconBug size={28} stroke={1.4} />}>
            An operation that fails is kept here with its stack trace, alike ones together.
          </Empty>
        }
      />
      <SideDrawer
        isOpen={open !== undefined}
        onClose={() => onOpen(undefined)}
        title={<b>{open?.kind}</b>}
        size={760}
      >
        {open && <Detail group={open} />}
      </SideDrawer>
    </>
  )
}

function Detail({ group }: { group: ErrorGroup }) {
  return (
    <>
      <p style={{ overflowWrap: 'anywhere' }}>{group.message}</p>
      <Facts
        facts={[
          ['Times', String(group.occurrences)],
          ['First', <Instant key="first" at={group.first_at} />],
          ['Last', <Instant key="last" at={group.last_at} />],
          ['Part', group.component],
          ['Process', group.process],
          ['Reference', group.correlation_id ?? '–'],
        ]}
      />
      <h4 className={styles.section}>Stack trace</h4>
      <pre className={styles.payload} tabIndex={0} aria-label="Stack trace">
        {group.traceback || 'It was logged without one.'}
      </pre>
    </>
  )
}
