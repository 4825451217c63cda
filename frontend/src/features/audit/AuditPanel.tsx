/** What people did: filtered, with before and after; and whether the chains of hashes hold. */
import { IconListSearch } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { DataTable } from '@/components/table/DataTable'
import { type Filter, FilterChips, type FilterValues } from '@/components/table/FilterChips'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import { formatName } from '@/lib/format'
import styles from './Audit.module.css'
import { VerifyButton } from './VerifyButton'
import { type Act, type AuditFilter, audit } from './api'

const columns: Column<Act>[] = [
  { id: 'seq', header: 'Seq', width: 64, align: 'right', value: (row) => row.seq },
  { id: 'at', header: 'When', width: 158, value: (row) => row.at, cell: (row) => <Instant at={row.at} /> },
  { id: 'actor', header: 'Who', width: 142, value: (row) => row.actor },
  {
    id: 'action',
    header: 'Did',
    width: 110,
    value: (row) => row.action,
    cell: (row) => <b>{formatName(row.action)}</b>,
  },
  {
    id: 'resource',
    header: 'What',
    width: 90,
    value: (row) => row.resource,
    cell: (row) => formatName(row.resource),
  },
  { id: 'resource_id', header: 'Which', width: 120, value: (row) => row.resource_id },
  {
    id: 'reason',
    header: 'Why',
    width: 120,
    value: (row) => row.reason,
    cell: (row) => <span title={row.reason ?? undefined}>{row.reason ?? '–'}</span>,
  },
  { id: 'address', header: 'From', width: 90, value: (row) => row.address },
]

const FILTERS: Filter[] = [
  { key: 'actor', label: 'Who' },
  {
    key: 'action',
    label: 'Did',
    suggestions: ['changed', 'signed_in', 'sign_in_failed', 'added', 'created', 'revoked'],
  },
  {
    key: 'resource',
    label: 'What',
    suggestions: ['config', 'user', 'session', 'api_key', 'credential', 'alert'],
  },
]

interface AuditPanelProps {
  filter: AuditFilter
  values: FilterValues
  onFilter: (change: FilterValues) => void
  openSeq: number | undefined
  onOpen: (seq: number | undefined) => void
}

export function AuditPanel({ filter, values, onFilter, openSeq, onOpen }: AuditPanelProps) {
  const data = useRows(useInfiniteQuery(audit.list(filter)))
  const open = data.rows.find(({ seq }) => seq === openSeq)
  return (
    <>
      <DataTable
        name="audit"
        label="Audit trail"
        columns={columns}
        data={data}
        rowId={(row) => String(row.seq)}
        openId={openSeq === undefined ? undefined : String(openSeq)}
        onOpen={(row) => onOpen(row.seq)}
        filters={
          <>
            <FilterChips filters={FILTERS} values={values} onChange={onFilter} />
            <VerifyButton />
          </>
        }
        empty={
          <Empty title="No such acts" icon={<IconListSearch size={28} stroke={1.4} />}>
            Every act of a person is kept here, in a chain that shows when a row was changed. Try fewer
            filters.
          </Empty>
        }
      />
      <SideDrawer
        isOpen={open !== undefined}
        onClose={() => onOpen(undefined)}
        title={<b>Act {open?.seq}</b>}
        size={560}
      >
        {open && <Detail act={open} />}
      </SideDrawer>
    </>
  )
}

function Detail({ act }: { act: Act }) {
  return (
    <>
      <Facts
        facts={[
          ['Who', act.actor],
          ['Did', formatName(act.action)],
          ['What', formatName(act.resource)],
          ['Which', act.resource_id ?? '–'],
          ['When', <Instant key="at" at={act.at} />],
          ['From', act.address ?? '–'],
          act.reason ? ['Why', act.reason] : null,
          act.correlation_id ? ['Reference', act.correlation_id] : null,
        ]}
      />
      <Values title="Before" value={act.before} />
      <Values title="After" value={act.after} />
    </>
  )
}

function Values({ title, value }: { title: string; value: unknown }) {
  if (value === null || value === undefined) return null
  return (
    <>
      <h4 className={styles.section}>{title}</h4>
      <pre className={styles.values} tabIndex={0} aria-label={title}>
        {JSON.stringify(value, null, 2)}
      </pre>
    </>
  )
}
