/** People who may sign in, what they may do, and which accounts they see. */
import { api, newIdempotencyKey, unwrap } from '@/lib/api/client'
import { PAGE_SIZE, pagesOf } from '@/lib/api/pages'
import type { components } from '@/lib/api/schema'

type Schemas = components['schemas']
export type UserWish = Schemas['UserIn']
export type UserChange = Schemas['UserChangeIn']

export const users = {
  all: ['users'] as const,
  list: () =>
    pagesOf([...users.all, 'list'], (cursor) =>
      api.GET('/api/users', { params: { query: { limit: PAGE_SIZE, cursor } } }).then(unwrap),
    ),
}

export const addUser = (body: UserWish) =>
  api
    .POST('/api/users', { params: { header: { 'Idempotency-Key': newIdempotencyKey() } }, body })
    .then(unwrap)

export const changeUser = ({ id, ...body }: UserChange & { id: number }) =>
  api.PATCH('/api/users/{user_id}', { params: { path: { user_id: id } }, body }).then(unwrap)
