/** The one HTTP client: types from OpenAPI, cookies for identity, problems as errors. */
import createClient, { type Middleware } from 'openapi-fetch'
import { Unreachable, toApiError } from './errors'
import type { paths } from './schema'
import { fetchProving } from './step-up'

/** Told when the server says that we are signed out. */
const signedOutListeners = new Set<() => void>()

export function onSignedOut(listener: () => void): () => void {
  signedOutListeners.add(listener)
  return () => signedOutListeners.delete(listener)
}

const problems: Middleware = {
  async onResponse({ response, schemaPath }) {
    if (response.ok) return
    const body: unknown = await response.json().catch(() => null)
    if (response.status === 401 && !schemaPath.startsWith('/api/auth/')) {
      for (const listener of signedOutListeners) listener()
    }
    throw toApiError(response.status, body)
  },
  onError({ error }) {
    return error instanceof TypeError ? new Unreachable() : undefined
  },
}

export const api = createClient<paths>({
  fetch: fetchProving,
  baseUrl: globalThis.location.origin,
  credentials: 'same-origin',
  headers: { Accept: 'application/json' },
})
api.use(problems)

/** The body of an answer; anything but success has already been thrown. */
export function unwrap<T>({ data }: { data?: T }): T {
  return data as T
}

/** Names one attempt to create something, so that a repeat does nothing twice. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
