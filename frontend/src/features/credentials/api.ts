/** Keys of vendors: which there are, never what they are. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import type { components } from '@/lib/api/schema'

export type Credential = components['schemas']['CredentialOut']

export const credentials = () =>
  queryOptions({ queryKey: ['credentials'], queryFn: () => api.GET('/api/credentials').then(unwrap) })

export const setCredential = ({ name, value }: { name: string; value: string }) =>
  api.PUT('/api/credentials/{name}', { params: { path: { name } }, body: { value } }).then(unwrap)

export const removeCredential = (name: string) =>
  api.DELETE('/api/credentials/{name}', { params: { path: { name } } })
