/** What a backup is worth: only one that was restored, with an equal state hash, is proved. */
import type { Tone } from '@/components/Badge'
import type { Backup } from './api'

type Proof = Pick<Backup, 'status' | 'verified_at' | 'check_error'>

export function wordOf({ status, verified_at, check_error }: Proof): { label: string; tone: Tone } {
  if (status === 'running') return { label: 'Under way', tone: 'info' }
  if (status === 'failed') return { label: 'Failed', tone: 'error' }
  if (status === 'deleted') return { label: 'Removed', tone: 'neutral' }
  if (check_error) return { label: 'Could not be restored', tone: 'critical' }
  return verified_at ? { label: 'Proved', tone: 'good' } : { label: 'Not proved yet', tone: 'warning' }
}

/** What its button says: it may never have been tried. */
export const proofWord = ({ checked_at }: Pick<Backup, 'checked_at'>): string =>
  checked_at ? 'Prove it again' : 'Prove it'

/** The newest backup that is there and was proved. */
export function lastProved<T extends Proof>(all: readonly T[]): T | undefined {
  return all
    .filter((each) => each.status === 'finished' && each.verified_at && !each.check_error)
    .sort((a, b) => Date.parse(b.verified_at ?? '') - Date.parse(a.verified_at ?? ''))[0]
}
