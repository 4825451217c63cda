/** Limits and settings that change while trading runs: checked, taken at once, audited, taken back. */
import { SegmentedControl } from '@mantine/core'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { IconAdjustments } from '@tabler/icons-react'
import { Row, Rows } from '@/components/Rows'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty, Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import type { ConfigEntry } from '@/lib/api/types'
import { showValue } from '@/lib/config-value'
import { formatName } from '@/lib/format'
import { useMay } from '@/lib/permission'
import { ConfigForm } from './ConfigForm'
import { ConfigHistory } from './ConfigHistory'
import { Rollback } from './Rollback'
import { tradingEngine } from './api'

const columns: Column<ConfigEntry>[] = [
  { id: 'key', header: 'Setting', width: 200, value: (row) => row.key, cell: (row) => formatName(row.key) },
  {
    id: 'value',
    header: 'Value',
    width: 110,
    align: 'right',
    value: (row) => showValue(row.key, row.value),
    cell: (row) =>
      showValue(row.key, row.value) === showValue(row.key, row.default) ? (
        showValue(row.key, row.value)
      ) : (
        <b>{showValue(row.key, row.value)}</b>
      ),
  },
  {
    id: 'default',
    header: 'Default',
    width: 100,
    align: 'right',
    value: (row) => showValue(row.key, row.default),
    cell: (row) => <span className="dim">{showValue(row.key, row.default)}</span>,
  },
  {
    id: 'description',
    header: 'Meaning',
    width: 380,
    value: (row) => row.description,
    cell: (row) => <span title={row.description}>{row.description}</span>,
  },
  {
    id: 'updated_at',
    header: 'Changed',
    width: 90,
    value: (row) => row.updated_at,
    cell: (row) => <TimeAgo at={row.updated_at} />,
  },
  { id: 'updated_by', header: 'By', width: 130, value: (row) => row.updated_by },
]

const NONE: ConfigEntry[] = []

interface ConfigPanelProps {
  view: string | undefined
  openKey: string | undefined
  onChange: (change: { view?: string | undefined; key?: string | undefined }) => void
}

export function ConfigPanel({ view, openKey, onChange }: ConfigPanelProps) {
  const { data, isPending, error, refetch } = useQuery(tradingEngine.config())
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
        data={{ rows: data?.items ?? NONE, isPending, error, refetch: () => void refetch() }}
        rowId={(row) => row.key}
        openId={openKey}
        onOpen={(row) => onChange({ key: row.key })}
        filters={choice}
        empty={<Empty title="No settings" icon={<IconAdjustments size={28} stroke={1.4} />} />}
      />
      <SideDrawer
        isOpen={entry !== undefined}
        onClose={close}
        title={<b>{formatName(openKey ?? '')}</b>}
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
      <h3 style={{ margin: '24px 0 0', fontSize: 13 }}>Its changes</h3>
      <PastValues keyName={entry.key} />
    </>
  )
}

const SHOWN = 20

function PastValues({ keyName }: { keyName: string }) {
  const past = useRows(useInfiniteQuery(tradingEngine.configHistory(keyName, SHOWN)))
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
