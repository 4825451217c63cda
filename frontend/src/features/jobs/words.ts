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
  run_once: 'it runs once, late',
  skip: 'they are left out',
  run_all: 'each is made up for, the oldest first',
}

export const isUnderWay = (run: Pick<JobRun, 'status'> | null | undefined): boolean =>
  run?.status === 'queued' || run?.status === 'running'

function plain(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(plain).join(', ')
  if (typeof value === 'object' && value !== null) return `(${listed(value)})`
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** `rows 1200, tables 3`; what is not there is left out. */
const listed = (values: object): string =>
  Object.entries(values)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${plain(value)}`)
    .join(', ')

/** What it is at while it runs; then `rows 1200, tables 3`, or why it failed. */
export function summaryOf(run: Pick<JobRun, 'status' | 'result' | 'error' | 'progress_note'>): string {
  if (run.error && !isUnderWay(run)) return run.error
  if (isUnderWay(run)) return run.progress_note ?? ''
  return listed(run.result ?? {})
}
