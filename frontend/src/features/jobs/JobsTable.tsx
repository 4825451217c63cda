/** Every job: when it is due, what its last run came to; run now, pause, history. */
import { IconClockPlay } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Badge } from '@/components/Badge'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { formatName } from '@/lib/format'
import { JobDetail } from './JobDetail'
import { RunProgress } from './RunProgress'
import { type Job, jobs } from './api'
import { dueWords } from './due'
import { useJobFeed } from './feed'
import { STATUS_WORDS, isUnderWay, summaryOf } from './words'

const columns: Column<Job>[] = [
  {
    id: 'name',
    header: 'Job',
    width: 150,
    value: (row) => row.name,
    cell: (row) => <b>{formatName(row.name)}</b>,
  },
  {
    id: 'last_run',
    header: 'Last run',
    width: 170,
    value: (row) => row.last_run?.status,
    cell: (row) =>
      row.last_run && isUnderWay(row.last_run) && typeof row.last_run.progress === 'number' ? (
        <RunProgress run={row.last_run} />
      ) : row.last_run ? (
        <>
          <Badge tone={STATUS_WORDS[row.last_run.status].tone}>
            {STATUS_WORDS[row.last_run.status].label}
          </Badge>{' '}
          <TimeAgo at={row.last_run.finished_at ?? row.last_run.started_at ?? row.last_run.created_at} />
        </>
      ) : (
        'None yet'
      ),
  },
  {
    id: 'next_at',
    header: 'Next',
    width: 100,
    value: (row) => row.next_at,
    cell: (row) => (row.is_paused ? <Badge tone="warning">Paused</Badge> : <TimeAgo at={row.next_at} />),
  },
  {
    id: 'schedule',
    header: 'Due',
    width: 200,
    value: (row) => dueWords(row.schedule),
    cell: (row) => <span title={row.schedule ?? undefined}>{dueWords(row.schedule)}</span>,
  },
  {
    id: 'title',
    header: 'What it does',
    width: 300,
    value: (row) => row.title,
    cell: (row) => <span title={row.title}>{row.title}</span>,
  },
  {
    id: 'result',
    header: 'What it is at, or found',
    width: 220,
    value: (row) => (row.last_run ? summaryOf(row.last_run) : ''),
    cell: (row) =>
      row.last_run && <span title={summaryOf(row.last_run)}>{summaryOf(row.last_run) || '–'}</span>,
  },
]

const NONE: Job[] = []

interface JobsTableProps {
  openName: string | undefined
  onOpen: (name: string | undefined) => void
}

export function JobsTable({ openName, onOpen }: JobsTableProps) {
  const { data, isPending, error, refetch } = useQuery(jobs.list())
  useJobFeed()
  const open = data?.items.find(({ name }) => name === openName)
  return (
    <>
      <DataTable
        name="jobs"
        label="Jobs"
        columns={columns}
        data={{ rows: data?.items ?? NONE, isPending, error, refetch: () => void refetch() }}
        rowId={(row) => row.name}
        openId={openName}
        onOpen={(row) => onOpen(row.name)}
        empty={<Empty title="No jobs" icon={<IconClockPlay size={28} stroke={1.4} />} />}
      />
      <SideDrawer
        isOpen={open !== undefined}
        onClose={() => onOpen(undefined)}
        title={<b>{formatName(openName ?? '')}</b>}
        size={620}
      >
        {open && <JobDetail job={open} />}
      </SideDrawer>
    </>
  )
}
