/** Runs of jobs as the WebSocket tells them, put into what was asked for before. */
import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { live } from '@/lib/live/connection'
import { type Job, type JobRun, jobs } from './api'

/** The job with this run as its last, unless a newer one is known. */
export const withRun = (all: readonly Job[], run: JobRun): Job[] =>
  all.map((job) =>
    job.name === run.job && run.id >= (job.last_run?.id ?? 0) ? { ...job, last_run: run } : job,
  )

/** The runs with this one in its place, or before all others. */
export const mergeRun = (runs: readonly JobRun[], run: JobRun): JobRun[] =>
  runs.some(({ id }) => id === run.id)
    ? runs.map((known) => (known.id === run.id ? run : known))
    : [run, ...runs].sort((a, b) => b.id - a.id)

export function receiveRun(client: QueryClient, run: JobRun): void {
  client.setQueryData(
    jobs.list().queryKey,
    (known) => known && { ...known, items: withRun(known.items, run) },
  )
  client.setQueryData(
    jobs.runs(run.job).queryKey,
    (known) => known && { ...known, items: mergeRun(known.items, run) },
  )
  // When it is due next, and when it last succeeded, is not in the run.
  if (run.finished_at) void client.invalidateQueries({ queryKey: jobs.list().queryKey })
}

/** Keeps what is shown of jobs new while the component is on screen. */
export function useJobFeed(): void {
  const client = useQueryClient()
  useEffect(
    () => live.subscribe('jobs', ({ data }) => receiveRun(client, data as unknown as JobRun)),
    [client],
  )
}
