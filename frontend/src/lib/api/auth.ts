/** Who is signed in, and the ways in and out. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'
import { ApiError } from './errors'
import type { Me } from './types'

export const auth = {
  state: () =>
    queryOptions({
      queryKey: ['auth', 'state'],
      queryFn: () => api.GET('/api/auth/state').then(unwrap),
      staleTime: 0,
    }),
  me: () =>
    queryOptions({
      queryKey: ['auth', 'me'],
      queryFn: async (): Promise<Me | null> => {
        try {
          return await api.GET('/api/auth/me').then(unwrap)
        } catch (error) {
          if (error instanceof ApiError && error.status === 401) return null
          throw error
        }
      },
      staleTime: 60_000,
    }),
}

export const signUp = (body: { token: string; email: string; password: string; name: string | null }) =>
  api.POST('/api/auth/sign-up', { body }).then(unwrap)

/** Said when the password was right and a code of the second factor is missing. */
export const CODE_NEEDED = 'second_factor_required'

interface Proof {
  password: string
  /** Of the second factor; none where there is none. */
  code: string | null
}

const said = ({ password, code }: Proof) => ({ password, ...(code === null ? {} : { code }) })

export const signIn = ({ email, ...proof }: Proof & { email: string }) =>
  api.POST('/api/auth/sign-in', { body: { email, ...said(proof), grant: 'session' } }).then(unwrap)

export const signOut = () => api.POST('/api/auth/sign-out')

/** Proves again who one is; for some minutes what needs a fresh proof is open. */
export const stepUp = (proof: Proof) => api.POST('/api/auth/step-up', { body: said(proof) }).then(unwrap)
