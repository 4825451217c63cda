/** Whether the person signed in may import files and have gaps repaired. */
import { useQuery } from '@tanstack/react-query'
import { auth } from '@/lib/api/auth'

export function useMayChangeData(): boolean {
  const { data } = useQuery(auth.me())
  return data?.scopes.includes('data') ?? false
}
