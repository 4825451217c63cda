/** What the person signed in may do: to show only what can be pressed. The server decides. */
import { useQuery } from '@tanstack/react-query'
import { auth } from './api/auth'
import type { Me } from './api/types'

export function useMay(scope: Me['scopes'][number]): boolean {
  const { data } = useQuery(auth.me())
  return data?.scopes.includes(scope) ?? false
}
