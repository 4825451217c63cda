/** Turning one-time codes on and off. */
import { api, unwrap } from '@/lib/api/client'

export const proposeSecret = () => api.POST('/api/auth/totp').then(unwrap)

export const confirmSecret = (code: string) =>
  api.POST('/api/auth/totp/confirm', { body: { code } }).then(unwrap)

export const turnOff = () => api.DELETE('/api/auth/totp')
