/** Ways to reach people, and what each of them hears of. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import { PAGE_SIZE } from '@/lib/api/pages'
import type { components } from '@/lib/api/schema'

type Schemas = components['schemas']
export type Channel = Schemas['NotificationChannelOut']
export type ChannelWish = Schemas['NotificationChannelIn']
export type ChannelChange = Schemas['NotificationChannelChangeIn']

export const channels = () =>
  queryOptions({
    queryKey: ['notification-channels'],
    queryFn: () =>
      api.GET('/api/notification-channels', { params: { query: { limit: PAGE_SIZE } } }).then(unwrap),
  })

export const addChannel = (body: ChannelWish) => api.POST('/api/notification-channels', { body }).then(unwrap)

export const changeChannel = ({ id, ...body }: ChannelChange & { id: number }) =>
  api
    .PUT('/api/notification-channels/{channel_id}', { params: { path: { channel_id: id } }, body })
    .then(unwrap)

export const removeChannel = (id: number) =>
  api.DELETE('/api/notification-channels/{channel_id}', { params: { path: { channel_id: id } } })

export const testChannel = (id: number) =>
  api
    .POST('/api/notification-channels/{channel_id}/test', { params: { path: { channel_id: id } } })
    .then(unwrap)
