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
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { SideDrawer } from '@/components/SideDrawer'
import { notifyDone, notifyWarning } from '@/components/notify'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import { placeOrder } from '@/lib/api/orders'
import type { Account, Command, OrderWish, Stock } from '@/lib/api/types'
import { formatMoney, formatPrice, toNumber } from '@/lib/format'
import { useQuote } from '@/lib/live/quotes'
import { DenialCard } from './DenialCard'
import { type Draft, emptyDraft, problemsOf, toWish } from './draft'

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

const TYPES = [
  { value: 'market', label: 'Market' },
  { value: 'limit', label: 'Limit' },
  { value: 'stop', label: 'Stop' },
  { value: 'stop_limit', label: 'Stop limit' },
]

export function TicketForm({ account, stocks, symbol, onPlaced }: TicketFormProps) {
  const client = useQueryClient()
  const [draft, setDraft] = useState<Draft>({ ...emptyDraft, symbol: symbol ?? stocks[0]?.symbol ?? '' })
  const [outcome, setOutcome] = useState<Command | null>(null)
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part })
  const stock = stocks.find((each) => each.symbol === draft.symbol)
  const live = useQuote(draft.symbol, account.dataset)
  const last = live?.last ?? stock?.now?.last ?? null
  const place = useMutation({
    mutationFn: (wish: OrderWish) => placeOrder(wish),
    onSuccess: (command) => {
      setOutcome(command)
      void client.invalidateQueries()
      if (command.client_order_id) {
        notifyDone(
          `${draft.side === 'buy' ? 'Buying' : 'Selling'} ${String(draft.quantity)} ${draft.symbol}.`,
          'Order approved',
        )
        onPlaced(command.client_order_id)
      } else if (command.state === 'pending') {
        notifyWarning(
          'The engine has not answered yet; the order shows up in the table when it does.',
          'Still waiting',
        )
      }
    },
  })
  const problems = problemsOf(draft)
  const fields = fieldErrorsOf(place.error)
  const isLive = account.mode === 'live'
  const quantity = toNumber(draft.quantity)
  const verb = draft.side === 'buy' ? 'Buy' : 'Sell'

  return (
    <Stack gap="md">
      {isLive && (
        <Alert color="red" variant="filled" icon={<IconAlertTriangle />}>
          This is a live account: the order trades real money.
        </Alert>
      )}
      <Select
        label="Symbol"
        description={stock?.name ?? undefined}
        searchable
        data={stocks.map((each) => each.symbol)}
        value={draft.symbol}
        onChange={(next) => change({ symbol: next ?? '' })}
        error={fields.symbol}
      />
      <SegmentedControl
        aria-label="Side"
        data={[
          { value: 'buy', label: 'Buy' },
          { value: 'sell', label: 'Sell' },
        ]}
        value={draft.side}
        onChange={(side) => change({ side: side === 'sell' ? 'sell' : 'buy' })}
        fullWidth
      />
      <SimpleGrid cols={2}>
        <NumberInput
          label="Quantity"
          description="Shares"
          min={0}
          value={draft.quantity}
          onChange={(next) => change({ quantity: next })}
          error={fields.quantity}
          data-autofocus
        />
        <Select
          label="Type"
          description="How it meets the market"
          data={TYPES}
          value={draft.type}
          allowDeselect={false}
          onChange={(type) => change({ type: (type ?? 'market') as Draft['type'] })}
        />
        {draft.type.includes('limit') && (
          <NumberInput
            label="Limit price"
            value={draft.limit_price}
            onChange={(next) => change({ limit_price: next })}
            error={fields.limit_price}
          />
        )}
        {draft.type.startsWith('stop') && (
          <NumberInput
            label="Stop price"
            value={draft.stop_price}
            onChange={(next) => change({ stop_price: next })}
            error={fields.stop_price}
          />
        )}
        <NumberInput
          label="Stop loss"
          description="Optional, a price"
          value={draft.stop_loss}
          onChange={(next) => change({ stop_loss: next })}
          error={fields.stop_loss}
        />
        <NumberInput
          label="Take profit"
          description="Optional, a price"
          value={draft.take_profit}
          onChange={(next) => change({ take_profit: next })}
          error={fields.take_profit}
        />
      </SimpleGrid>
      <Select
        label="Time in force"
        data={[
          { value: 'day', label: 'Day: until the session closes' },
          { value: 'gtc', label: 'Good till canceled' },
          { value: 'ioc', label: 'Immediate or cancel' },
          { value: 'fok', label: 'Fill or kill' },
        ]}
        value={draft.time_in_force}
        allowDeselect={false}
        onChange={(next) => change({ time_in_force: next ?? 'day' })}
      />
      <TextInput
        label="Reason"
        description="Optional; kept with the signal"
        value={draft.reason}
        onChange={(event) => change({ reason: event.currentTarget.value })}
      />
      <p className="dim tabular" style={{ margin: 0, fontSize: 13 }}>
        Last price {formatPrice(last)}
        {last !== null && quantity !== null && ` · about ${formatMoney(last * quantity)} ${account.currency}`}
      </p>
      {outcome?.denial && (
        <DenialCard
          denial={{
            rule: outcome.denial.code,
            passed: false,
            value: outcome.denial.value,
            limit: outcome.denial.limit,
          }}
          detail={outcome.denial.detail}
        />
      )}
      {place.error !== null && Object.keys(fields).length === 0 && (
        <Alert color="red">{sentenceOf(place.error)}</Alert>
      )}
      <Button
        size="md"
        color={isLive ? 'red' : undefined}
        disabled={problems.length > 0}
        loading={place.isPending}
        onClick={() => {
          setOutcome(null)
          place.mutate(toWish(draft, account.id))
        }}
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
