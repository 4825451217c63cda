/** What filters offer: the symbols there are, the deployments there are. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useAccount } from './account'
import { deployments } from './api/deployments'
import { useRows } from './api/pages'
import { stocks } from './api/stocks'
import type { Deployment, Stock } from './api/types'

export const titleOf = (deployment: Pick<Deployment, 'id' | 'name' | 'strategy' | 'symbols'>): string =>
  deployment.name ?? `${deployment.strategy} on ${deployment.symbols.join(', ')}`

/** What to show first: something that has a price. */
export const firstPriced = (stocks: readonly Stock[]): string | undefined =>
  (stocks.find((stock) => stock.now) ?? stocks[0])?.symbol

const NO_STOCKS: readonly Stock[] = []

export function useChoices() {
  const { account } = useAccount()
  const { data, isPending } = useQuery({ ...stocks.list(account?.id ?? null), enabled: account !== null })
  const listed = useRows(
    useInfiniteQuery({ ...deployments.list({ account_id: account?.id }), enabled: account !== null }),
  )
  const all = data?.items ?? NO_STOCKS
  return {
    isPending,
    stocks: all,
    symbols: all.map((stock) => stock.symbol),
    deployments: listed.rows.map((deployment) => ({
      value: String(deployment.id),
      label: `${deployment.ledger} · ${titleOf(deployment)}`,
    })),
  }
}
