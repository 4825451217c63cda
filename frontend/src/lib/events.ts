/** One line for a person about any event of the journal. */
import type { JournalEvent } from './api/types'
import { formatMoney, formatPrice, formatQuantity } from './format'

type Data = Record<string, unknown>

const words = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : ''

const inner = (data: Data, key: string): Data => {
  const value = data[key]
  return typeof value === 'object' && value !== null ? (value as Data) : {}
}

const amount = (value: unknown) => formatQuantity(words(value))
const price = (value: unknown) => formatPrice(words(value))

const LINES: Record<string, (data: Data) => string> = {
  order_filled: (data) => {
    const { side, quantity, symbol, price: paid } = inner(data, 'execution')
    return `${side === 'sell' ? 'Sold' : 'Bought'} ${amount(quantity)} ${words(symbol)} at ${price(paid)}`
  },
  order_approved: (data) => {
    const { side, quantity, symbol, type, leg } = inner(data, 'order')
    return `${words(side)} ${amount(quantity)} ${words(symbol)}, ${words(type)} (${words(leg).replace('_', ' ')})`
  },
  order_denied: (data) => `${words(data.symbol)}: ${words(data.detail)}`,
  order_rejected: (data) => words(data.reason),
  order_canceled: (data) => words(data.reason),
  order_unknown: (data) => words(data.reason),
  signal_raised: (data) => {
    const { symbol, exposure, ledger, quantity } = inner(data, 'signal')
    const wanted = words(quantity) === '' ? words(exposure) : words(quantity)
    return `${words(ledger)} wants ${wanted} of ${words(symbol)}`
  },
  position_changed: (data) => {
    const { ledger, symbol, quantity } = inner(data, 'position')
    return `${words(ledger)} holds ${amount(quantity)} ${words(symbol)}`
  },
  position_adjusted: (data) => {
    const { ledger, symbol, quantity } = inner(data, 'position')
    return `${words(ledger)} holds ${amount(quantity)} ${words(symbol)}: ${words(data.reason)}`
  },
  order_adjusted: (data) => `${words(data.symbol)}: ${amount(data.quantity)} from now on`,
  cash_moved: (data) =>
    `${words(data.ledger)} ${formatMoney(words(data.amount), true)}: ${words(data.reason)}`,
  corporate_action_due: (data) => `${words(data.kind).replaceAll('_', ' ')} of ${words(data.symbol)}`,
  trade_closed: (data) => {
    const { symbol, pnl } = inner(data, 'trade')
    return `${words(symbol)} ${formatMoney(words(pnl), true)}`
  },
  target_set: (data) => {
    const { ledger, symbol, exposure } = inner(data, 'target')
    return `${words(ledger)} ${words(symbol)} ${words(exposure)}`
  },
  strategy_noted: (data) => words(data.message),
  deployment_started: (data) => {
    const { strategy, symbols } = inner(data, 'deployment')
    return `${words(strategy)} on ${Array.isArray(symbols) ? symbols.map(words).join(', ') : ''}`
  },
  deployment_paused: (data) => `d${words(data.deployment_id)}: ${words(data.reason)}`,
  deployment_stopped: (data) => `d${words(data.deployment_id)}: ${words(data.reason)}`,
  deployment_failed: (data) => `d${words(data.deployment_id)}: ${words(data.reason)}`,
  trading_halted: (data) => `${words(data.state)} by ${words(data.actor)}: ${words(data.reason)}`,
  trading_resumed: (data) => `by ${words(data.actor)}`,
  command_received: (data) => `${words(data.kind).replaceAll('_', ' ')} from ${words(data.actor)}`,
  command_completed: (data) =>
    data.succeeded === true ? 'Succeeded' : `Failed: ${words(inner(data, 'result').detail)}`,
  alert_raised: (data) => words(data.title),
  config_changed: (data) => `${words(data.key)} is now ${words(data.after)}`,
  performance_recorded: (data) => `${words(data.ledger)} on ${words(data.session)}: ${words(data.pnl)}`,
  feed_disconnected: (data) => `${words(data.feed)}: ${words(data.reason)}`,
  feed_connected: (data) => words(data.feed),
  session_opened: (data) => words(data.session),
  session_closed: (data) => words(data.session),
}

/** What happened, in a few words; the order's id where there is nothing better. */
export function describeEvent({ type, data }: Pick<JournalEvent, 'type' | 'data'>): string {
  return LINES[type]?.(data) ?? words(data.client_order_id ?? data.signal_id ?? data.symbol)
}
