/** What can be said of an API key's state, and when a new one should end. */
import type { ApiKey } from '@/lib/api/types'

export type KeyState = 'valid' | 'revoked' | 'expired'

export function stateOf(key: Pick<ApiKey, 'revoked_at' | 'expires_at'>, now: number): KeyState {
  if (key.revoked_at) return 'revoked'
  return key.expires_at && Date.parse(key.expires_at) <= now ? 'expired' : 'valid'
}

/** How long a new key may work; the longest-lived is not the first. */
export const LIFETIMES = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
  { value: 'never', label: 'Until it is revoked' },
] as const

const DAY_MS = 86_400_000

export const endOf = (lifetime: string, now: number): string | null =>
  lifetime === 'never' ? null : new Date(now + Number(lifetime) * DAY_MS).toISOString()
