/** Settings that change while it runs: every one, its history, and the way back. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import { PAGE_SIZE, pagesOf } from '@/lib/api/pages'

export const config = {
  all: ['config'] as const,
  list: () =>
    queryOptions({
      queryKey: [...config.all, 'list'],
      queryFn: () => api.GET('/api/config').then(unwrap),
    }),
  history: (key: string | undefined, limit = PAGE_SIZE) =>
    pagesOf([...config.all, 'history', key, limit], (cursor) =>
      api.GET('/api/config/history', { params: { query: { key, limit, cursor } } }).then(unwrap),
    ),
}

interface Change {
  key: string
  /** Null takes back what is stored, of settings that are no limits; switches a limit off. */
  value: unknown
  reason: string | null
}

export const setConfig = ({ key, value, reason }: Change) =>
  api
    .PUT('/api/config/{key}', { params: { path: { key } }, body: { value, reason, scope: 'all' } })
    .then(unwrap)

/** Sets what a change had changed back to what it was before. */
export const rollbackConfig = ({ id, reason }: { id: number; reason: string | null }) =>
  api
    .POST('/api/config/history/{change_id}/rollback', {
      params: { path: { change_id: id } },
      body: { reason },
    })
    .then(unwrap)
