/** Backups: what was saved, and when it was last proved by a restore. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import { PAGE_SIZE } from '@/lib/api/pages'
import type { components } from '@/lib/api/schema'

export type Backup = components['schemas']['BackupOut']

/** A run that was asked for shows as soon as a worker has begun it. */
const REFRESH_MS = 3_000

export const backups = () =>
  queryOptions({
    queryKey: ['backups'],
    queryFn: () => api.GET('/api/backups', { params: { query: { limit: PAGE_SIZE } } }).then(unwrap),
    refetchInterval: REFRESH_MS,
  })

export const makeBackup = () => api.POST('/api/backups').then(unwrap)

export const proveBackup = (id: number) =>
  api.POST('/api/backups/{backup_id}/verify', { params: { path: { backup_id: id } } }).then(unwrap)
