/** Jobs: what is done on a schedule or on request, and each run of it. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import type { components } from '@/lib/api/schema'
import { isUnderWay } from './words'

type Schemas = components['schemas']
export type Job = Schemas['JobOut']
export type JobRun = Schemas['JobRunOut']

/** The WebSocket says it at once; this is for when it is away. */
const BUSY_MS = 3_000
const QUIET_MS = 10_000
const RUNS = 50

const named = (name: string) => ({ path: { name } })

export const jobs = {
  all: ['jobs'] as const,
  list: () =>
    queryOptions({
      queryKey: [...jobs.all, 'list'],
      queryFn: () => api.GET('/api/jobs').then(unwrap),
      refetchInterval: (query) =>
        query.state.data?.items.some((job) => isUnderWay(job.last_run)) ? BUSY_MS : QUIET_MS,
    }),
  runs: (name: string) =>
    queryOptions({
      queryKey: [...jobs.all, 'runs', name],
      queryFn: () =>
        api.GET('/api/jobs/{name}/runs', { params: { ...named(name), query: { limit: RUNS } } }).then(unwrap),
      refetchInterval: (query) => (query.state.data?.items.some(isUnderWay) ? BUSY_MS : QUIET_MS),
    }),
}

export const runJob = (name: string) =>
  api.POST('/api/jobs/{name}/run', { params: named(name), body: { payload: {} } }).then(unwrap)

export const pauseJob = (name: string) =>
  api.POST('/api/jobs/{name}/pause', { params: named(name) }).then(unwrap)

export const resumeJob = (name: string) =>
  api.POST('/api/jobs/{name}/resume', { params: named(name) }).then(unwrap)
