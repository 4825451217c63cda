/** Opens the live connection while somebody is signed in, and notices when they no longer are. */
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { auth } from '@/lib/api/auth'
import { onSignedOut } from '@/lib/api/client'
import { live, useLiveState } from '@/lib/live/connection'
import { syncWith } from '@/lib/live/sync'

export function useLiveConnection(): void {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { isRefused } = useLiveState()

  useEffect(() => {
    const stop = syncWith(live, client)
    live.connect()
    return () => {
      stop()
      live.disconnect()
    }
  }, [client])

  useEffect(() => {
    const leave = () => {
      client.setQueryData(auth.me().queryKey, null)
      void navigate({ to: '/sign-in', search: { next: window.location.pathname + window.location.search } })
    }
    if (isRefused)
      void client.query({ ...auth.me(), staleTime: 0 }).then((me) => (me ? live.connect() : leave()))
    return onSignedOut(leave)
  }, [client, navigate, isRefused])
}
