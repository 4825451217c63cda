/** Health in one figure, with what is wrong. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'
import { ApiError } from './errors'
import type { Health } from './types'

export const health = () =>
  queryOptions({
    queryKey: ['health'],
    queryFn: async (): Promise<Health> => {
      const response = await fetch('/health', { headers: { Accept: 'application/json' } })
      const body: unknown = await response.json()
      // An unhealthy system answers 503 with the same document: that is the answer, not a failure to get one.
      if (typeof body === 'object' && body !== null && 'score' in body) return body as Health
      throw new ApiError({
        title: 'Health unknown',
        status: response.status,
        detail: 'The health check gave no answer.',
        code: 'health_unknown',
      })
    },
    refetchInterval: 5_000,
    retry: false,
  })

export const system = () =>
  queryOptions({
    queryKey: ['system'],
    queryFn: () => api.GET('/system').then(unwrap),
    refetchInterval: 5_000,
  })
