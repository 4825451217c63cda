/** Both books as lines: what comes first, how figures are written, what a verdict is called. */
import type { Tone } from '@/components/Badge'
import type { components } from '@/lib/api/schema'
import { NONE, formatMoney, formatQuantity, plural } from '@/lib/format'

export type Comparison = components['schemas']['ComparisonOut']
export type ComparisonLine = components['schemas']['ComparisonLineOut']

export const KINDS: readonly { kind: ComparisonLine['kind']; title: string }[] = [
  { kind: 'cash', title: 'Cash' },
  { kind: 'position', title: 'Positions' },
  { kind: 'order', title: 'Open orders, still to be filled' },
]

export const VERDICTS: Record<ComparisonLine['verdict'], { label: string; tone: Tone }> = {
  equal: { label: 'Equal', tone: 'good' },
  looking: { label: 'Looking again', tone: 'warning' },
  differs: { label: 'Differs', tone: 'error' },
}

const URGENCY: Record<ComparisonLine['verdict'], number> = { differs: 0, looking: 1, equal: 2 }

/** Lines of one kind, what needs a person first. */
export const linesOf = (
  lines: readonly ComparisonLine[],
  kind: ComparisonLine['kind'],
  onlyUnequal: boolean,
): ComparisonLine[] =>
  lines
    .filter((line) => line.kind === kind && !(onlyUnequal && line.verdict === 'equal'))
    .sort((a, b) => URGENCY[a.verdict] - URGENCY[b.verdict])

/** One figure of a line; what a book does not have is a dash. */
export function figureOf(line: Pick<ComparisonLine, 'kind'>, value: string | null): string {
  if (value === null) return NONE
  return line.kind === 'cash' ? formatMoney(value) : formatQuantity(value)
}

/** By how much the broker has more than we do; empty where they agree or one of them has none. */
export function gapOf(line: Pick<ComparisonLine, 'kind' | 'ours' | 'theirs' | 'verdict'>): string {
  if (line.verdict === 'equal' || line.ours === null || line.theirs === null) return ''
  const gap = Number(line.theirs) - Number(line.ours)
  return line.kind === 'cash' ? formatMoney(gap, true) : formatQuantity(gap, true)
}

/** All of it in a sentence. */
export function summaryOf(lines: readonly ComparisonLine[]): string {
  const count = (verdict: ComparisonLine['verdict']) =>
    lines.filter((line) => line.verdict === verdict).length
  const [differing, looking] = [count('differs'), count('looking')]
  if (differing > 0)
    return `${String(differing)} of ${plural(lines.length, 'line')} ${differing === 1 ? 'differs' : 'differ'}.`
  if (looking > 0)
    return `${String(looking)} of ${plural(lines.length, 'line')} ${looking === 1 ? 'is' : 'are'} looked at again.`
  return lines.length === 0 ? 'Both books are empty.' : 'Both books agree.'
}
