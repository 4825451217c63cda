/** The chips above the orders table. */
import type { Filter } from '@/components/table/FilterChips'
import { formatName } from '@/lib/format'

const STATUSES = [
  'open',
  'closed',
  'approved',
  'submitted',
  'accepted',
  'partially_filled',
  'filled',
  'canceled',
  'rejected',
  'expired',
  'unknown',
] as const

export type OrderStatusFilter = (typeof STATUSES)[number]

export const orderFilters = (
  symbols: readonly string[],
  deployments: readonly { value: string; label: string }[],
): Filter[] => [
  { key: 'status', label: 'Status', choices: STATUSES.map((value) => ({ value, label: formatName(value) })) },
  { key: 'symbol', label: 'Symbol', suggestions: symbols },
  {
    key: 'side',
    label: 'Side',
    choices: [
      { value: 'buy', label: 'Buy' },
      { value: 'sell', label: 'Sell' },
    ],
  },
  { key: 'deployment', label: 'Deployment', choices: deployments },
]

export const asStatus = (text: string | undefined): OrderStatusFilter[] | undefined => {
  const status = STATUSES.find((each) => each === text)
  return status ? [status] : undefined
}
