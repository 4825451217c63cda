/** Option chains: which expiries there are, and the contracts of one. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'

export interface ChainKey {
  symbol: string
  accountId: number
  /** Another data set than the account's. */
  dataset: string | undefined
}

const CONTRACTS_AT_ONCE = 5_000
const FRESH_MS = 5_000
const SUMMARY_FRESH_MS = 60_000

const whereOf = ({ accountId, dataset }: ChainKey) => (dataset ? { dataset } : { account_id: accountId })

export const options = {
  all: ['options'] as const,
  /** One contract at most: for the expiries, the data sets and the newest instant. */
  summary: (key: ChainKey) =>
    queryOptions({
      queryKey: [...options.all, 'summary', key],
      queryFn: () =>
        api
          .GET('/api/stocks/{symbol}/options', {
            params: { path: { symbol: key.symbol }, query: { ...whereOf(key), limit: 1 } },
          })
          .then(unwrap),
      refetchInterval: SUMMARY_FRESH_MS,
    }),
  chain: (key: ChainKey, expiry: string) =>
    queryOptions({
      queryKey: [...options.all, 'chain', key, expiry],
      queryFn: () =>
        api
          .GET('/api/stocks/{symbol}/options', {
            params: {
              path: { symbol: key.symbol },
              query: { ...whereOf(key), expiry, limit: CONTRACTS_AT_ONCE },
            },
          })
          .then(unwrap),
      refetchInterval: FRESH_MS,
      placeholderData: keepPreviousData,
    }),
}
