/** The application's single live connection. The browser's session cookie is its proof of identity. */
import { useSyncExternalStore } from 'react'
import { LiveSocket, type LiveState } from './socket'

const socketUrl = (): string => `${window.location.origin.replace(/^http/, 'ws')}/ws`

export const live = new LiveSocket({ url: socketUrl() })

export function useLiveState(): LiveState {
  return useSyncExternalStore(live.watch, live.getState)
}
