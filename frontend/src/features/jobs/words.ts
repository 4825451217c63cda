/** What became of a run, in words; what it found, in one line. */
import type { Tone } from '@/components/Badge'
import type { Job, JobRun } from './api'

export const STATUS_WORDS: Record<JobRun['status'], { label: string; tone: Tone }> = {
  queued: { label: 'Waiting', tone: 'info' },
  running: { label: 'Running', tone: 'info' },
  succeeded: { label: 'Succeeded', tone: 'good' },
  failed: { label: 'Failed', tone: 'error' },
  skipped: { label: 'Skipped', tone: 'neutral' },
}

export const MISSED_WORDS: Record<Job['missed'], string> = {
  run_once: 'the newest of them runs late',
  skip: 'none of them runs',
  run_all: 'each of them runs, the oldest first',
}

export const isUnderWay = (run: Pick<JobRun, 'status'> | null | undefined): boolean =>
  run?.status === 'queued' || run?.status === 'running'

const plain = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : JSON.stringify(value)

/** What it is at while it runs; then `rows 1200, tables 3`, or why it failed. */
export function summaryOf(run: Pick<JobRun, 'status' | 'result' | 'error' | 'progress_note'>): string {
  if (run.error && !isUnderWay(run)) return run.error
  if (isUnderWay(run)) return run.progress_note ?? ''
  return Object.entries(run.result ?? {})
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${plain(value)}`)
    .join(', ')
}
