/** Deployments: strategies at work, their log and their figures. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, newIdempotencyKey, unwrap } from './client'
import { PAGE_SIZE, pagesOf } from './pages'
import type { DeploymentFilter, DeploymentWish, Severity } from './types'

const path = (id: number) => ({ path: { deployment_id: id } })

export const deployments = {
  all: ['deployments'] as const,
  list: (filter: DeploymentFilter, limit = PAGE_SIZE) =>
    pagesOf([...deployments.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/deployments', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
  one: (id: number) =>
    queryOptions({
      queryKey: [...deployments.all, 'one', id],
      queryFn: () => api.GET('/api/deployments/{deployment_id}', { params: path(id) }).then(unwrap),
    }),
  performance: (id: number) =>
    queryOptions({
      queryKey: [...deployments.all, 'performance', id],
      queryFn: () =>
        api.GET('/api/deployments/{deployment_id}/performance', { params: path(id) }).then(unwrap),
    }),
  events: (id: number, severity: Severity[]) =>
    pagesOf(['strategy-events', id, severity], (cursor) =>
      api
        .GET('/api/deployments/{deployment_id}/events', {
          params: { ...path(id), query: { severity, limit: PAGE_SIZE, cursor } },
        })
        .then(unwrap),
    ),
  preview: (wish: Pick<DeploymentWish, 'account_id' | 'strategy' | 'parameters' | 'symbols' | 'timeframe'>) =>
    queryOptions({
      queryKey: ['deployment-preview', wish],
      queryFn: () => api.POST('/api/deployments/preview', { body: wish }).then(unwrap),
      placeholderData: keepPreviousData,
      staleTime: 30_000,
      retry: false,
    }),
}

export const deploy = (body: DeploymentWish, key = newIdempotencyKey()) =>
  api.POST('/api/deployments', { params: { header: { 'Idempotency-Key': key } }, body }).then(unwrap)

export const startDeployment = (id: number) =>
  api.POST('/api/deployments/{deployment_id}/start', { params: path(id) }).then(unwrap)

export const pauseDeployment = (id: number) =>
  api.POST('/api/deployments/{deployment_id}/pause', { params: path(id) }).then(unwrap)

export const stopDeployment = (id: number, flatten: boolean) =>
  api
    .POST('/api/deployments/{deployment_id}/stop', {
      params: path(id),
      body: { reason: 'asked by a person', flatten },
    })
    .then(unwrap)
