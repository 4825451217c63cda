/** What verdicts, gaps and providers' answers mean, in words and tones. */
import type { Tone } from '@/components/Badge'
import type { SeriesName } from '@/lib/api/data-quality'
import type { Gap, GapEvidence, GapState, QualityTarget, Series, SeriesVerdict } from '@/lib/api/types'
import { TIMEFRAMES } from '@/lib/api/types'
import { NONE, formatDuration, formatFigure, formatName, formatPercent, plural, toNumber } from '@/lib/format'

interface Words {
  label: string
  tone: Tone
  says: string
}

export const VERDICT_WORDS: Record<SeriesVerdict, Words> = {
  good: { label: 'Good', tone: 'good', says: 'Whole and believable.' },
  gaps: { label: 'Gaps', tone: 'warning', says: 'Bars are missing, and nobody has explained why.' },
  stale: { label: 'Stale', tone: 'warning', says: 'The newest bar of a live series is overdue.' },
  bad: { label: 'Bad', tone: 'error', says: 'Some bars are not believable.' },
  unchecked: {
    label: 'Not checked',
    tone: 'neutral',
    says: 'No check has looked at these bars yet; one comes by itself within minutes.',
  },
}

export const GAP_WORDS: Record<GapState, Words> = {
  unexplained: {
    label: 'Unexplained',
    tone: 'warning',
    says: 'Nobody knows yet why these bars are missing.',
  },
  provider_hole: {
    label: 'Provider’s hole',
    tone: 'error',
    says: 'A provider says that there was trading, and none of them has the bars.',
  },
  no_trade: { label: 'No trade', tone: 'neutral', says: 'Nothing traded then.' },
  closed: { label: 'Closed', tone: 'neutral', says: 'The exchange was closed.' },
  repaired: { label: 'Repaired', tone: 'good', says: 'The bars were fetched again.' },
}

export const isOpenGap = ({ state }: Pick<Gap, 'state'>): boolean =>
  state === 'unexplained' || state === 'provider_hole'

/** Imports, replays and the simulated market are never changed behind somebody's back. */
export const mayAskAgain = (gap: Pick<Gap, 'state' | 'dataset'>): boolean =>
  gap.dataset === 'live' && isOpenGap(gap)

/** Said once beside open gaps that nobody will be asked about. */
export const NEVER_ASKED = 'Imported data never changes by itself: import a file that has these bars.'

/** What one provider answered, as a sentence. */
export function evidenceSentence({ provider, answer, bars, around, detail }: GapEvidence): string {
  const beside = around > 0 ? `, with ${plural(around, 'bar')} just beside the gap` : ''
  switch (answer) {
    case 'bars':
      return `${provider} had ${plural(bars, 'bar')} of it.`
    case 'nothing':
      return `${provider} has none of these bars${beside}.`
    case 'nothing_around':
      return `${provider} has no bars around it either, so it cannot tell.`
    case 'unknown':
      return `${provider} does not know the symbol.`
    case 'refused':
      return `${provider} refused to answer${detail ? `: ${detail}` : '.'}`
    case 'failed':
      return `${provider} could not be asked${detail ? `: ${detail}` : '.'}`
    case 'peers':
      return detail || 'Other series of the same exchange were compared.'
    default:
      return `${provider}: ${formatName(answer)}${detail ? `, ${detail}` : ''}.`
  }
}

/** Never rounded up: 99.9996 % is not 100 %. */
export function formatShare(share: number | null | undefined, decimals = 2): string {
  const number = toNumber(share)
  if (number === null) return NONE
  if (number >= 1) return formatPercent(1, { decimals: 0 })
  const scale = 10 ** (decimals + 2)
  return formatPercent(Math.floor(number * scale) / scale, { decimals })
}

export function formatTarget(
  { unit }: Pick<QualityTarget, 'unit'>,
  value: number | null | undefined,
): string {
  if (value === null || value === undefined) return NONE
  if (unit === 'share') return value > 0.5 ? formatShare(value, 3) : formatPercent(value, { decimals: 3 })
  if (unit === 'ms') return `${formatFigure(value, { decimals: value < 10 ? 1 : 0 })} ms`
  return formatDuration(value)
}

/** `> 99.9 %`, `< 5 s`: as the promise is written. */
export function formatLimit({ better, unit, limit }: QualityTarget): string {
  const sign = better === 'higher' ? '>' : '<'
  const text =
    unit === 'share'
      ? formatPercent(limit, { decimals: 1 })
      : unit === 'ms'
        ? `${formatFigure(limit, { decimals: 0 })} ms`
        : `${formatFigure(limit, { decimals: 0 })} s`
  return `${sign} ${text}`
}

/** Short enough for a card; the server's longer title is said in its tooltip. */
const TARGET_TITLES: Record<string, string> = {
  completeness: 'Live bars that are there',
  freshness: 'Freshness of live bars',
  bad_rows: 'Live rows refused',
  write_p95: 'Storing live rows, p95',
}

export const targetTitle = ({ name, title }: Pick<QualityTarget, 'name' | 'title'>): string =>
  TARGET_TITLES[name] ?? title

const SEPARATOR = '~'

/** A series in one word, for the URL. No data set, symbol or timeframe has a tilde. */
export const seriesKey = ({ dataset, symbol, timeframe }: SeriesName): string =>
  [dataset, symbol, timeframe].join(SEPARATOR)

export function parseSeriesKey(key: string | undefined): SeriesName | null {
  const [dataset, symbol, given] = key?.split(SEPARATOR) ?? []
  const timeframe = TIMEFRAMES.find((one) => one === given)
  return dataset && symbol && timeframe ? { dataset, symbol, timeframe } : null
}

/** Why a series has the verdict it has, in one sentence. */
export function verdictSentence(series: Series): string {
  const { verdict, missing, gaps, bad, behind_seconds } = series
  if (verdict === 'gaps') return `${plural(missing ?? 0, 'bar')} missing in ${plural(gaps, 'open gap')}.`
  if (verdict === 'bad') return `${plural(bad ?? 0, 'bar')} that nobody should believe.`
  if (verdict === 'stale') return `The newest bar is ${formatDuration(behind_seconds)} overdue.`
  return VERDICT_WORDS[verdict].says
}
