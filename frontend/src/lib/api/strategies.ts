/** The strategy catalogue with the schemas that forms are made from. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'

export const strategies = {
  all: ['strategies'] as const,
  list: () =>
    queryOptions({
      queryKey: [...strategies.all, 'list'],
      queryFn: () => api.GET('/api/strategies').then(unwrap),
      staleTime: 60_000,
    }),
  one: (name: string) =>
    queryOptions({
      queryKey: [...strategies.all, 'one', name],
      queryFn: () => api.GET('/api/strategies/{name}', { params: { path: { name } } }).then(unwrap),
      staleTime: 60_000,
    }),
}
