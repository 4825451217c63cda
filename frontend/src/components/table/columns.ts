/** What a table knows of its columns, and how values are put in order. */
import type { ReactNode } from 'react'
import type { CsvValue } from '@/lib/csv'

export interface Column<T> {
  id: string
  header: string
  /** The plain value: for sorting and for CSV. Decimal strings sort as numbers. */
  value: (row: T) => CsvValue
  /** How it looks; the plain value where absent. */
  cell?: (row: T) => ReactNode
  align?: 'left' | 'right'
  /** Least width in pixels; wider tables share what is left in proportion. */
  width: number
  /** Not shown until somebody chooses it. */
  isHidden?: boolean
  help?: string
}

const isBlank = (value: CsvValue): boolean => value === null || value === undefined || value === ''

/** Numbers (also as decimal strings) by size, times and words as text. */
export function compareValues(a: CsvValue, b: CsvValue): number {
  const left = Number(a)
  const right = Number(b)
  if (Number.isFinite(left) && Number.isFinite(right)) return left - right
  return String(a).localeCompare(String(b))
}

/** As `compareValues`, with blanks last whichever way the column is sorted. */
export function compareForSort(a: CsvValue, b: CsvValue, isDescending: boolean): number {
  const order = Number(isBlank(a)) - Number(isBlank(b))
  if (order !== 0) return isDescending ? -order : order
  return isBlank(a) ? 0 : compareValues(a, b)
}

export const gridTemplate = (widths: readonly number[]): string =>
  widths.map((width) => `minmax(${String(width)}px, ${String(width)}fr)`).join(' ')

/** The columns a person sees: what they hid stays hidden, and what is hidden by default until chosen. */
export function isShown<T>(column: Column<T>, choice: readonly string[] | undefined): boolean {
  return choice ? !choice.includes(column.id) : column.isHidden !== true
}
