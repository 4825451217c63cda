import { MantineProvider } from '@mantine/core'
import { QueryClient } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import { RunProgress } from './RunProgress'
import { type Job, type JobRun, jobs } from './api'
import { mergeRun, receiveRun, withRun } from './feed'

const AT = '2026-03-05T14:31:00Z'
const run = (change: Partial<JobRun>): JobRun => ({
  id: 7,
  job: 'backup',
  scheduled_for: AT,
  trigger: 'person',
  status: 'running',
  attempt: 1,
  missed: 0,
  payload: {},
  result: {},
  created_at: AT,
  ...change,
})
const job = (name: string, last_run: JobRun | null): Job => ({
  name,
  title: name,
  missed: 'skip',
  attempts: 3,
  is_paused: false,
  last_run,
})

test('a run becomes its job’s last, but never in the place of a newer one', () => {
  const all = [job('backup', run({ id: 6 })), job('digest', null)]
  expect(withRun(all, run({ progress: 0.4 }))[0]?.last_run?.progress).toBe(0.4)
  expect(withRun(all, run({ id: 5 }))[0]?.last_run?.id).toBe(6)
  expect(withRun(all, run({}))[1]?.last_run).toBeNull()
})

test('a run takes its place among the runs, or is the first of them', () => {
  const known = [run({ id: 6 }), run({ id: 5 })]
  expect(mergeRun(known, run({ id: 5, status: 'failed' })).map(({ status }) => status)).toEqual([
    'running',
    'failed',
  ])
  expect(mergeRun(known, run({ id: 7 })).map(({ id }) => id)).toEqual([7, 6, 5])
})

test('what was asked for before is kept new; what was not stays unasked', () => {
  const client = new QueryClient()
  client.setQueryData(jobs.list().queryKey, { items: [job('backup', null)] })
  receiveRun(client, run({ progress: 0.25, progress_note: 'Half of the tables are written.' }))
  expect(client.getQueryData(jobs.list().queryKey)?.items[0]?.last_run?.progress).toBe(0.25)
  expect(client.getQueryData(jobs.runs('backup').queryKey)).toBeUndefined()
})

test('a bar shows how far a run is, but only while it runs and where the job says so', () => {
  const { rerender } = render(<RunProgress run={run({ progress: 0.4 })} />, { wrapper: MantineProvider })
  expect(screen.getByRole('progressbar', { name: 'How far Backup is' })).toHaveAttribute(
    'aria-valuenow',
    '40',
  )
  for (const change of [{ progress: null }, { progress: 1, status: 'succeeded' as const }]) {
    rerender(<RunProgress run={run(change)} />)
    expect(screen.queryByRole('progressbar')).not.toBeInTheDocument()
  }
})
