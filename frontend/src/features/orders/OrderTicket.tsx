/** A person's order: checked by the same limits as every other, answered in words. */
import {
  Alert,
  Button,
  NumberInput,
  SegmentedControl,
  Select,
  SimpleGrid,
  Stack,
  TextInput,
} from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useState } from 'react'
import { SideDrawer } from '@/components/SideDrawer'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import type { Account, Stock } from '@/lib/api/types'
import { formatMoney, formatPrice, toNumber } from '@/lib/format'
import { useQuote } from '@/lib/live/quotes'
import { DenialCard } from './DenialCard'
import { PairFields, ProtectionFields, TermsFields, TypeSelect } from './TicketFields'
import { type Draft, canBeAtOnce, emptyDraft, pairOf, problemsOf, toWish } from './draft'
import { usePlacing } from './placing'

interface OrderTicketProps {
  account: Account
  stocks: readonly Stock[]
  symbol: string | undefined
  isOpen: boolean
  onClose: () => void
  onPlaced: (clientOrderId: string) => void
}

export function OrderTicket({ account, stocks, symbol, isOpen, onClose, onPlaced }: OrderTicketProps) {
  return (
    <SideDrawer isOpen={isOpen} onClose={onClose} title={<b>Place an order</b>} size={440} hasOwnFocus>
      <TicketForm account={account} stocks={stocks} symbol={symbol} onPlaced={onPlaced} />
    </SideDrawer>
  )
}

type TicketFormProps = Pick<OrderTicketProps, 'account' | 'stocks' | 'symbol' | 'onPlaced'>

const LIVES = [
  { value: 'day', label: 'Day: until the session closes' },
  { value: 'gtc', label: 'Good till canceled' },
  { value: 'ioc', label: 'Immediate or cancel' },
  { value: 'fok', label: 'Fill or kill' },
] as const

export function TicketForm({ account, stocks, symbol, onPlaced }: TicketFormProps) {
  const [draft, setDraft] = useState<Draft>({ ...emptyDraft, symbol: symbol ?? stocks[0]?.symbol ?? '' })
  const placing = usePlacing(onPlaced)
  const change = (part: Partial<Draft>) => {
    const next = { ...draft, ...part }
    const oco = pairOf(next.type, next.oco)
    const life = next.time_in_force
    const waits = !canBeAtOnce({ ...next, oco }) && (life === 'ioc' || life === 'fok')
    setDraft({ ...next, oco, time_in_force: waits ? 'day' : life })
    placing.rewritten()
  }
  const problems = problemsOf(draft)
  const fields = fieldErrorsOf(placing.error)
  const isLive = account.mode === 'live'
  const verb = draft.side === 'buy' ? 'Buy' : 'Sell'

  return (
    <Stack gap="md">
      {isLive && (
        <Alert color="red" variant="filled" icon={<IconAlertTriangle />}>
          This is a live account: the order trades real money.
        </Alert>
      )}
      <WhatFields draft={draft} stocks={stocks} fields={fields} onChange={change} />
      <ProtectionFields draft={draft} fields={fields} onChange={change} />
      <PairFields draft={draft} fields={fields} onChange={change} />
      <Select
        label="Time in force"
        data={canBeAtOnce(draft) ? LIVES : LIVES.slice(0, 2)}
        value={draft.time_in_force}
        allowDeselect={false}
        onChange={(next) => change({ time_in_force: next ?? 'day' })}
        error={fields.time_in_force}
      />
      <TextInput
        label="Reason"
        description="Optional; kept with the signal"
        value={draft.reason}
        onChange={(event) => change({ reason: event.currentTarget.value })}
      />
      <Worth account={account} draft={draft} stocks={stocks} />
      {placing.denial && (
        <DenialCard
          denial={{
            rule: placing.denial.code,
            passed: false,
            value: placing.denial.value,
            limit: placing.denial.limit,
          }}
          detail={placing.denial.detail}
        />
      )}
      {placing.error !== null && Object.keys(fields).length === 0 && (
        <Alert color="red">{sentenceOf(placing.error)}</Alert>
      )}
      <Button
        size="md"
        color={isLive ? 'red' : undefined}
        disabled={problems.length > 0 || placing.isDone}
        loading={placing.isPending}
        // A key that is held down repeats itself; a person presses once.
        onKeyDown={(event) => {
          if (event.repeat) event.preventDefault()
        }}
        onClick={() => placing.place(toWish(draft, account.id))}
      >
        {verb} {draft.quantity} {draft.symbol} {isLive ? 'with real money' : `on ${account.mode}`}
      </Button>
      {problems.length > 0 && (
        <p className="faint" style={{ margin: 0, fontSize: 12 }}>
          {problems[0]}
        </p>
      )}
    </Stack>
  )
}

interface WhatFieldsProps {
  draft: Draft
  stocks: readonly Stock[]
  fields: Record<string, string>
  onChange: (part: Partial<Draft>) => void
}

function WhatFields({ draft, stocks, fields, onChange }: WhatFieldsProps) {
  return (
    <>
      <Select
        label="Symbol"
        description={stocks.find((each) => each.symbol === draft.symbol)?.name ?? undefined}
        searchable
        data={stocks.map((each) => each.symbol)}
        value={draft.symbol}
        onChange={(next) => onChange({ symbol: next ?? '' })}
        error={fields.symbol}
      />
      <SegmentedControl
        aria-label="Side"
        data={[
          { value: 'buy', label: 'Buy' },
          { value: 'sell', label: 'Sell' },
        ]}
        value={draft.side}
        onChange={(side) => onChange({ side: side === 'sell' ? 'sell' : 'buy' })}
        fullWidth
      />
      <SimpleGrid cols={2}>
        <NumberInput
          label="Quantity"
          description="Shares"
          min={0}
          value={draft.quantity}
          onChange={(next) => onChange({ quantity: next })}
          error={fields.quantity}
          data-autofocus
        />
        <TypeSelect
          label="Type"
          description="How it meets the market"
          value={draft.type}
          onChange={(type) => onChange({ type })}
        />
        <TermsFields terms={draft} fields={fields} onChange={onChange} />
      </SimpleGrid>
    </>
  )
}

function Worth({ account, draft, stocks }: { account: Account; draft: Draft; stocks: readonly Stock[] }) {
  const live = useQuote(draft.symbol, account.dataset)
  const stock = stocks.find((each) => each.symbol === draft.symbol)
  const last = live?.last ?? stock?.now?.last ?? null
  const quantity = toNumber(draft.quantity)
  return (
    <p className="dim tabular" style={{ margin: 0, fontSize: 13 }}>
      Last price {formatPrice(last)}
      {last !== null && quantity !== null && ` · about ${formatMoney(last * quantity)} ${account.currency}`}
    </p>
  )
}
