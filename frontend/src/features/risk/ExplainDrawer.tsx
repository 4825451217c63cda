/** Why was there no trade on a symbol at an instant? The stored facts, from the bar to the broker. */
import { Button, Stack, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Failed, Loading } from '@/components/States'
import { Instant } from '@/components/Time'
import { RiskChecks } from '@/components/RiskChecks'
import type { Decider, Explanation } from '@/lib/api/types'
import { formatFigure, formatQuantity } from '@/lib/format'
import styles from './Risk.module.css'
import { InstantField } from './InstantField'
import { explain } from './api'
import { fromField, toField } from './instants'

interface ExplainDrawerProps {
  isOpen: boolean
  onClose: () => void
  accountId: number
  symbol: string
  /** The account's own time: the end of what its engine has seen. */
  at: string
}

export function ExplainDrawer({ isOpen, onClose, ...given }: ExplainDrawerProps) {
  return (
    <SideDrawer isOpen={isOpen} onClose={onClose} title={<b>Explain a moment</b>} hasOwnFocus>
      {isOpen && <ExplainForm {...given} />}
    </SideDrawer>
  )
}

function ExplainForm({ accountId, ...given }: Omit<ExplainDrawerProps, 'isOpen' | 'onClose'>) {
  const [symbol, setSymbol] = useState(given.symbol)
  const [at, setAt] = useState(() => toField(given.at))
  const instant = fromField(at)
  const asked = useMutation({ mutationFn: () => explain(symbol.trim(), instant ?? '', accountId) })
  return (
    <Stack gap="md">
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault()
          asked.mutate()
        }}
      >
        <TextInput
          label="Symbol"
          value={symbol}
          data-autofocus
          onChange={(event) => setSymbol(event.currentTarget.value.toUpperCase())}
        />
        <InstantField label="At" value={at} onChange={setAt} />
        <Button type="submit" loading={asked.isPending} disabled={symbol.trim() === '' || instant === null}>
          Explain
        </Button>
      </form>
      {asked.isPending && <Loading rows={6} />}
      {asked.error && <Failed error={asked.error} />}
      {asked.data && <Answer found={asked.data} />}
    </Stack>
  )
}

function Answer({ found }: { found: Explanation }) {
  return (
    <Stack gap="md">
      <ul className={styles.answer}>
        {found.answer.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      <Facts
        facts={[
          ['Seen by then', <Instant key="slice" at={found.slice_end} />],
          ['Trading', found.trading_state],
          Boolean(found.trading_state_reason) && ['Because', found.trading_state_reason],
          found.bar !== null && ['Bar', barOf(found.bar)],
        ]}
      />
      {found.deployments.map((decider) => (
        <DeciderFacts key={`${decider.ledger}-${decider.why}`} decider={decider} />
      ))}
    </Stack>
  )
}

const barOf = (bar: Explanation['bar']): string =>
  ['open', 'high', 'low', 'close']
    .map((name) => `${name} ${formatFigure(Number(bar?.[name]), { decimals: 2 })}`)
    .join(', ')

function DeciderFacts({ decider }: { decider: Decider }) {
  const { sizing, order } = decider
  const values = Object.entries(decider.indicator_values ?? {})
  return (
    <section className={styles.decider}>
      <h3 className={styles.name}>
        {decider.deployment_id === null ? 'By hand' : `Deployment ${String(decider.deployment_id)}`}
        {decider.strategy && <span className="dim"> {decider.strategy}</span>}
      </h3>
      <Facts
        facts={[
          ['Held', formatQuantity(decider.held)],
          values.length > 0 && [
            'Values',
            values.map(([name, value]) => `${name} ${formatFigure(value, { decimals: 4 })}`).join(', '),
          ],
          Boolean(decider.signal) && [
            decider.is_earlier ? 'Last signal' : 'Signal',
            <Instant key="signal" at={decider.signal?.at} />,
          ],
          Boolean(sizing) && [
            'Sizing',
            `${String(sizing?.exposure)} at ${String(sizing?.price)} is ${String(sizing?.target_quantity)} shares`,
          ],
          Boolean(order) && ['Order', `${String(order?.client_order_id)}: ${String(order?.status)}`],
          Boolean(order?.reason) && ['Broker', order?.reason],
        ]}
      />
      {(decider.checks ?? []).length > 0 && <RiskChecks checks={decider.checks ?? []} />}
    </section>
  )
}
