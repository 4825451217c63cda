/** What the risk page asks beyond records: scopes, explanations of an instant, other limits. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import type { Explanation, WhatIf, WhatIfWish } from '@/lib/api/types'

export const risk = {
  all: ['risk'] as const,
  scopes: () =>
    queryOptions({
      queryKey: [...risk.all, 'scopes'],
      queryFn: () => api.GET('/api/config/scopes').then(unwrap),
    }),
}

/** Every limit by name. */
export const limits = () =>
  queryOptions({
    queryKey: ['config', 'limits'],
    queryFn: () => api.GET('/api/config', { params: { query: { category: 'limits' } } }).then(unwrap),
  })

export const explain = (symbol: string, at: string, accountId: number): Promise<Explanation> =>
  api.GET('/api/risk/explain', { params: { query: { symbol, at, account_id: accountId } } }).then(unwrap)

export const suppose = (wish: WhatIfWish): Promise<WhatIf> =>
  api.POST('/api/risk/what-if', { body: wish }).then(unwrap)

export const limitScope = (key: string, value: unknown, scope: string, reason: string | null) =>
  api.PUT('/api/config/{key}', { params: { path: { key } }, body: { value, scope, reason } }).then(unwrap)
