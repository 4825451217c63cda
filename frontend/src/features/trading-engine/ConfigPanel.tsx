/** Limits and settings that change while trading runs: checked, taken at once, audited. */
import { useQuery } from '@tanstack/react-query'
import { IconAdjustments } from '@tabler/icons-react'
import { useState } from 'react'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import type { ConfigEntry } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { ConfigForm } from './ConfigForm'
import { tradingEngine } from './api'
import { showValue } from '@/lib/config-value'

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

export function ConfigPanel() {
  const { data, isPending, error, refetch } = useQuery(tradingEngine.config())
  const [openKey, setOpenKey] = useState<string>()
  const entry = data?.items.find(({ key }) => key === openKey)
  return (
    <>
      <DataTable
        name="config"
        label="Configuration"
        columns={columns}
        data={{ rows: data?.items ?? NONE, isPending, error, refetch: () => void refetch() }}
        rowId={(row) => row.key}
        openId={openKey}
        onOpen={(row) => setOpenKey(row.key)}
        empty={<Empty title="No settings" icon={<IconAdjustments size={28} stroke={1.4} />} />}
      />
      <SideDrawer
        isOpen={entry !== undefined}
        onClose={() => setOpenKey(undefined)}
        title={<b>{formatName(openKey ?? '')}</b>}
        size={440}
        hasOwnFocus
      >
        {entry && <ConfigForm key={entry.key} entry={entry} onDone={() => setOpenKey(undefined)} />}
      </SideDrawer>
    </>
  )
}
