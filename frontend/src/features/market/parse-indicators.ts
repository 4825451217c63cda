/** Indicators in the URL: `sma:period=20;rsi` ↔ names with their parameters. */
import type { Indicator } from '@/lib/api/types'

export interface Chosen {
  name: string
  parameters: Record<string, string>
}

export function parseIndicators(text: string | undefined): Chosen[] {
  if (!text) return []
  return text.split(',').flatMap((part) => {
    const [name = '', ...rest] = part.split(':')
    if (name === '') return []
    const pairs = rest
      .join(':')
      .split(';')
      .map((pair) => pair.split('='))
      .filter(([key, value]) => key && value)
    return { name, parameters: Object.fromEntries(pairs) as Record<string, string> }
  })
}

export function writeIndicators(chosen: readonly Chosen[]): string | undefined {
  const parts = chosen.map(({ name, parameters }) => {
    const pairs = Object.entries(parameters).map(([key, value]) => `${key}=${value}`)
    return pairs.length > 0 ? `${name}:${pairs.join(';')}` : name
  })
  return parts.length > 0 ? parts.join(',') : undefined
}

/** `sma(20)`: the name with the parameters' values. */
export function labelOf({ name, parameters }: Chosen, indicator: Indicator | undefined): string {
  const known = indicator?.defaults ?? parameters
  const values = Object.entries(known).map(([key, value]) => parameters[key] ?? String(value))
  return values.length > 0 ? `${name}(${values.join(', ')})` : name
}
