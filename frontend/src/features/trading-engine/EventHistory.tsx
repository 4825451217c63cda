/** The journal: every committed fact, filtered, with what caused it. */
import { Switch } from '@mantine/core'
import { IconHistory } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { PriorityBadge } from '@/components/Badge'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import { type Filter, FilterChips, type FilterValues } from '@/components/table/FilterChips'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import type { EventFilter, JournalEvent } from '@/lib/api/types'
import { describeEvent } from '@/lib/events'
import { formatName } from '@/lib/format'
import { tradingEngine } from './api'
import { SPANS, SPAN_WORDS } from '@/lib/since'
import { EVENT_TYPES } from './event-types'

const columns: Column<JournalEvent>[] = [
  { id: 'seq', header: 'Seq', width: 70, align: 'right', value: (row) => row.seq },
  {
    id: 'occurred_at',
    header: 'Occurred',
    width: 164,
    value: (row) => row.occurred_at,
    cell: (row) => <Instant at={row.occurred_at} />,
  },
  {
    id: 'type',
    header: 'Event',
    width: 164,
    value: (row) => row.type,
    cell: (row) => <b>{formatName(row.type)}</b>,
  },
  { id: 'text', header: 'What', width: 320, value: (row) => describeEvent(row) },
  {
    id: 'priority',
    header: 'Priority',
    width: 80,
    value: (row) => row.priority,
    cell: (row) => <PriorityBadge priority={row.priority} />,
  },
  { id: 'stream', header: 'Stream', width: 86, value: (row) => row.stream },
  { id: 'caused_by', header: 'Cause', width: 70, align: 'right', value: (row) => row.caused_by },
  { id: 'actor', header: 'Actor', width: 110, value: (row) => row.actor },
  {
    id: 'recorded_at',
    header: 'Recorded',
    width: 164,
    isHidden: true,
    value: (row) => row.recorded_at,
    cell: (row) => <Instant at={row.recorded_at} />,
  },
  {
    id: 'correlation_id',
    header: 'Correlation',
    width: 160,
    isHidden: true,
    value: (row) => row.correlation_id,
  },
]

const asChoices = (values: readonly string[]) => values.map((value) => ({ value, label: formatName(value) }))

const FILTERS: Filter[] = [
  {
    key: 'since',
    label: 'Recorded in the last',
    choices: SPANS.map((value) => ({ value, label: SPAN_WORDS[value] })),
  },
  { key: 'type', label: 'Event', choices: asChoices(EVENT_TYPES) },
  { key: 'priority', label: 'Priority', choices: asChoices(['low', 'normal', 'high', 'critical']) },
  { key: 'stream', label: 'Stream', suggestions: ['system', 'account:1'] },
  { key: 'deployment', label: 'Deployment' },
  { key: 'correlation', label: 'Correlation' },
]

export const eventKey = ({ stream, seq }: Pick<JournalEvent, 'stream' | 'seq'>): string =>
  `${stream}:${String(seq)}`

interface EventHistoryProps {
  filter: EventFilter
  values: FilterValues
  onFilter: (change: FilterValues) => void
  /** Bars and ticks of the clock are shown too; null: the filters say it already. */
  isWhole: boolean | null
  onWhole: (isWhole: boolean) => void
  openKey: string | undefined
  onOpen: (key: string) => void
}

export function EventHistory(props: EventHistoryProps) {
  const { filter, values, onFilter, isWhole, onWhole, openKey, onOpen } = props
  const data = useRows(useInfiniteQuery(tradingEngine.eventHistory(filter)))
  return (
    <DataTable
      name="events"
      label="Event history"
      columns={columns}
      data={data}
      rowId={eventKey}
      openId={openKey}
      onOpen={(row) => onOpen(eventKey(row))}
      filters={
        <>
          <FilterChips filters={FILTERS} values={values} onChange={onFilter} />
          {isWhole !== null && (
            <Switch
              size="xs"
              label="Low priority too: every bar"
              checked={isWhole}
              onChange={(event) => onWhole(event.currentTarget.checked)}
            />
          )}
        </>
      }
      empty={
        <Empty title="No events here" icon={<IconHistory size={28} stroke={1.4} />}>
          Everything that happens is committed to the journal before anyone acts on it. Try fewer filters.
        </Empty>
      }
    />
  )
}
