/** Every handler: who runs it, how far it is, how long it takes, by type and lane on request. */
import { Table } from '@mantine/core'
import { Fragment, useState } from 'react'
import { Badge, type Tone } from '@/components/Badge'
import { TimeAgo } from '@/components/Time'
import { formatDuration, formatFigure, formatName } from '@/lib/format'
import styles from './EventBus.module.css'
import type { Handler, Times } from './api'

const STATES: Record<Handler['state'], { label: string; tone: Tone }> = {
  running: { label: 'Running', tone: 'good' },
  waiting_for_database: { label: 'Waits for the database', tone: 'warning' },
  nobody: { label: 'Nobody runs it', tone: 'error' },
}

const count = (value: number) => formatFigure(value, { decimals: 0 })
const p99 = (times: Times | null | undefined) => (times ? formatDuration(times.p99_ms / 1000) : '–')

export function Handlers({ handlers }: { handlers: readonly Handler[] }) {
  const [open, setOpen] = useState<string>()
  if (handlers.length === 0) return <p className="dim">No handler has ever run: no worker was started yet.</p>
  return (
    <div className={styles.scroll} tabIndex={0} role="region" aria-label="Handlers">
      <Table fz={13} verticalSpacing={6} horizontalSpacing={10} className={styles.table}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Handler</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th ta="right">Behind</Table.Th>
            <Table.Th ta="right">Waiting</Table.Th>
            <Table.Th ta="right">Handled</Table.Th>
            <Table.Th ta="right">Failed tries</Table.Th>
            <Table.Th ta="right">Timed out</Table.Th>
            <Table.Th ta="right">Dead</Table.Th>
            <Table.Th ta="right">Takes, p99</Table.Th>
            <Table.Th ta="right">From commit, p99</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {handlers.map((handler) => (
            <Fragment key={handler.name}>
              <HandlerRow
                handler={handler}
                isOpen={open === handler.name}
                onToggle={() => setOpen(open === handler.name ? undefined : handler.name)}
              />
              {open === handler.name && (
                <Table.Tr>
                  <Table.Td colSpan={10}>
                    <ByKind handler={handler} />
                  </Table.Td>
                </Table.Tr>
              )}
            </Fragment>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  )
}

interface HandlerRowProps {
  handler: Handler
  isOpen: boolean
  onToggle: () => void
}

function HandlerRow({ handler, isOpen, onToggle }: HandlerRowProps) {
  const { label, tone } = STATES[handler.state]
  return (
    <Table.Tr>
      <Table.Td>
        <button type="button" className="link-button" aria-expanded={isOpen} onClick={onToggle}>
          {formatName(handler.name)}
        </button>
      </Table.Td>
      <Table.Td>
        <span title={handler.worker ?? undefined}>
          <Badge tone={tone}>{label}</Badge>
        </span>{' '}
        {handler.keys_held > 0 && <Badge tone="warning">{count(handler.keys_held)} held back</Badge>}
      </Table.Td>
      <Table.Td ta="right">{count(handler.lag)}</Table.Td>
      <Table.Td ta="right">
        {count(handler.waiting)}
        {handler.waiting_since && (
          <span className="faint">
            {' '}
            since <TimeAgo at={handler.waiting_since} />
          </span>
        )}
      </Table.Td>
      <Table.Td ta="right">{count(handler.handled)}</Table.Td>
      <Table.Td ta="right">{count(handler.failed)}</Table.Td>
      <Table.Td ta="right">{count(handler.timed_out)}</Table.Td>
      <Table.Td ta="right">{count(handler.dead_letters)}</Table.Td>
      <Table.Td ta="right">{p99(handler.handling)}</Table.Td>
      <Table.Td ta="right">{p99(handler.delay)}</Table.Td>
    </Table.Tr>
  )
}

function ByKind({ handler }: { handler: Handler }) {
  const kinds = [...Object.entries(handler.by_lane), ...Object.entries(handler.by_type)]
  if (kinds.length === 0) return <span className="dim">Nothing was handled since its worker started.</span>
  return (
    <dl className={styles.kinds}>
      {kinds.map(([name, times]) => (
        <div key={name}>
          <dt>{formatName(name)}</dt>
          <dd>
            {count(times.count)} × {formatDuration(times.mean_ms / 1000)}, p99 {p99(times)}
          </dd>
        </div>
      ))}
    </dl>
  )
}
