/** Every setting that changes while it runs, by category: checked, taken at once, audited, taken back. */
import { SegmentedControl } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { IconAdjustments } from '@tabler/icons-react'
import { useMemo } from 'react'
import { Badge } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { Row, Rows } from '@/components/Rows'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty, Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import { type Filter, FilterChips } from '@/components/table/FilterChips'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import type { ConfigEntry } from '@/lib/api/types'
import { type ValueSchema, boundsOf, showValue, titleOf } from '@/lib/config-value'
import { useMay } from '@/lib/permission'
import { ConfigForm } from './ConfigForm'
import { ConfigHistory } from './ConfigHistory'
import { Rollback } from './Rollback'
import { config } from './api'
import { SOURCES, categoryName, chosen, sourceOf, sourceSentence } from './words'

/** Who changed it and when; nobody did where it is as delivered. */
const changeOf = (entry: ConfigEntry): Pick<ConfigEntry, 'updated_at' | 'updated_by'> =>
  sourceOf(entry) === 'stored' ? entry : {}

const columns: Column<ConfigEntry>[] = [
  {
    id: 'key',
    header: 'Setting',
    width: 160,
    value: (row) => titleOf(row.key),
    cell: (row) => <span title={row.key}>{titleOf(row.key)}</span>,
  },
  {
    id: 'value',
    header: 'Value',
    width: 120,
    align: 'right',
    value: (row) => showValue(row.key, row.value),
    cell: (row) => {
      const text = showValue(row.key, row.value)
      return <span title={text}>{text === showValue(row.key, row.default) ? text : <b>{text}</b>}</span>
    },
  },
  {
    id: 'source',
    header: 'From',
    width: 110,
    value: (row) => SOURCES[sourceOf(row)].label,
    cell: (row) => <Source entry={row} />,
  },
  {
    id: 'category',
    header: 'Category',
    width: 130,
    value: (row) => categoryName(row.category),
    cell: (row) => <span className="dim">{categoryName(row.category)}</span>,
  },
  {
    id: 'default',
    header: 'Default',
    width: 110,
    align: 'right',
    value: (row) => showValue(row.key, row.default),
    cell: (row) => <span className="dim">{showValue(row.key, row.default)}</span>,
  },
  {
    id: 'description',
    header: 'Meaning',
    width: 300,
    value: (row) => row.description,
    cell: (row) => <span title={row.description}>{row.description}</span>,
  },
  {
    id: 'updated_at',
    header: 'Changed',
    width: 90,
    value: (row) => changeOf(row).updated_at,
    cell: (row) => <TimeAgo at={changeOf(row).updated_at} />,
  },
  { id: 'updated_by', header: 'By', width: 110, value: (row) => changeOf(row).updated_by },
  { id: 'variable', header: 'Variable', width: 170, value: (row) => row.variable, isHidden: true },
]

function Source({ entry }: { entry: ConfigEntry }) {
  const { label, tone } = SOURCES[sourceOf(entry)]
  return tone === 'neutral' ? <span className="dim">{label}</span> : <Badge tone={tone}>{label}</Badge>
}

const NONE: ConfigEntry[] = []

interface ConfigPanelProps {
  view: string | undefined
  openKey: string | undefined
  /** The category, and the source of values, that is shown; all without. */
  group: string | undefined
  source: string | undefined
  onChange: (change: Record<string, string | undefined>) => void
}

function filtersOf(entries: readonly ConfigEntry[]): Filter[] {
  const groups = [...new Set(entries.map(({ category }) => category))]
  return [
    {
      key: 'group',
      label: 'Category',
      choices: groups.map((value) => ({ value, label: categoryName(value) })),
    },
    {
      key: 'source',
      label: 'From',
      choices: Object.entries(SOURCES).map(([value, { label }]) => ({ value, label })),
    },
  ]
}

export function ConfigPanel({ view, openKey, group, source, onChange }: ConfigPanelProps) {
  const { data, isPending, error, refetch } = useQuery(config.list())
  const entries = data?.items ?? NONE
  const rows = useMemo(() => chosen(entries, { group, source }), [entries, group, source])
  const entry = view !== 'history' ? data?.items.find(({ key }) => key === openKey) : undefined
  const close = () => onChange({ key: undefined })
  const choice = (
    <SegmentedControl
      size="xs"
      aria-label="View"
      data={[
        { value: 'now', label: 'Now' },
        { value: 'history', label: 'Changes' },
      ]}
      value={view === 'history' ? view : 'now'}
      onChange={(next) => onChange({ view: next === 'history' ? next : undefined, key: undefined })}
    />
  )
  if (view === 'history') return <ConfigHistory keyName={openKey} filters={choice} />
  return (
    <>
      <DataTable
        name="config"
        label="Configuration"
        columns={columns}
        data={{ rows, isPending, error, refetch: () => void refetch() }}
        rowId={(row) => row.key}
        openId={openKey}
        onOpen={(row) => onChange({ key: row.key })}
        filters={
          <>
            {choice}
            <FilterChips filters={filtersOf(entries)} values={{ group, source }} onChange={onChange} />
          </>
        }
        empty={
          <Empty title="No such settings" icon={<IconAdjustments size={28} stroke={1.4} />}>
            Nothing of this category comes from there. Try fewer filters.
          </Empty>
        }
      />
      <SideDrawer
        isOpen={entry !== undefined}
        onClose={close}
        title={<b>{titleOf(openKey ?? '')}</b>}
        size={440}
        hasOwnFocus
      >
        {entry && <Setting key={entry.key} entry={entry} onDone={close} />}
      </SideDrawer>
    </>
  )
}

function Setting({ entry, onDone }: { entry: ConfigEntry; onDone: () => void }) {
  const isAdmin = useMay('admin')
  return (
    <>
      {isAdmin ? <ConfigForm entry={entry} onDone={onDone} /> : <p className="dim">{entry.description}</p>}
      <div style={{ margin: '20px 0 0', fontSize: 13 }}>
        <Facts
          facts={[
            ['Now', showValue(entry.key, entry.value)],
            ['Default', showValue(entry.key, entry.default)],
            ['Category', categoryName(entry.category)],
            isAdmin
              ? null
              : ['Allowed', boundsOf(entry.key, entry.value_schema) ?? choicesOf(entry.value_schema)],
            ['Key', <code key="key">{entry.key}</code>],
            entry.variable ? ['Variable', <code key="variable">{entry.variable}</code>] : null,
          ]}
        />
        <p className="dim" style={{ margin: '10px 0 0' }}>
          {sourceSentence(entry)}
        </p>
      </div>
      <h3 style={{ margin: '24px 0 0', fontSize: 13 }}>Its changes</h3>
      <PastValues keyName={entry.key} />
    </>
  )
}

/** Of a schema without bounds. */
const choicesOf = ({ enum: some }: ValueSchema): string => some?.join(', ') ?? 'see its meaning'

const SHOWN = 20

function PastValues({ keyName }: { keyName: string }) {
  const past = useRows(useInfiniteQuery(config.history(keyName, SHOWN)))
  if (past.error && past.rows.length === 0) return <Failed error={past.error} onRetry={past.refetch} />
  if (past.isPending) return <Loading rows={2} />
  if (past.rows.length === 0) return <p className="dim">Nobody has changed it yet.</p>
  return (
    <Rows label="Its changes">
      {past.rows.map((change) => (
        <Row
          key={change.id}
          actions={<Rollback change={change} />}
          note={
            <>
              {change.actor}, <TimeAgo at={change.at} />
              {change.scope === 'all' ? '' : `, of ${change.scope}`}
              {change.reason ? `: ${change.reason}` : ''}
            </>
          }
        >
          {showValue(change.key, change.before)} → <b>{showValue(change.key, change.after)}</b>
        </Row>
      ))}
    </Rows>
  )
}
