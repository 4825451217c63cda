/** Accounts: money, limits in use, and the equity curve. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'

export const accounts = {
  all: ['accounts'] as const,
  list: () =>
    queryOptions({
      queryKey: [...accounts.all, 'list'],
      queryFn: () => api.GET('/api/accounts').then(unwrap),
      refetchInterval: 5_000,
    }),
  limits: (accountId: number) =>
    queryOptions({
      queryKey: [...accounts.all, 'limits', accountId],
      queryFn: () =>
        api
          .GET('/api/accounts/{account_id}/limits', { params: { path: { account_id: accountId } } })
          .then(unwrap),
      refetchInterval: 5_000,
    }),
  equity: (accountId: number) =>
    queryOptions({
      queryKey: ['equity', accountId],
      queryFn: () =>
        api
          .GET('/api/accounts/{account_id}/equity', { params: { path: { account_id: accountId } } })
          .then(unwrap),
      refetchInterval: 15_000,
    }),
}
