/** Where one is signed in, and the keys of one's programs. */
import { queryOptions } from '@tanstack/react-query'
import { api, newIdempotencyKey, unwrap } from '@/lib/api/client'
import type { components } from '@/lib/api/schema'

export type Scope = components['schemas']['Scope']

export const sessions = () =>
  queryOptions({ queryKey: ['sessions'], queryFn: () => api.GET('/api/sessions').then(unwrap) })

export const revokeSession = (id: number) =>
  api.DELETE('/api/sessions/{session_id}', { params: { path: { session_id: id } } })

export const revokeOtherSessions = () => api.DELETE('/api/sessions')

export const apiKeys = () =>
  queryOptions({ queryKey: ['api-keys'], queryFn: () => api.GET('/api/api-keys').then(unwrap) })

export type ApiKeyWish = components['schemas']['ApiKeyIn']

export const createApiKey = (body: ApiKeyWish) =>
  api
    .POST('/api/api-keys', { params: { header: { 'Idempotency-Key': newIdempotencyKey() } }, body })
    .then(unwrap)

export const revokeApiKey = (id: string) =>
  api.DELETE('/api/api-keys/{key_id}', { params: { path: { key_id: id } } })

export const changePassword = (body: { current_password: string; new_password: string }) =>
  api.POST('/api/auth/password', { body })
