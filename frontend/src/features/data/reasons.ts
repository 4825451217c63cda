/** Rules that market data can break, as a person reads them. */
import { formatName } from '@/lib/format'

const SAYS: Record<string, string> = {
  malformed: 'The row has more fields than the header names.',
  bad_time: 'The time is missing, unreadable or does not exist in its time zone.',
  not_a_number: 'A price or the volume is missing, not a number or infinite.',
  not_positive: 'A price is zero or negative.',
  negative_volume: 'The volume is negative.',
  negative_size: 'A size is negative, missing or infinite.',
  high_low: 'Open or close lies outside low to high.',
  jump: 'A price is several times above or below its neighbours.',
  future: 'It lies in the future; a bar: it was not over yet.',
  out_of_order: 'It is older than one before it, by more than is allowed.',
  duplicate: 'Another of the same time came before.',
  no_trading_day: 'The exchange is closed on that day.',
  off_grid: 'The start is not on the grid that begins at the session’s open.',
  crossed: 'The bid is above the ask.',
  empty: 'A quote with neither bid nor ask.',
  stale: 'It came much later than its time says.',
  unknown_symbol: 'Nobody knows the symbol.',
  outside_session: 'It lies outside regular hours, and only those are wanted.',
}

/** Names of the rules, for the filter. */
export const REASONS = Object.keys(SAYS)

export const splitReasons = (reason: string): string[] => reason.split(',').filter(Boolean)

export const reasonTitle = (reason: string): string => splitReasons(reason).map(formatName).join(', ')

export const reasonSentence = (reason: string): string => SAYS[reason] ?? formatName(reason)
