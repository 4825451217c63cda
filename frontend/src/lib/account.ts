/** Which account the pages show: the one chosen on this machine, else the first. */
import { useQuery } from '@tanstack/react-query'
import { accounts } from './api/accounts'
import type { Account } from './api/types'
import { usePreferences } from './preferences'

export function pickAccount(all: readonly Account[], chosen: number | null): Account | null {
  return all.find((account) => account.id === chosen) ?? all[0] ?? null
}

export function useAccount(): {
  account: Account | null
  all: Account[]
  isPending: boolean
  error: Error | null
} {
  const { accountId } = usePreferences()
  const { data, isPending, error } = useQuery(accounts.list())
  const all = data?.items ?? []
  return { account: pickAccount(all, accountId), all, isPending, error }
}
