/** Which orders of a period other limits would have denied, cut or let through. */
import { Button, Select, Stack, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Side } from '@/components/Badge'
import { SideDrawer } from '@/components/SideDrawer'
import { Failed, Loading } from '@/components/States'
import { Instant } from '@/components/Time'
import type { SupposedOrder, WhatIf } from '@/lib/api/types'
import { formatName, formatQuantity } from '@/lib/format'
import { formatRuleValue, wordsOf } from '@/lib/risk'
import { InstantField } from './InstantField'
import styles from './Risk.module.css'
import { limits, suppose } from './api'
import { fromField, toField } from './instants'
import { parseLimit } from './limit-text'

interface WhatIfDrawerProps {
  isOpen: boolean
  onClose: () => void
  accountId: number
  /** The account's own time. */
  at: string
}

const DAY_MS = 86_400_000

export function WhatIfDrawer({ isOpen, onClose, ...given }: WhatIfDrawerProps) {
  return (
    <SideDrawer isOpen={isOpen} onClose={onClose} title={<b>What if the limits were others?</b>} size={680}>
      {isOpen && <WhatIfForm {...given} />}
    </SideDrawer>
  )
}

function WhatIfForm({ accountId, at }: Omit<WhatIfDrawerProps, 'isOpen' | 'onClose'>) {
  const known = useQuery(limits())
  const [start, setStart] = useState(() => toField(new Date(new Date(at).getTime() - DAY_MS)))
  const [end, setEnd] = useState(() => toField(at))
  const [key, setKey] = useState('max_position_size')
  const [value, setValue] = useState('2 %')
  const [scope, setScope] = useState('account')
  const period = { start: fromField(start), end: fromField(end) }
  const asked = useMutation({
    mutationFn: () =>
      suppose({
        account_id: accountId,
        start: period.start ?? '',
        end: period.end ?? '',
        limits: { [key]: parseLimit(value) },
        scope: scope.trim() === '' ? 'account' : scope.trim(),
      }),
  })
  return (
    <Stack gap="md">
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault()
          asked.mutate()
        }}
      >
        <InstantField label="From" value={start} onChange={setStart} />
        <InstantField label="To" value={end} onChange={setEnd} />
        <Select
          label="Limit"
          searchable
          value={key}
          data={(known.data?.items ?? []).map((entry) => ({
            value: entry.key,
            label: formatName(entry.key),
          }))}
          onChange={(next) => setKey(next ?? key)}
        />
        <TextInput
          label="Would be"
          description="Such as 2 %, 5, on, or off."
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
        />
        <TextInput
          label="Scope"
          description="account, deployment:3 or symbol:AAPL."
          value={scope}
          onChange={(event) => setScope(event.currentTarget.value)}
        />
        <Button
          type="submit"
          loading={asked.isPending}
          disabled={period.start === null || period.end === null || value.trim() === ''}
        >
          Replay with it
        </Button>
      </form>
      {asked.isPending && <Loading rows={6} />}
      {asked.error && <Failed error={asked.error} />}
      {asked.data && <Answer found={asked.data} />}
    </Stack>
  )
}

function Answer({ found }: { found: WhatIf }) {
  return (
    <Stack gap="md">
      <p className={styles.sum} role="status">
        <b>{found.asked}</b> orders were asked for: <b>{found.denied}</b> would have been denied,{' '}
        <b>{found.cut}</b> cut, <b>{found.allowed}</b> let through that were denied or cut.
      </p>
      {found.orders.length > 0 && (
        <div className={styles.scroll}>
          <table className={styles.table}>
            <caption className="visually-hidden">Orders that would have become others</caption>
            <thead>
              <tr>
                <th scope="col">At</th>
                <th scope="col">Order</th>
                <th scope="col" className={styles.figure}>
                  Made
                </th>
                <th scope="col" className={styles.figure}>
                  Would be
                </th>
                <th scope="col">Limit</th>
              </tr>
            </thead>
            <tbody>
              {found.orders.map((order) => (
                <OrderRow key={`${order.at}${order.signal_id}${order.made}`} order={order} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <ul className={styles.notes}>
        {found.notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
    </Stack>
  )
}

function OrderRow({ order }: { order: SupposedOrder }) {
  const code = order.code ?? order.was_code
  const isMeasured = code !== null && code !== undefined && order.value !== null && order.limit !== null
  return (
    <tr>
      <td>
        <Instant at={order.at} />
      </td>
      <td>
        <Side side={order.side} /> {order.symbol}
      </td>
      <td className={styles.figure}>{formatQuantity(order.made)}</td>
      <td className={styles.figure}>
        <b>{order.would_be === '0' ? 'denied' : formatQuantity(order.would_be)}</b>
      </td>
      <td>
        {code ? wordsOf(code).title : ''}
        {isMeasured && (
          <span className="dim">
            {' '}
            {formatRuleValue(code, order.value)} of {formatRuleValue(code, order.limit)}
          </span>
        )}
      </td>
    </tr>
  )
}
