/** What a check of the chains proves, and no more than that. */
import type { components } from '@/lib/api/schema'
import { plural } from '@/lib/format'

export type Verdict = components['schemas']['AuditVerdictOut']

/** How far back the check went: behind the noted ends, or from the first row where none is noted. */
const hasNoted = ({ anchors }: Pick<Verdict, 'anchors'>): boolean => anchors > 0

/** The verdict in a sentence. */
export function saidOf(verdict: Verdict): string {
  if (!verdict.ok) {
    return verdict.first_bad?.detail ?? 'A chain does not hold; “tradewright audit verify” says where.'
  }
  if (verdict.rows === 0 && hasNoted(verdict)) {
    return 'There are no rows since the chains’ ends were last noted, and those ends are still there.'
  }
  return hasNoted(verdict)
    ? 'No row since the chains’ ends were last noted was changed, removed, put in or reordered, and those ends are still there.'
    : 'No row was changed, removed from the middle, put in or reordered. No end is noted outside yet, so rows cut off the end would not be missed.'
}

export function rowsLookedAt({ rows, streams, anchors }: Verdict): string {
  const since = hasNoted({ anchors }) ? 'since the last note' : 'from the first on'
  return `${plural(rows, 'row')} ${since}, of ${plural(streams, 'chain')}`
}
