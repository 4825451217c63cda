/** The event bus: what its handlers have done, and what they gave up on. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import { PAGE_SIZE, pagesOf } from '@/lib/api/pages'
import type { components } from '@/lib/api/schema'

type Schemas = components['schemas']
export type Bus = Schemas['EventBusOut']
export type Handler = Schemas['HandlerOut']
export type DeadLetter = Schemas['DeadLetterOut']
export type Times = Schemas['TimesOut']
export type RedriveWish = Schemas['RedriveIn']

const REFRESH_MS = 5_000

export const eventBus = {
  all: ['event-bus'] as const,
  now: () =>
    queryOptions({
      queryKey: [...eventBus.all, 'now'],
      queryFn: () => api.GET('/api/event-bus').then(unwrap),
      refetchInterval: REFRESH_MS,
    }),
  deadLetters: () => ({
    ...pagesOf([...eventBus.all, 'dead-letters'], (cursor) =>
      api.GET('/api/dead-letters', { params: { query: { limit: PAGE_SIZE, cursor } } }).then(unwrap),
    ),
    refetchInterval: REFRESH_MS,
  }),
}

export const redrive = (body: RedriveWish) => api.POST('/api/dead-letters/redrive', { body }).then(unwrap)
