import { expect, test } from 'vitest'
import { describeEvent } from './events'

test.each([
  [
    'order_filled',
    { execution: { side: 'sell', quantity: '20', symbol: 'SPY', price: '601.2' } },
    'Sold 20 SPY at 601.20',
  ],
  ['order_denied', { symbol: 'SPY', detail: 'Too large.' }, 'SPY: Too large.'],
  [
    'signal_raised',
    { signal: { ledger: 'd3', symbol: 'SPY', exposure: 1, quantity: null } },
    'd3 wants 1 of SPY',
  ],
  ['trade_closed', { trade: { symbol: 'SPY', pnl: '-12.5' } }, 'SPY −12.50'],
  ['something_new', { client_order_id: 'x-1' }, 'x-1'],
  ['something_new', {}, ''],
])('%s reads well', (type, data, text) => expect(describeEvent({ type, data })).toBe(text))
