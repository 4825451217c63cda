/** An order while it is being written. */
import type { OrderWish } from '@/lib/api/types'

type Entry = string | number

export interface Draft {
  symbol: string
  side: 'buy' | 'sell'
  quantity: Entry
  type: OrderWish['type']
  limit_price: Entry
  stop_price: Entry
  stop_loss: Entry
  take_profit: Entry
  time_in_force: OrderWish['time_in_force']
  reason: string
}

export const emptyDraft: Draft = {
  symbol: '',
  side: 'buy',
  quantity: '',
  type: 'market',
  limit_price: '',
  stop_price: '',
  stop_loss: '',
  take_profit: '',
  time_in_force: 'day',
  reason: '',
}

const needsLimit = ({ type }: Draft): boolean => type === 'limit' || type === 'stop_limit'
const needsStop = ({ type }: Draft): boolean => type === 'stop' || type === 'stop_limit'
const isPositive = (entry: Entry): boolean => Number(entry) > 0

/** What still stands between the draft and an order, in words. */
export function problemsOf(draft: Draft): string[] {
  return [
    draft.symbol === '' && 'Choose a symbol.',
    !isPositive(draft.quantity) && 'Say how many shares.',
    needsLimit(draft) && !isPositive(draft.limit_price) && 'A limit order needs a limit price.',
    needsStop(draft) && !isPositive(draft.stop_price) && 'A stop order needs a stop price.',
  ].filter((problem) => problem !== false)
}

const price = (entry: Entry): string | null => (isPositive(entry) ? String(entry) : null)

/** Prices that the type does not use are left out, even when they were typed. */
export function toWish(draft: Draft, accountId: number): OrderWish {
  return {
    kind: 'order',
    account_id: accountId,
    symbol: draft.symbol,
    side: draft.side,
    quantity: String(draft.quantity),
    type: draft.type,
    limit_price: needsLimit(draft) ? price(draft.limit_price) : null,
    stop_price: needsStop(draft) ? price(draft.stop_price) : null,
    stop_loss: price(draft.stop_loss),
    take_profit: price(draft.take_profit),
    time_in_force: draft.time_in_force,
    reason: draft.reason === '' ? null : draft.reason,
  }
}
