/** Accounts: money, limits in use, the equity curve, and how each gets on with its broker. */
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
  broker: (accountId: number) =>
    queryOptions({
      queryKey: [...accounts.all, 'broker', accountId],
      queryFn: () =>
        api
          .GET('/api/accounts/{account_id}/broker', { params: { path: { account_id: accountId } } })
          .then(unwrap),
      refetchInterval: 2_000,
    }),
  comparison: (accountId: number) =>
    queryOptions({
      queryKey: [...accounts.all, 'comparison', accountId],
      queryFn: () =>
        api
          .GET('/api/accounts/{account_id}/comparison', { params: { path: { account_id: accountId } } })
          .then(unwrap),
      refetchInterval: 2_000,
    }),
  reconciliations: (accountId: number) =>
    queryOptions({
      queryKey: [...accounts.all, 'reconciliations', accountId],
      queryFn: () =>
        api
          .GET('/api/accounts/{account_id}/reconciliations', {
            params: { path: { account_id: accountId }, query: { limit: 5 } },
          })
          .then(unwrap),
      refetchInterval: 10_000,
    }),
}

/** What was found is in the result; `adopt` says that what the broker has is right. */
export const reconcile = (accountId: number, wish: { dry_run: boolean; adopt: boolean }) =>
  api
    .POST('/api/accounts/{account_id}/reconcile', {
      params: { path: { account_id: accountId } },
      body: wish,
    })
    .then(unwrap)
