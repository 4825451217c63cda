/** What each role may do, in words. */
import type { Role } from '@/lib/api/types'

export const ROLES: readonly { value: Role; label: string; says: string }[] = [
  { value: 'viewer', label: 'Viewer', says: 'Sees everything of the accounts given, changes nothing.' },
  {
    value: 'trader',
    label: 'Trader',
    says: 'Also deploys, orders, stops and imports, on the accounts given.',
  },
  { value: 'admin', label: 'Admin', says: 'Everything, on every account: settings, users, keys.' },
]

export const saysOf = (role: Role): string => ROLES.find(({ value }) => value === role)?.says ?? ''

/** Only what differs: the server changes nothing else, and the audit trail shows nothing else. */
export function changesOf<T extends object>(before: T, after: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(after).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key as keyof T]),
    ),
  ) as Partial<T>
}
