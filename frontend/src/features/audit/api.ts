/** The audit trail, and the proof that nobody rewrote it. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import { PAGE_SIZE, pagesOf } from '@/lib/api/pages'
import type { components, paths } from '@/lib/api/schema'

export type Act = components['schemas']['AuditEntryOut']
export type AuditFilter = Omit<
  NonNullable<paths['/api/audit']['get']['parameters']['query']>,
  'limit' | 'cursor' | 'format'
>

export const audit = {
  all: ['audit'] as const,
  list: (filter: AuditFilter) =>
    pagesOf([...audit.all, 'list', filter], (cursor) =>
      api.GET('/api/audit', { params: { query: { ...filter, limit: PAGE_SIZE, cursor } } }).then(unwrap),
    ),
  /** Asked for by a button: it reads every row since the newest anchors. */
  verdict: () =>
    queryOptions({
      queryKey: [...audit.all, 'verdict'],
      queryFn: () => api.GET('/api/audit/verify').then(unwrap),
      enabled: false,
      staleTime: Infinity,
    }),
}
