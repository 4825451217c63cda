/** The interlock of real money: who may trade it, and the way to take that back. */
import { api, unwrap } from '@/lib/api/client'

/** `typed`: the account's number at its broker, or ours where none is known. */
export const armAccount = ({ accountId, typed }: { accountId: number; typed: string }) =>
  api
    .POST('/api/accounts/{account_id}/arm', {
      params: { path: { account_id: accountId } },
      body: { account: typed },
    })
    .then(unwrap)

export const disarmAccount = (accountId: number) =>
  api.POST('/api/accounts/{account_id}/disarm', { params: { path: { account_id: accountId } } }).then(unwrap)
