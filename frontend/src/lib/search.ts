/** Reads the state a page keeps in its URL; whatever does not fit is dropped, never an error. */

type Raw = Record<string, unknown>

export function text(raw: Raw, key: string): string | undefined {
  const value = raw[key]
  if (typeof value === 'string') return value === '' ? undefined : value
  return typeof value === 'number' ? String(value) : undefined
}

export function integer(raw: Raw, key: string): number | undefined {
  const value = typeof raw[key] === 'string' ? Number(raw[key]) : raw[key]
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined
}

export function flag(raw: Raw, key: string): true | undefined {
  return raw[key] === true || raw[key] === 'true' || raw[key] === 1 ? true : undefined
}

export function oneOf<T extends string>(raw: Raw, key: string, allowed: readonly T[]): T | undefined {
  return allowed.find((option) => option === raw[key])
}

/** A comma-separated list, e.g. `?indicators=sma:20,rsi:14`. */
export function list(raw: Raw, key: string): string[] | undefined {
  const parts = text(raw, key)?.split(',').filter(Boolean)
  return parts?.length ? parts : undefined
}
