/** An order while it is being written. */
import type { Order, OrderChange, OrderWish } from '@/lib/api/types'

type Entry = string | number
export type OrderType = OrderWish['type']

/** How an order meets the market: its type with its own prices. */
export interface TermsDraft {
  type: OrderType
  limit_price: Entry
  stop_price: Entry
  trail: Entry
}

export interface Draft extends TermsDraft {
  symbol: string
  side: 'buy' | 'sell'
  quantity: Entry
  stop_loss: Entry
  stop_trail: Entry
  take_profit: Entry
  time_in_force: OrderWish['time_in_force']
  /** A second order for the same shares, of which one cancels the other. */
  oco: TermsDraft | null
  reason: string
}

const noPrices = { limit_price: '', stop_price: '', trail: '' } as const

export const emptyDraft: Draft = {
  symbol: '',
  side: 'buy',
  quantity: '',
  type: 'market',
  ...noPrices,
  stop_loss: '',
  stop_trail: '',
  take_profit: '',
  time_in_force: 'day',
  oco: null,
  reason: '',
}

const isPositive = (entry: Entry): boolean => Number(entry) > 0

type PriceName = 'limit_price' | 'stop_price' | 'trail'

/** The prices that each type needs; it has no other. */
export const PRICES: Record<OrderType, readonly PriceName[]> = {
  market: [],
  limit: ['limit_price'],
  stop: ['stop_price'],
  stop_limit: ['stop_price', 'limit_price'],
  trailing_stop: ['trail'],
}

const WORDS: Record<PriceName, string> = {
  limit_price: 'a limit price',
  stop_price: 'a stop price',
  trail: 'a distance to trail at',
}

const isStop = (type: OrderType): boolean => type.includes('stop')

/** The types that the second order of a pair may have: a stop beside a limit, a limit beside a stop. */
export const partnersOf = (type: OrderType): readonly OrderType[] => {
  if (type === 'market') return []
  return isStop(type) ? ['limit'] : ['stop', 'stop_limit', 'trailing_stop']
}

/** A pair while its first order is of this type; null where there is none. */
export const pairOf = (type: OrderType, before: TermsDraft | null): TermsDraft | null => {
  const [first] = partnersOf(type)
  if (before === null || first === undefined) return null
  return partnersOf(type).includes(before.type) ? before : { ...before, type: first }
}

/** What may be filled at once or not at all: not what waits for a price. */
export const canBeAtOnce = (draft: Draft): boolean => !isStop(draft.type) && draft.oco === null

const priceProblems = (terms: TermsDraft, name: string): (string | false)[] =>
  PRICES[terms.type].map((price) => !isPositive(terms[price]) && `${name} needs ${WORDS[price]}.`)

const nameOf = (type: OrderType): string => `A ${type.replace('_', ' ')} order`

/** What still stands between the draft and an order, in words. */
export function problemsOf(draft: Draft): string[] {
  return [
    draft.symbol === '' && 'Choose a symbol.',
    !isPositive(draft.quantity) && 'Say how many shares.',
    ...priceProblems(draft, nameOf(draft.type)),
    ...(draft.oco ? priceProblems(draft.oco, 'The second order') : []),
  ].filter((problem) => problem !== false)
}

const price = (entry: Entry): string | null => (isPositive(entry) ? String(entry) : null)

/** Prices that the type does not use are left out, even when they were typed. */
const termsOf = (terms: TermsDraft) => {
  const used = (name: PriceName) => (PRICES[terms.type].includes(name) ? price(terms[name]) : null)
  return {
    type: terms.type,
    limit_price: used('limit_price'),
    stop_price: used('stop_price'),
    trail: used('trail'),
  }
}

export function toWish(draft: Draft, accountId: number): OrderWish {
  return {
    kind: 'order',
    account_id: accountId,
    symbol: draft.symbol,
    side: draft.side,
    quantity: String(draft.quantity),
    ...termsOf(draft),
    stop_loss: price(draft.stop_loss),
    stop_trail: price(draft.stop_trail),
    take_profit: price(draft.take_profit),
    time_in_force: draft.time_in_force,
    oco: draft.oco && termsOf(draft.oco),
    reason: draft.reason === '' ? null : draft.reason,
  }
}

/** What may be changed of an open order: its own prices, and its quantity where it is no leg. */
export type ChangeDraft = Record<'quantity' | PriceName, Entry>

export const changeable = (order: Order): readonly (keyof ChangeDraft)[] =>
  order.leg === 'stop_loss' || order.leg === 'take_profit'
    ? PRICES[order.type]
    : ['quantity', ...PRICES[order.type]]

export const asChangeDraft = (order: Order): ChangeDraft => ({
  quantity: order.quantity,
  limit_price: order.limit_price ?? '',
  stop_price: order.stop_price ?? '',
  trail: order.trail ?? '',
})

/** Only what is different from the order; null when nothing is. */
export function toChange(draft: ChangeDraft, order: Order): OrderChange | null {
  const before = asChangeDraft(order)
  const entries = changeable(order)
    .filter((name) => isPositive(draft[name]) && Number(draft[name]) !== Number(before[name]))
    .map((name) => [name, String(draft[name])] as const)
  return entries.length === 0 ? null : Object.fromEntries(entries)
}
