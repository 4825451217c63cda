/** What became of every row of a file, whichever importer says it. */
import type { DataImport } from '@/lib/api/types'

export interface ImportReport {
  read: number
  stored: number
  corrected: number
  duplicates: number
  quarantined: number
  symbols: string[]
  explained: string[]
  notes: string[]
}

type Raw = Record<string, unknown>

const number = (raw: Raw, name: string): number => (typeof raw[name] === 'number' ? raw[name] : 0)

function texts(raw: Raw, name: string): string[] {
  const value = raw[name]
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
}

/** Null while there is none. */
export function readReport(raw: Raw): ImportReport | null {
  if (typeof raw.rows_read !== 'number') return null
  return {
    read: raw.rows_read,
    stored: number(raw, 'rows_stored'),
    corrected: number(raw, 'rows_corrected'),
    duplicates: number(raw, 'duplicates'),
    quarantined: number(raw, 'rows_quarantined'),
    symbols: [...texts(raw, 'symbols'), ...texts(raw, 'underlyings')],
    explained: texts(raw, 'explained'),
    notes: texts(raw, 'notes'),
  }
}

/** How much of a file is read, 0 to 1; the total is an estimate and may be passed. */
export const shareOf = ({ rows_done, rows_total }: Pick<DataImport, 'rows_done' | 'rows_total'>): number =>
  rows_total > 0 ? Math.min(1, rows_done / rows_total) : 0
