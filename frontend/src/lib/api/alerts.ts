/** Alerts: what a person should see, on any page. */
import { api, unwrap } from './client'
import { PAGE_SIZE, pagesOf } from './pages'
import type { AlertFilter } from './types'

export const alerts = {
  all: ['alerts'] as const,
  list: (filter: AlertFilter, limit = PAGE_SIZE) =>
    pagesOf([...alerts.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/alerts', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
}
