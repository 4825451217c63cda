/** What a file's name tells of it, what is sent with it, and the same as a command. */
import type { ImportWish } from '@/lib/api/types'
import { TIMEFRAMES } from '@/lib/api/types'

const ENDINGS = ['.csv', '.csv.gz', '.txt', '.parquet', '.pq', '.dbn', '.dbn.zst']
export const ACCEPT = '.csv,.gz,.txt,.parquet,.pq,.dbn,.zst'

/** Says why a file cannot be imported, or nothing. */
export function refusal(file: { name: string; size: number }): string | null {
  if (file.size === 0) return `${file.name} is empty.`
  if (!ENDINGS.some((ending) => file.name.toLowerCase().endsWith(ending))) {
    return `${file.name} is neither CSV, Parquet nor DBN.`
  }
  return null
}

export const isDbn = (name: string): boolean => /\.dbn(\.zst)?$/i.test(name)

/** `SPY_1m.csv` → SPY and 1m: a guess that the person sees and can change. */
export function guess(name: string): Pick<ImportWish, 'symbol' | 'timeframe'> {
  const words = name
    .replace(/\.(csv|txt|parquet|pq|dbn)?(\.gz|\.zst)?$/i, '')
    .split(/[\s_\-.]+/)
    .filter(Boolean)
  const timeframe = TIMEFRAMES.find((one) => words.some((word) => word.toLowerCase() === one))
  const symbol = words.find((word) => /^[A-Z]{1,5}$/.test(word))
  return { symbol, timeframe }
}

const quoted = (text: string): string =>
  /^[\w./:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

/** The command that does the same with a file on the server's own disk. */
export function commandOf({
  file,
  dataset,
  symbol,
  timeframe,
  kind,
  tz,
  exchange,
  date_format,
}: ImportWish): string {
  const options: [string, string | null | undefined][] = [
    ['--symbol', symbol],
    ['--timeframe', timeframe],
    ['--kind', kind],
    ['--tz', tz],
    ['--exchange', exchange],
    ['--date-format', date_format],
    ['--dataset', dataset],
  ]
  const said = options.flatMap(([name, value]) => (value ? [`${name} ${quoted(value)}`] : []))
  return ['.venv/bin/tradewright data import', quoted(file), ...said].join(' ')
}
