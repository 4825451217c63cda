/** Market data that was refused: the rule it broke, and the record as it came. */
import { Stack } from '@mantine/core'
import { IconShieldCheck } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { SymbolLink } from '@/components/links'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { dataQuality } from '@/lib/api/data-quality'
import { useRows } from '@/lib/api/pages'
import type { Refused, RefusedFilter } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import styles from './Data.module.css'
import { reasonSentence, reasonTitle, splitReasons } from './reasons'

const recordText = (record: Refused['record']): string =>
  Object.entries(record)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(' · ')

const columns: Column<Refused>[] = [
  {
    id: 'recorded_at',
    header: 'Refused',
    width: 100,
    value: (row) => row.recorded_at,
    cell: (row) => <TimeAgo at={row.recorded_at} />,
  },
  {
    id: 'symbol',
    header: 'Symbol',
    width: 78,
    value: (row) => row.symbol,
    cell: (row) => <SymbolLink symbol={row.symbol} />,
  },
  {
    id: 'kind',
    header: 'Kind',
    width: 84,
    value: (row) => row.kind,
    cell: (row) => `${formatName(row.kind)}${row.timeframe ? ` ${row.timeframe}` : ''}`,
  },
  {
    id: 'reason',
    header: 'Rule',
    width: 190,
    value: (row) => row.reason,
    cell: (row) => <b>{reasonTitle(row.reason)}</b>,
  },
  {
    id: 'at',
    header: 'Its time',
    width: 160,
    value: (row) => row.at,
    cell: (row) => <Instant at={row.at} />,
  },
  {
    id: 'record',
    header: 'Record',
    width: 320,
    value: (row) => recordText(row.record),
    cell: (row) => <span title={recordText(row.record)}>{recordText(row.record)}</span>,
  },
  { id: 'source', header: 'Source', width: 130, value: (row) => row.source },
  { id: 'dataset', header: 'Data set', width: 110, value: (row) => row.dataset },
]

interface QuarantineTableProps {
  filter: RefusedFilter
  filters: ReactNode
  openId: number | undefined
  onOpen: (id: number | undefined) => void
}

export function QuarantineTable({ filter, filters, openId, onOpen }: QuarantineTableProps) {
  const data = useRows(useInfiniteQuery(dataQuality.refused(filter)))
  const open = data.rows.find(({ id }) => id === openId)
  return (
    <>
      <DataTable
        name="quarantine"
        label="Quarantine"
        columns={columns}
        data={data}
        rowId={(row) => String(row.id)}
        openId={openId === undefined ? undefined : String(openId)}
        onOpen={(row) => onOpen(row.id)}
        filters={filters}
        empty={
          <Empty title="Nothing was refused" icon={<IconShieldCheck size={28} stroke={1.4} />}>
            Records that break a rule are kept here as they came, and never traded on.
          </Empty>
        }
      />
      <SideDrawer
        isOpen={openId !== undefined}
        onClose={() => onOpen(undefined)}
        title={<b>Refused {open?.kind ?? 'record'}</b>}
        size={460}
      >
        {openId !== undefined && !open && !data.isPending && (
          <Empty title="This record is not in the list">Clear the filters to look for it.</Empty>
        )}
        {open && <RefusedDetail refused={open} />}
      </SideDrawer>
    </>
  )
}

function RefusedDetail({ refused }: { refused: Refused }) {
  return (
    <Stack gap="lg">
      <ul className={styles.reasons}>
        {splitReasons(refused.reason).map((reason) => (
          <li key={reason}>{reasonSentence(reason)}</li>
        ))}
      </ul>
      <Facts
        facts={[
          ['Symbol', refused.symbol],
          ['Data set', refused.dataset],
          ['Source', refused.source],
          ['Its time', <Instant key="at" at={refused.at} />],
          ['Refused', <Instant key="recorded" at={refused.recorded_at} />],
        ]}
      />
      <section aria-labelledby="record">
        <header className={styles.sectionHead}>
          <h3 id="record">The record as it came</h3>
        </header>
        <dl className={styles.record}>
          {Object.entries(refused.record).map(([name, value]) => (
            <Field key={name} name={name} value={value} />
          ))}
        </dl>
      </section>
    </Stack>
  )
}

function Field({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
    </>
  )
}
